/** The connections between systems: greeting, what is refused, which is newest, and the end. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import {
  actorAt,
  encodeMessage,
  isActorGreeting,
  type Message,
  type SystemLimits,
} from "../../actors/mod.ts";
import { CLOSE_DIAL_MS, CLOSE_MS } from "../../actors/core.ts";
import { encodeGreeting, encodeNumbers, Frame } from "../../actors/wire.ts";
import { A, B, C, type Node, NOTICE_MS, pair, watcher, whysOf, World } from "./world.ts";

describe("a connection", () => {
  /** Payloads that another writes on a connection, one after the other. */
  function strange(payloads: readonly Uint8Array[], limits?: Partial<SystemLimits>): Node {
    const node = new World().start(A, limits);
    node.mailbox();
    for (const payload of payloads) node.turn({ kind: "payload", conn: 2, payload });
    return node;
  }
  const life = 12_345;
  const greeting = (session: number): Uint8Array =>
    encodeGreeting({ address: B, incarnation: life, session });
  const tells = (message: Message): Uint8Array => {
    const bytes = encodeMessage(message);
    return new Uint8Array([Frame.tells, 1, bytes.length, ...bytes]);
  };

  test("is greeted back, with the life that runs", () => {
    const node = strange([greeting(1)]);
    const [answer] = node.effects;
    assert(answer?.kind === "write" && isActorGreeting(answer.payload));
    assert(!isActorGreeting(tells(1)));
  });

  test("that says what cannot be read is ended, and counted by reason", () => {
    const empty = new Uint8Array(0);
    const cases: readonly [string, readonly Uint8Array[]][] = [
      ["greeting", [empty]],
      ["greeting", [tells(1)]],
      ["greeting", [encodeGreeting({ address: B, incarnation: 0, session: 1 })]],
      ["version", [Uint8Array.from(greeting(1), (byte, i) => (i === 19 ? 9 : byte))]],
      ["frame", [greeting(1), greeting(1)]],
      ["frame", [greeting(1), empty]],
      ["frame", [greeting(1), new Uint8Array([Frame.tells, 1, 5, 1])]],
      ["frame", [greeting(1), new Uint8Array([Frame.tells, 0x80])]],
      ["frame", [greeting(1), new Uint8Array([Frame.tells, ...Array<number>(9).fill(0xff)])]],
      ["frame", [greeting(1), new Uint8Array([Frame.watch, 0xff])]],
      ["frame", [greeting(1), encodeNumbers(Frame.gone, [1, 0])]],
    ];
    for (const [reason, payloads] of cases) {
      const node = strange(payloads);
      assertEquals(node.core.stats().rejected, { [reason]: 1 });
      const last = node.effects.at(-1);
      assert(last?.kind === "drop" && last.conn === 2 && !last.isFlushed, reason);
      assertEquals(node.core.has(2), false);
    }
  });

  test("with what is no message goes on: it is counted when it is read", () => {
    const node = strange([greeting(1), new Uint8Array([Frame.tells, 1, 1, 0xff]), tells("good")]);
    assertEquals(node.mail.get(1), ["good"]);
    assertEquals(node.core.stats().dropped.malformed, 1);
  });

  test("that is newer ends the older one, which cannot come behind it", () => {
    const node = strange([greeting(5), tells("one")]);
    node.turn({ kind: "payload", conn: 4, payload: greeting(7) });
    assertEquals(
      node.effects.findLast(({ kind }) => kind === "drop"),
      {
        kind: "drop",
        conn: 2,
        isFlushed: false,
      },
    );
    node.turn({ kind: "payload", conn: 4, payload: tells("two") });
    node.turn({ kind: "payload", conn: 6, payload: greeting(6) });
    node.turn({ kind: "payload", conn: 6, payload: tells("late") });
    assertEquals(node.mail.get(1), ["one", "two"]);
    assertEquals(node.core.stats().rejected["older connection"], 1);
  });

  test("beyond the limit is refused, and so is one that watches too much", () => {
    const limits = { incomingMax: 1, watchesMax: 2 };
    const node = strange([greeting(1)], limits);
    const other = encodeGreeting({ address: C, incarnation: life + 1, session: 1 });
    node.turn({ kind: "payload", conn: 4, payload: other });
    assertEquals(node.core.stats().rejected, { "too many systems": 1 });
    const watched = [1, 2, 3].map(() => node.core.openMailbox().counter);
    node.turn({ kind: "payload", conn: 2, payload: encodeNumbers(Frame.watch, watched) });
    assertEquals(node.core.stats().rejected["too many watches"], 1);
  });

  test("to what never greets is given up", () => {
    const { world, a } = pair();
    const silent = world.start(C);
    silent.turn = () => {};
    a.tell(actorAt(C, 1), "hello?");
    world.run(60_000);
    const { rejected, dropped } = a.core.stats();
    assertEquals([rejected, dropped.unreachable], [{ "no greeting": 1 }, 1]);
    assertEquals(a.core.wakeAtMs(), undefined);
  });
});

describe("close", () => {
  test("what was told before is sent, also over a connection that is not made yet", () => {
    const { world, a, ref, got } = pair();
    a.core.tell(ref, "last words", a.nowMs);
    a.core.close(a.nowMs);
    a.turn();
    assertEquals(a.isClosed, false);
    world.run(100);
    assertEquals([got, a.isClosed], [["last words"], true]);
    assertEquals(world.open, 0);
  });

  test("does not wait for a machine that is not there", () => {
    const { world, a } = pair();
    a.core.tell(actorAt(C, 1), "hello?", a.nowMs);
    a.core.close(a.nowMs);
    a.turn();
    world.run(NOTICE_MS + 100);
    assertEquals(a.isClosed, true);
  });

  test("waits for a connection that is made for the first time, but not for long", () => {
    const { world, a } = pair();
    const silent = world.start(C);
    silent.turn = () => {};
    a.core.tell(actorAt(C, 1), "hello?", a.nowMs);
    a.core.close(a.nowMs);
    a.turn();
    world.run(CLOSE_DIAL_MS - 1);
    assertEquals(a.isClosed, false);
    world.run(1);
    assertEquals([a.isClosed, a.core.stats().dropped.unreachable], [true, 1]);
  });

  test("does not wait for a machine that is gone, whether it is dialled again or not", () => {
    for (const isDialling of [false, true]) {
      const { world, a, ref } = pair();
      a.tell(ref, "hello");
      world.run(100);
      world.crash(B);
      world.run(NOTICE_MS + 1);
      a.core.tell(ref, "hello?", a.nowMs);
      a.turn();
      if (isDialling) world.run(500);
      assertEquals(world.dials.length, isDialling ? 2 : 1);
      a.core.close(a.nowMs);
      a.turn();
      assertEquals([a.isClosed, a.core.stats().dropped.unreachable], [true, 1]);
    }
  });

  test("waits for what a connection that stands has no room for yet, and for that not for ever", () => {
    for (const isOver of [true, false]) {
      const { world, a, ref, got } = pair({ underWayBytesMax: 1 });
      a.tell(ref, "first");
      world.run(100);
      world.stalled.add(B);
      for (const message of ["written", "waiting"]) a.tell(ref, message);
      a.core.close(a.nowMs);
      a.turn();
      world.run(CLOSE_MS - 50);
      assertEquals(a.isClosed, false);
      if (isOver) world.unstall(B);
      world.run(100);
      assertEquals(a.isClosed, true);
      assertEquals(got, isOver ? ["first", "written", "waiting"] : ["first"]);
    }
  });

  test("tells those who watch from afar", () => {
    const { world, a, b, ref: target } = pair();
    const { ref, got } = a.mailbox();
    a.tell(a.startActor(watcher(ref)), target);
    world.run(100);
    b.core.close(b.nowMs);
    b.turn();
    world.run(100);
    assertEquals(whysOf(got), ["stopped"]);
  });
});
