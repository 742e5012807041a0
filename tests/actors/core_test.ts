/** A system of actors by itself: copies, order, timers, throwing, stopping, watching. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Actor, ActorRef, MakeActor, Message } from "../../actors/mod.ts";
import { BURST_MESSAGES_MAX } from "../../actors/cells.ts";
import { TURN_MESSAGES_MAX } from "../../actors/core.ts";
import { forwarder, type Node, whysOf, World } from "./world.ts";

const HERE = "here:1";

function started(): { readonly world: World; readonly node: Node } {
  const world = new World();
  return { world, node: world.start(HERE) };
}

/** What an actor throws on. */
const BAD = "bad";

/** Counts, and gives its count on; throws on {@link BAD}, which it counts, too. */
function counting(to: ActorRef, whenThrown?: Actor["whenThrown"]): MakeActor {
  return () => {
    let count = 0;
    return {
      ...(whenThrown !== undefined && { whenThrown }),
      onMessage: (message, context) => {
        count++;
        if (message === BAD) throw new Error("as planned");
        context.tell(to, count);
      },
    };
  };
}

describe("startActor", () => {
  test("gives a reference of plain data, with numbers from 1 on", () => {
    const { node } = started();
    const make: MakeActor = () => ({ onMessage: () => {} });
    const { incarnation } = node.core;
    const refs = [node.startActor(make), node.startActor(make)];
    assertEquals(refs, [
      { address: HERE, incarnation, counter: 1 },
      { address: HERE, incarnation, counter: 2 },
    ]);
    assertEquals(structuredClone(refs[0]), refs[0]);
    assert(Number.isSafeInteger(incarnation) && incarnation > 0);
  });

  test("throws what make throws, and then there is no such actor", () => {
    const { node } = started();
    const make: MakeActor = () => {
      throw new RangeError("no");
    };
    assertThrows(() => node.startActor(make), RangeError, "no");
    assertEquals(node.core.stats().actors, 0);
  });

  test("an actor starts others, and is told their references", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const parent = node.startActor((context) => {
      const child = context.startActor(forwarder(ref));
      return {
        onMessage: () => context.tell(child, "hi"),
      };
    });
    node.tell(parent, 1);
    assertEquals(got, ["hi"]);
  });
});

describe("tell", () => {
  test("messages are copied: neither side sees the other's object change", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const kept: { list: number[] }[] = [];
    const actor = node.startActor(() => ({
      onMessage(message, context) {
        const one = message as { list: number[] };
        kept.push(one);
        one.list.push(9);
        context.tell(ref, one);
        one.list.push(10);
      },
    }));
    const own = { list: [1] };
    node.core.tell(actor, own, 0);
    own.list.push(2);
    node.turn();
    assertEquals(own, { list: [1, 2] });
    assertEquals(got, [{ list: [1, 9] }]);
    assertEquals(kept, [{ list: [1, 9, 10] }]);
  });

  test("what cannot be encoded is refused at once, with its path, and nothing is sent", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const message = { list: [1, { when: new Date(0) }] } as unknown as Message;
    for (const to of [ref, { ...ref, address: "there:1" }]) {
      const error = assertThrows(() => node.core.tell(to, message, 0), TypeError, "$.list[1].when");
      assert(error.message.includes("Date"), error.message);
    }
    node.turn();
    assertEquals([got, node.core.stats().sent], [[], 0]);
  });

  test("what is no reference is refused", () => {
    const { node } = started();
    for (const bad of [undefined, null, 7, "here:1", {}, { address: HERE, incarnation: 0 }]) {
      const to = bad as unknown as ActorRef;
      assertThrows(() => node.core.tell(to, 1, 0), TypeError, "expected a reference");
    }
  });

  for (const isShuffled of [false, true]) {
    test(`keeps the order of each pair${isShuffled ? ", whatever order a seed draws" : ""}`, () => {
      const world = new World();
      const node = world.start(HERE, undefined, isShuffled);
      const { ref, got } = node.mailbox();
      const sink = node.startActor(forwarder(ref));
      const sources = ["a", "b", "c"].map((name) => {
        return node.startActor(() => {
          let sent = 0;
          return {
            onMessage: (_, context) => context.tell(sink, { name, number: sent++ }),
          };
        });
      });
      for (let i = 0; i < 30; i++) for (const source of sources) node.core.tell(source, 0, 0);
      node.turn();
      world.run(1);
      const letters = got as { name: string; number: number }[];
      assertEquals(letters.length, 90);
      for (const name of ["a", "b", "c"]) {
        const numbers = letters.filter((one) => one.name === name).map(({ number }) => number);
        assertEquals(numbers, [...Array(30).keys()]);
      }
      const order = letters.map(({ name }) => name).join("");
      assert(order !== "abc".repeat(30), "seeded, or in bursts");
      assertEquals(/^a{30}b{30}c{30}$/.test(order), !isShuffled);
    });
  }

  test("an actor with much to do does not keep others from their turn", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const [busy, other] = [1, 2].map(() => node.startActor(forwarder(ref)));
    for (let i = 0; i < 3 * BURST_MESSAGES_MAX; i++) node.core.tell(busy!, "busy", 0);
    node.core.tell(other!, "other", 0);
    node.turn();
    assertEquals(got.indexOf("other"), BURST_MESSAGES_MAX);
  });

  test("an actor that tells itself for ever does not keep its system from its sockets", () => {
    const { node } = started();
    const actor = node.startActor((context) => ({
      onMessage: (message) => context.tell(context.self, message),
    }));
    node.core.tell(actor, 0, 0);
    node.core.handle({ kind: "wake" }, 0);
    assertEquals(node.core.stats().delivered, TURN_MESSAGES_MAX);
    assertEquals([node.core.wakeAtMs(), node.core.isRunnable], [0, true]);
  });

  test("to an actor that is not there is counted, and harms nobody", () => {
    const { node } = started();
    node.tell({ address: HERE, incarnation: 0, counter: 77 }, 1);
    node.tell({ address: HERE, incarnation: node.core.incarnation + 1, counter: 1 }, 1);
    const { noActor, stale } = node.core.stats().dropped;
    assertEquals([noActor, stale], [1, 1]);
  });
});

describe("tellAfter", () => {
  test("tells when the time has come, in the order of times, what was given at first", () => {
    const { world, node } = started();
    const { ref, got } = node.mailbox();
    const message = { at: [1] };
    node.core.tellAfter(ref, message, 30, 0);
    message.at.push(2);
    node.core.tellAfter(ref, "soon", 10, 0);
    node.core.tellAfter(ref, "soon, too", 10, 0);
    node.core.tellAfter(ref, "now", 0, 0);
    node.turn();
    assertEquals(got, ["now"]);
    world.run(9.9);
    assertEquals(got, ["now"]);
    world.run(0.2);
    assertEquals(got, ["now", "soon", "soon, too"]);
    world.run(25);
    assertEquals(got.slice(3), [{ at: [1] }]);
    assertEquals(node.core.wakeAtMs(), undefined);
    for (const ms of [-1, NaN]) assertThrows(() => node.core.tellAfter(ref, 1, ms, 0), RangeError);
  });
});

describe("openReply", () => {
  test("takes the first message only, and is gone then", () => {
    const { node } = started();
    const reply = node.core.openReply();
    node.tell(reply, "first");
    node.tell(reply, "second");
    assertEquals([...node.replies], [[reply.counter, "first"]]);
    const { dropped, delivered, actors } = node.core.stats();
    assertEquals([dropped.noActor, delivered, actors], [1, 1, 0]);
  });
});

describe("an actor that throws", () => {
  const cases: readonly [Actor["whenThrown"], Message[]][] = [
    [undefined, [1, 3]],
    ["leave", [1, 3]],
    ["restart", [1, 1]],
    ["stop", [1]],
  ];
  for (const [whenThrown, expected] of cases) {
    test(`${whenThrown ?? "by default"}: is reported, and others go on`, () => {
      const { node } = started();
      const { ref, got } = node.mailbox();
      const actor = node.startActor(counting(ref, whenThrown));
      const other = node.startActor(forwarder(ref));
      for (const message of ["a", BAD, "b"]) node.tell(actor, message);
      assertEquals(got, expected);
      assertEquals(
        node.failures.map(({ ref: to, error }) => [to, (error as Error).message]),
        [[actor, "as planned"]],
      );
      node.tell(other, "fine");
      assertEquals(got.at(-1), "fine");
    });
  }

  test("and cannot be made anew is gone, and both errors are reported", () => {
    const { node } = started();
    const { ref } = node.mailbox();
    let made = 0;
    const actor = node.startActor(() => {
      if (++made > 1) throw new Error("not again");
      return counting(ref, "restart")(undefined as never);
    });
    node.core.watch(actor, ref, 0);
    node.tell(actor, BAD);
    assertEquals(
      node.failures.map(({ error }) => (error as Error).message),
      ["as planned", "not again"],
    );
    assertEquals(
      node.gone.map(({ why }) => why),
      ["threw"],
    );
  });

  test("an onMessage that returns a promise has thrown: it would handle two at a time", () => {
    const { node } = started();
    const rejected = Promise.reject(new Error("later"));
    const actor = node.startActor(() => ({ onMessage: () => rejected as unknown as void }));
    node.tell(actor, 1);
    assert(String(node.failures[0]!.error).includes("returned a promise"));
  });
});

describe("stop", () => {
  test("an actor that stops itself finishes its message, and gets no other", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const actor = node.startActor(() => ({
      onMessage(message, context) {
        context.stop();
        context.tell(ref, message);
      },
    }));
    for (const message of [1, 2, 3]) node.core.tell(actor, message, 0);
    node.turn();
    assertEquals(got, [1]);
    assertEquals(node.core.stats().dropped.noActor, 2);
  });

  test("an actor of another system, or of another life, is not ours to stop", () => {
    const { node } = started();
    const actor = node.startActor(() => ({ onMessage: () => {} }));
    node.core.stop({ ...actor, address: "there:1" }, 0);
    node.core.stop({ ...actor, incarnation: actor.incarnation + 1 }, 0);
    assertEquals(node.core.stats().actors, 1);
    node.core.stop({ ...actor, incarnation: 0 }, 0);
    assertEquals(node.core.stats().actors, 0);
  });

  test("what waits in a mailbox that is closed never comes out", () => {
    const { node } = started();
    const ref = node.core.openMailbox();
    node.core.tell(ref, 1, 0);
    node.core.stop(ref, 0);
    node.core.tell(ref, 2, 0);
    assertEquals(node.core.take(ref.counter), undefined);
    assertEquals(node.core.stats().dropped.noActor, 2);
  });
});

describe("watch", () => {
  /** An actor that watches `refs` and gives on what it is told about them. */
  function watching(to: ActorRef, refs: readonly ActorRef[]): MakeActor {
    return (context) => {
      for (const ref of refs) context.watch(ref);
      return {
        onMessage: (message) => context.unwatch(message as ActorRef),
        onGone: (ref, why) => context.tell(to, { ref, why }),
      };
    };
  }

  test("tells once when an actor stops, throws, or is not there", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const stops = node.startActor(() => ({ onMessage: (_, context) => context.stop() }));
    const throws = node.startActor(counting(ref, "stop"));
    const never = { ...ref, counter: 99 };
    const earlier = { ...ref, incarnation: ref.incarnation + 1 };
    node.startActor(watching(ref, [stops, stops, throws, never, earlier]));
    node.turn();
    assertEquals(whysOf(got), ["unknown", "restarted"]);
    node.tell(stops, 1);
    node.tell(throws, BAD);
    node.tell(stops, 1);
    assertEquals(whysOf(got).slice(2), ["stopped", "threw"]);
    assertEquals((got[2] as { ref: ActorRef }).ref, stops);
  });

  test("ends by unwatch, and with the one who watches", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const target = node.startActor(forwarder(ref));
    const first = node.startActor(watching(ref, [target]));
    const second = node.startActor(watching(ref, [target]));
    node.tell(first, target);
    node.core.stop(second, 0);
    node.core.stop(target, 0);
    node.turn();
    assertEquals(got, []);
  });

  test("an actor that was made anew is not gone", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const target = node.startActor(counting(ref, "restart"));
    node.core.watch(target, ref, 0);
    node.tell(target, BAD);
    node.tell(target, 1);
    assertEquals([got, node.gone], [[1], []]);
  });
});

describe("stats", () => {
  test("count what was told, and most messages of a pair in any one second", () => {
    const { world, node } = started();
    const { ref } = node.mailbox();
    const [a, b] = [1, 2].map(() => node.startActor(forwarder(ref)));
    for (let i = 0; i < 5; i++) node.tell(a!, i);
    for (let i = 0; i < 3; i++) node.tell(b!, i);
    world.run(1000);
    for (let i = 0; i < 4; i++) node.tell(a!, i);
    const { sent, sentRemote, delivered, mostPerSecond, actors } = node.core.stats();
    assertEquals([sent, sentRemote, delivered, mostPerSecond, actors], [24, 0, 24, 5, 3]);
  });
});

describe("close", () => {
  test("ends all actors and tells those who watch; later tells are counted", () => {
    const { node } = started();
    const { ref, got } = node.mailbox();
    const actor = node.startActor(forwarder(ref));
    node.core.watch(actor, ref, 0);
    node.core.tell(actor, 1, 0);
    node.core.close(0);
    node.core.tell(actor, 2, 0);
    node.turn();
    assertEquals([got, node.isClosed], [[], true]);
    assertEquals(node.core.stats().dropped.closed, 1);
    assertThrows(() => node.startActor(forwarder(ref)), Error, "closed");
    assertEquals([node.core.wakeAtMs(), node.core.poll()], [undefined, undefined]);
  });
});
