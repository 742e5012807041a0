/** A process that stood still: for its time-outs that was a tick, for its lease all of it. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Bare, held, sent } from "./bare.ts";
import { Group, T } from "./group.ts";

/** A tick, as raft/node.ts counts. */
const TICK_MS = T / 2;
const LONG_MS = 100 * T;

describe("a pause of", () => {
  test("a follower is a tick of its election clock", () => {
    const bare = new Bare(held([1]));
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    const leftMs = bare.node.electionAtMs - bare.node.clockMs;
    bare.nowMs += LONG_MS;
    assertEquals(bare.tell({ kind: "wake" }), []);
    assertEquals(bare.node.electionAtMs - bare.node.clockMs, leftMs - TICK_MS);
    assertEquals(sent(bare.wait(leftMs - TICK_MS - 1), "vote"), []);
    assertEquals(sent(bare.wait(2), "vote").length, 2, "then it does miss its leader");
  });

  test("a follower leaves it as unwilling to replace its leader as it was", () => {
    const bare = new Bare(held([1]));
    const vote = { kind: "vote", term: 2, pre: true, transfer: false } as const;
    const ask = { ...vote, lastIndex: 9, lastTerm: 1 };
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    bare.nowMs += LONG_MS;
    const answers = (): boolean[] =>
      sent(bare.receive(3, ask), "voted").map(({ granted }) => granted);
    assertEquals(answers(), [false]);
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 2 });
    bare.wait(T);
    assertEquals(answers(), [true]);
  });

  test("a leader is no reason to give up, and is the end of its lease", () => {
    const bare = new Bare(held([1]), { leaseClockRatio: 1 });
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 2 });
    const round = sent(bare.wait(100), "heartbeat", 2).at(-1)!.round;
    bare.receive(2, { kind: "heard", term, round });
    const read = { kind: "read", id: 1, lease: true } as const;
    const answered = (): number =>
      bare.tell({ ...read }).filter(({ kind }) => kind === "read").length;
    assertEquals(answered(), 1, "it has a lease");
    bare.nowMs += LONG_MS;
    assertEquals(answered(), 0, "which it does not believe any more");
    bare.tell({ kind: "wake" });
    assertEquals(bare.node.role, "leader");
    // Another has been elected meanwhile.
    bare.receive(3, { kind: "heartbeat", term: term + 1, commit: 2, round: 1 });
    assertEquals(bare.node.role, "follower");
  });

  test("a leader whose followers are gone ends its lead when that has been counted", () => {
    const bare = new Bare(held([1]));
    bare.lead();
    bare.nowMs += LONG_MS;
    bare.tell({ kind: "wake" });
    assertEquals(bare.node.role, "leader");
    bare.wait(2 * T + 100);
    assertEquals(bare.node.role, "follower");
  });

  test("everybody is no election", () => {
    const group = new Group(3);
    group.commitOne();
    const { id, node } = group.elect();
    const { term } = node!;
    for (let i = 0; i < 20; i++) {
      for (const one of group.ids) group.machine(one).sleep(LONG_MS + i);
      group.run(LONG_MS + 2 * T);
      assertEquals([group.leader?.id, group.leader?.node!.term], [id, term]);
    }
    group.commitOne();
  });

  test("everybody again and again, with hardly time between, is no election", () => {
    const group = new Group(3);
    group.commitOne();
    const { id, node } = group.elect();
    const { term } = node!;
    for (let i = 0; i < 200; i++) {
      for (const one of group.ids) group.machine(one).sleep(2 * T);
      group.run(2 * T + 15);
      assertEquals([group.leader?.id, group.leader?.node!.term], [id, term]);
    }
  });

  test("nobody: a node that hears nothing is called every tick, and one that does no oftener", () => {
    const bare = new Bare(held([1]));
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    assertEquals(bare.core.wakeAtMs(), bare.nowMs + TICK_MS);
    assert(TICK_MS > bare.node.params.heartbeatMs, "a beat comes before");
  });
});
