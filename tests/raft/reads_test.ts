/** Reads see every write that ended before they began, on any node, without an entry in the log. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type RaftEffect } from "../../raft/mod.ts";
import { Bare, held, sent } from "./bare.ts";
import { Group, T } from "./group.ts";

function readsOf(effects: readonly RaftEffect[]): [number, number, string | undefined][] {
  return effects
    .filter((effect) => effect.kind === "read")
    .map(({ id, index, why }) => [id, index, why]);
}

describe("reads", () => {
  test("on the leader and on followers: at least what was committed, and the log stays as it is", () => {
    const group = new Group(3);
    group.elect();
    const last = group.commitOne();
    for (const id of group.ids) {
      const read = group.read(id);
      group.runUntil(() => read.index !== undefined, 2 * T, "the read");
      assertEquals(read.index, last);
    }
    assertEquals(group.leader!.node!.log.lastIndex, last);
  });

  test("a follower that lags waits until it has applied what the leader had committed", () => {
    const state = { snapshotEvery: 0, snapshotBytes: 0, snapshotMs: 0, applyMs: 20 };
    const group = new Group(3, { state });
    const leader = group.elect().id;
    group.commitOne();
    const { last } = group.accept(leader);
    group.runUntil(() => group.oracle.lastCommitted >= last, T, "a commit");
    const read = group.read(group.others(leader)[0]!);
    group.runUntil(() => read.index !== undefined, 2 * T, "the read");
    // The oracle has looked whether the state was there.
    assert(read.index! >= last);
  });

  test("a deposed leader answers none, with or without a lease", () => {
    for (const lease of [false, true]) {
      const group = new Group(3, { params: { leaseClockRatio: 1 } });
      group.elect();
      group.commitOne();
      const old = group.leader!.id;
      group.isolate(old);
      group.elect(group.others(old));
      group.commitOne(group.others(old));
      const read = group.read(old, lease);
      group.run(4 * T);
      assertEquals(read.index, -1);
    }
  });

  test("with a lease the leader answers at once; not when it was not asked for or not allowed", () => {
    for (const leaseClockRatio of [1.6, 0]) {
      const group = new Group(3, { params: { leaseClockRatio } });
      group.elect();
      const last = group.commitOne();
      group.run(T);
      const leader = group.leader!.id;
      const leased = group.read(leader, true);
      assertEquals(leased.index, leaseClockRatio > 0 ? last : undefined);
      assertEquals(group.read(leader, false).index, undefined);
    }
  });

  test("a lease ends before any other node may vote, and when somebody is asked to take over", () => {
    const bare = new Bare(held([1]), { leaseClockRatio: 1.5 });
    bare.wait(1000);
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 2 });
    bare.receive(2, { kind: "heard", term, round: 1 });
    const lease = (): number => readsOf(bare.tell({ kind: "read", id: 1, lease: true })).length;
    assertEquals(lease(), 1);
    const sentMs = bare.nowMs;
    // 300 ms, or 200 on a clock that runs half as fast again.
    bare.nowMs = sentMs + 199;
    assertEquals(lease(), 1);
    bare.nowMs = sentMs + 200;
    assertEquals(lease(), 0);
    bare.wait(10);
    const round = sent(bare.effects, "heartbeat").at(-1)!.round;
    bare.receive(2, { kind: "heard", term, round });
    assertEquals(lease(), 1);
    bare.tell({ kind: "transfer", id: 2, to: 2 });
    assertEquals(lease(), 0);
  });

  test("a new leader answers none before something of its own term is committed", () => {
    const bare = new Bare(held([1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "heard", term, round: 1 });
    const asked = bare.tell({ kind: "read", id: 5, lease: false });
    const { round } = sent(asked, "heartbeat").at(-1)!;
    assertEquals(readsOf(bare.receive(2, { kind: "heard", term, round })), []);
    const effects = bare.receive(2, { kind: "appended", term, index: 3 });
    assertEquals(readsOf(effects), [[5, 3, undefined]]);
  });

  test("a follower's question needs no round where it and the leader are a quorum, and else one", () => {
    const learning = { voters: [1, 2, 3], outgoing: [], learners: [4] };
    const five = { voters: [1, 2, 3, 4, 5], outgoing: [], learners: [] };
    for (const [config, from, isProof] of [
      [learning, 2, true],
      [learning, 4, false],
      [five, 2, false],
    ] as const) {
      const bare = new Bare(held([1], 1, config));
      bare.wait(2 * T);
      const term = bare.node.term + 1;
      for (const pre of [true, false]) {
        for (const voter of [2, 3])
          bare.receive(voter, { kind: "voted", term, pre, granted: true });
      }
      const early = bare.receive(from, { kind: "askRead", term, batch: 7 });
      // Nothing of its own term is committed yet: it may not know what is.
      assertEquals(sent(early, "readAt"), []);
      for (const voter of [2, 3]) bare.receive(voter, { kind: "appended", term, index: 2 });
      const asked = bare.receive(from, { kind: "askRead", term, batch: 8 });
      const answers = isProof ? [{ kind: "readAt", term, batch: 8, index: 2 }] : [];
      const text = `${from} of ${config.voters.join()}`;
      assertEquals(sent(asked, "readAt", from) as unknown[], answers, text);
    }
  });

  test("reads that come together share one round of heartbeats", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    group.run(T);
    const { id } = group.leader!;
    const before = group.network.byKind["heartbeat"]!;
    const reads = Array.from({ length: 100 }, () => group.read(id));
    group.runUntil(() => reads.every(({ index }) => index !== undefined), T, "all reads");
    // The first has a round of its own, the other 99 the next; then there may be a beat.
    const beats = group.network.byKind["heartbeat"]! - before;
    assert(beats <= 6, `${beats} heartbeats`);
  });

  test("a follower's question waits for as many reads as the last had, but not for long", () => {
    const bare = new Bare(held([1]), { readGapMs: 10 });
    bare.receive(2, { kind: "heartbeat", term: 2, commit: 1, round: 1 });
    let id = 0;
    const read = (): RaftEffect[] => bare.tell({ kind: "read", id: ++id, lease: false });
    const asked = (effects: readonly RaftEffect[]): number => sent(effects, "askRead").length;
    const answer = (): RaftEffect[] => {
      const { batch } = sent(bare.effects, "askRead").at(-1)!;
      return bare.receive(2, { kind: "readAt", term: 2, batch, index: 1 });
    };
    // One caller alone is never held up.
    for (let i = 0; i < 3; i++) {
      assertEquals(asked(read()), 1);
      assertEquals(readsOf(answer()).length, 1);
    }
    // Four come while another is asked about; the next question is for all of them.
    assertEquals(Array.from({ length: 5 }, () => asked(read())).join(), "1,0,0,0,0");
    bare.nowMs += 1;
    assertEquals(asked(answer()), 1);
    // The one behind that is asked when there are four reads.
    assertEquals(readsOf(answer()).length, 4);
    assertEquals(Array.from({ length: 4 }, () => asked(read())).join(), "0,0,0,1");
    assertEquals(readsOf(answer()).length, 4);
    // Then four again; one that comes alone waits for the gap.
    assertEquals(Array.from({ length: 4 }, () => asked(read())).join(), "0,0,0,1");
    const askedMs = bare.nowMs;
    answer();
    assertEquals(asked(read()), 0);
    assertEquals(asked(bare.wait(9)), 0);
    assertEquals(asked(bare.wait(1)), 1);
    assertEquals(bare.nowMs, askedMs + 10);
    assertEquals(readsOf(answer()).length, 1);
  });

  test("a read that cannot be confirmed is given up, and none waits for ever", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const { id } = group.leader!;
    const follower = group.others(id)[0]!;
    group.network.cutOneWay(follower, id);
    const read = group.read(follower);
    group.run(3 * T);
    assertEquals([read.index, read.why], [-1, "timed out"]);
    group.crash(id);
    group.others(id).forEach((one) => group.isolate(one));
    group.run(4 * T);
    assertEquals(group.read(follower).why, "not leader");
  });

  test("above the limit reads are refused", () => {
    const group = new Group(3, { params: { readsMax: 10 } });
    const { id } = group.elect();
    const reads = Array.from({ length: 15 }, () => group.read(id));
    assertEquals(reads.filter(({ why }) => why === "overloaded").length, 5);
    group.run(2 * T);
    assertEquals(reads.filter(({ index }) => (index ?? -1) >= 0).length, 10);
  });

  test("an answer to a life before is not taken for one to this", () => {
    const first = new Bare(held([1]));
    first.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    const asked = sent(first.tell({ kind: "read", id: 1, lease: false }), "askRead");
    assert(asked[0]!.batch > 1000, "batches are numbered from anywhere");
  });
});
