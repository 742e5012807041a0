/** What systems tell each other: order, bounds, dialling again, lives, watching from afar. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type ActorRef, actorAt, type Message } from "../../actors/mod.ts";
import { REDIAL_LONGEST_MS } from "../../actors/remotes.ts";
import { A, B, C, forwarder, NOTICE_MS, pair, watcher, whysOf, World } from "./world.ts";

describe("tell to another system", () => {
  test("arrives, in order, over one connection that is dialled with the first", () => {
    const { world, a, b, ref, got } = pair();
    for (let i = 0; i < 5; i++) a.tell(ref, i);
    assertEquals(world.dials.length, 1);
    world.run(100);
    for (let i = 5; i < 10; i++) a.tell(ref, i);
    world.run(100);
    assertEquals(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assertEquals([world.dials.length, a.core.stats().connections], [1, 1]);
    assertEquals([a.core.stats().sentRemote, b.core.stats().delivered], [10, 10]);
    assertEquals(a.core.stats().bytesOut, b.core.stats().bytesIn);
    assertEquals(b.core.stats().bytesOut, a.core.stats().bytesIn);
  });

  test("messages of all sizes keep their order, before there is a connection and after", () => {
    const { world, a, ref, got } = pair();
    const sizes = [1, 900, 3, 980, 985, 990, 995, 1000, 5000, 2, 100_000, 4, 999, 7];
    const messages = sizes.map((size, i) => `${i} ${"x".repeat(size)}`);
    for (const message of messages) a.core.tell(ref, message, a.nowMs);
    a.turn();
    world.run(100);
    assertEquals(got, messages);
    for (const message of messages) a.core.tell(ref, message, a.nowMs);
    a.turn();
    world.run(100);
    assertEquals(got, [...messages, ...messages]);
  });

  test("messages that are told together share what is written", () => {
    const { world, a, ref, got } = pair();
    a.tell(ref, "first");
    world.run(100);
    const before = a.effects.filter(({ kind }) => kind === "write").length;
    for (let i = 0; i < 100; i++) a.core.tell(ref, i, a.nowMs);
    a.turn();
    assertEquals(a.effects.filter(({ kind }) => kind === "write").length, before + 1);
    world.run(100);
    assertEquals(got.length, 101);
  });

  test("a well-known actor is reached in whichever life runs there", () => {
    const { world, a, ref, got } = pair();
    a.tell(actorAt(B, ref.counter), "hi");
    world.run(100);
    assertEquals(got, ["hi"]);
    const other = world.start(B).mailbox();
    assertEquals(other.ref.counter, ref.counter);
    world.run(2 * NOTICE_MS);
    a.tell(actorAt(B, ref.counter), "hi again");
    world.run(2 * NOTICE_MS);
    assertEquals([got, other.got], [["hi"], ["hi again"]]);
  });

  test("a message for an earlier life never reaches a later one, and is counted", () => {
    const { world, a, ref } = pair();
    a.tell(ref, "to the first life");
    world.run(100);
    const later = world.start(B).mailbox();
    world.run(2 * NOTICE_MS);
    a.tell(ref, "too late");
    a.tell(actorAt(B, ref.counter), "to any");
    world.run(2 * NOTICE_MS);
    assertEquals(later.got, ["to any"]);
    assertEquals(a.core.stats().dropped.stale, 1);
  });

  test("what is told to a machine that is not there is lost, counted, and waited for less", () => {
    const world = new World();
    const a = world.start(A);
    const ref = actorAt(B, 1);
    for (let i = 0; i < 60; i++) {
      a.tell(ref, i);
      world.run(1000);
    }
    world.run(2 * REDIAL_LONGEST_MS);
    const { dropped, connections } = a.core.stats();
    assertEquals([dropped.unreachable, connections, a.core.wakeAtMs()], [60, 0, undefined]);
    const waits = world.dials.map(({ atMs }, i) => atMs - (world.dials[i - 1]?.atMs ?? 0)).slice(1);
    assert(waits.length < 16, `dialled ${waits.length} times`);
    assert(waits.at(-1)! > 3 * waits[0]!, waits.join());
    assert(Math.max(...waits) <= NOTICE_MS + REDIAL_LONGEST_MS + 1100, waits.join());
  });

  test("what was not written when a connection ended goes over the next, what was does not", () => {
    const { world, a, b, ref, got } = pair({ underWayBytesMax: 1 });
    a.tell(ref, "first");
    world.run(100);
    world.stalled.add(B);
    for (const message of ["written", "waiting", "waiting, too"]) a.tell(ref, message);
    world.run(100);
    world.cut(a, b);
    world.stalled.delete(B);
    world.run(5 * NOTICE_MS);
    assertEquals(got, ["first", "waiting", "waiting, too"]);
    const { unsettled, unreachable } = a.core.stats().dropped;
    assertEquals([unsettled, unreachable], [1, 0]);
  });

  test("the oldest of too much that waits are dropped, and counted", () => {
    const limits = { queueBytesMax: 10 * (64 + 9), underWayBytesMax: 1 };
    const { world, a, ref, got } = pair(limits);
    a.tell(ref, "first");
    world.run(100);
    world.stalled.add(B);
    // The first of these is written, and takes all that may be under way.
    for (let i = 0; i <= 25; i++) {
      a.tell(ref, i + 0.5);
      assert(a.core.stats().waitingBytes <= limits.queueBytesMax);
    }
    assertEquals(a.core.stats().dropped.queueFull, 15);
    world.unstall(B);
    world.run(1000);
    assertEquals(got, ["first", 0.5, ...Array.from({ length: 10 }, (_, i) => 16.5 + i)]);
  });

  test("a system that takes nothing holds up no other", () => {
    const { world, a, ref } = pair({ underWayBytesMax: 100 });
    const other = world.start(C).mailbox();
    a.tell(ref, "first");
    world.run(100);
    world.stalled.add(B);
    for (let i = 0; i < 100; i++) {
      a.tell(ref, i);
      a.tell(other.ref, i);
    }
    world.run(100);
    assertEquals(other.got, [...Array(100).keys()]);
  });

  test("what comes from others is bounded in each mailbox, and in all; local tells are not", () => {
    const one = 64 + 9;
    const world = new World();
    const a = world.start(A);
    const limits = { mailboxBytesMax: 3 * one, mailboxesBytesMax: 5 * one };
    const b = world.start(B, limits);
    const [first, second] = [b.core.openMailbox(), b.core.openMailbox()];
    const take = (ref: ActorRef): Message[] => {
      const taken: Message[] = [];
      for (let next = b.core.take(ref.counter); next; next = b.core.take(ref.counter)) {
        taken.push(next.message);
      }
      return taken;
    };
    for (const ref of [first, second]) for (let i = 0; i < 5; i++) a.tell(ref, i + 0.5);
    world.run(100);
    assertEquals(b.core.stats().unreadBytes, 5 * one);
    assertEquals(b.core.stats().dropped.mailboxFull, 5);
    for (let i = 0; i < 100; i++) b.core.tell(first, i, b.nowMs);
    assertEquals(take(first), [0.5, 1.5, 2.5, ...Array(100).keys()]);
    assertEquals(take(second), [0.5, 1.5]);
    assertEquals(b.core.stats().unreadBytes, 0);
    a.tell(second, "room again");
    world.run(100);
    assertEquals(take(second), ["room again"]);
  });

  test("an actor that stops gives back the room of what waited for it", () => {
    const world = new World();
    const [a, b] = [world.start(A), world.start(B)];
    const ref = b.core.openMailbox();
    a.tell(ref, 1);
    world.run(100);
    assert(b.core.stats().unreadBytes > 0);
    b.core.stop(ref, b.nowMs);
    assertEquals(b.core.stats().unreadBytes, 0);
  });

  test("a system that is told once in a while makes room for another one", () => {
    const world = new World();
    const a = world.start(A, { systemsMax: 2 });
    const others = [B, C, "d:1"].map((address) => world.start(address).mailbox());
    for (const { ref } of others) {
      a.tell(ref, "hi");
      world.run(100);
    }
    assertEquals(
      others.map(({ got }) => got),
      [["hi"], ["hi"], ["hi"]],
    );
    assertEquals([a.core.stats().connections, world.open], [2, 2]);
    // Those that have something to do do not.
    for (const address of ["e:1", "f:1", "g:1"]) a.tell(actorAt(address, 1), "nobody");
    assertEquals(a.core.stats().dropped.systemsFull, 1);
  });

  test("a reply from afar is the first message, too", () => {
    const { world, a, b } = pair();
    const reply = a.core.openReply();
    b.tell(reply, { n: 1 });
    b.tell(reply, { n: 2 });
    world.run(100);
    assertEquals([...a.replies.values()], [{ n: 1 }]);
    assertEquals(a.core.stats().dropped.noActor, 1);
  });
});

describe("watch of another system", () => {
  test("tells that an actor stopped, or is not there", () => {
    const { world, a, b } = pair();
    const { ref, got } = a.mailbox();
    const target = b.startActor(forwarder(ref));
    const one = a.startActor(watcher(ref));
    a.tell(one, target);
    a.tell(one, actorAt(B, 99));
    world.run(100);
    assertEquals(whysOf(got), ["unknown"]);
    b.core.stop(target, b.nowMs);
    b.turn();
    world.run(100);
    assertEquals(got[1], { ref: target, why: "stopped" });
    world.run(10 * NOTICE_MS);
    assertEquals(got.length, 2);
  });

  test("tells that a machine is gone, or was never there", () => {
    const { world, a, b, ref: target } = pair();
    const { ref, got } = a.mailbox();
    const one = a.startActor(watcher(ref));
    a.tell(one, target);
    a.tell(one, actorAt(C, 1));
    world.run(100);
    assertEquals(got, []);
    world.run(NOTICE_MS);
    assertEquals(got, [{ ref: actorAt(C, 1), why: "unreachable" }]);
    assert(b.isAlive);
    world.crash(B);
    world.run(NOTICE_MS + 100);
    assertEquals(got[1], { ref: target, why: "unreachable" });
    assertEquals(a.core.wakeAtMs(), undefined);
  });

  test("tells that another life of the machine runs there", () => {
    const { world, a, ref: target } = pair();
    const { ref, got } = a.mailbox();
    world.start(B);
    a.tell(a.startActor(watcher(ref)), target);
    world.run(100);
    assertEquals(whysOf(got), ["restarted"]);
  });

  test("ends by unwatch: nothing is told, and the other forgets it", () => {
    const { world, a, b } = pair();
    const { ref, got } = a.mailbox();
    const target = b.startActor(forwarder(ref));
    const one = a.startActor((context) => {
      context.watch(target);
      return {
        onMessage: () => context.unwatch(target),
        onGone: (_, why) => context.tell(ref, why),
      };
    });
    world.run(100);
    a.tell(one, 0);
    world.run(100);
    const written = b.effects.length;
    b.core.stop(target, b.nowMs);
    b.turn();
    world.run(100);
    assertEquals([got, b.effects.length], [[], written]);
  });

  test("ends with the one who watches: nothing is told, and the other forgets it", () => {
    const { world, a, b } = pair();
    const target = b.startActor(forwarder(a.mailbox().ref));
    const one = a.startActor((context) => {
      context.watch(target);
      return { onMessage: () => {} };
    });
    a.turn();
    world.run(100);
    a.core.stop(one, a.nowMs);
    a.turn();
    world.run(100);
    const written = b.effects.length;
    b.core.stop(target, b.nowMs);
    b.turn();
    world.run(100);
    assertEquals(b.effects.length, written);
    world.crash(B);
    world.run(3 * NOTICE_MS);
    assertEquals(a.core.stats().connections, 0);
  });

  test("more watches than a system takes are told to be unreachable", () => {
    const { world, a } = pair({ watchesMax: 3 });
    const { ref, got } = a.mailbox();
    const one = a.startActor(watcher(ref));
    for (let i = 1; i <= 4; i++) a.core.tell(one, actorAt("nowhere:1", i), a.nowMs);
    a.turn();
    assertEquals(got, [{ ref: actorAt("nowhere:1", 4), why: "unreachable" }]);
    world.run(NOTICE_MS + 100);
    assertEquals(whysOf(got).length, 4);
  });
});
