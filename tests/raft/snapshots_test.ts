/** Snapshots: the log stays short, and who missed much is brought up by one. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { StateFaults } from "../../sim/raft/machine.ts";
import { calmFaults } from "../../base/link.ts";
import { RaftLog } from "../../raft/log.ts";
import { entryBytes } from "../../raft/params.ts";
import { Group, LOSSY, T } from "./group.ts";

/** A snapshot every ten entries applied, larger than a piece. */
const STATE: StateFaults = {
  snapshotEvery: 10,
  snapshotBytes: 900,
  snapshotMs: 3,
  applyMs: 0,
};
const LOG_BYTES_MAX = 2000;

function snapshotting(): Group {
  // The log waits for whom a snapshot is on its way to, but not beyond half of this.
  const params = { trailingEntries: 0, chunkBytesMax: 100, logBytesMax: 3000 };
  return new Group(3, { state: STATE, params });
}

function expectShortLogs(group: Group): void {
  for (const { disk } of group.machines.values()) {
    assert(disk.logBytes < LOG_BYTES_MAX, `${disk.logBytes} bytes of log`);
  }
}

/** A group, and a node that was cut off until what it lacks was compacted. */
function needingSnapshot(): { group: Group; victim: number } {
  const group = snapshotting();
  group.commitOne();
  const victim = group.others(group.elect().id)[0]!;
  group.isolate(victim);
  for (let i = 0; i < 30; i++) group.commitOne(group.others(victim));
  group.run(50);
  return { group, victim };
}

/** A node is off while 55 commands are agreed on, and comes back. */
function install(isLossy: boolean, isCrash: boolean): void {
  const group = snapshotting();
  if (isLossy) group.network.faults = LOSSY;
  group.commitOne();
  for (let round = 0; round < 6; round++) {
    const leader = group.elect().id;
    const victim = group.others(leader)[round % 2]!;
    if (isCrash) group.crash(victim);
    else group.isolate(victim);
    for (let i = 0; i < 55; i++) group.commitOne(group.others(victim), 50);
    const { index } = group.leader!.node!.snapshot;
    assert(index > group.machine(victim).disk.lastIndex, "the victim's next entry is compacted");
    if (isCrash) group.restart(victim);
    else group.rejoin(victim);
    group.commitOne();
    group.run(50);
    expectShortLogs(group);
  }
  assert((group.network.byKind["chunked"] ?? 0) > 30, "snapshots went over in pieces");
}

describe("snapshots", () => {
  test("basic: every ten entries, the log stays below 2,000 bytes", () => {
    const group = snapshotting();
    for (let i = 0; i < 100; i++) group.commitOne(group.ids, 50);
    group.run(50);
    expectShortLogs(group);
    for (const { node } of group.machines.values()) assert(node!.snapshot.index > 80);
  });

  test("install to a node that was cut off", () => install(false, false));
  test("install to a node that was cut off, on a lossy network", () => install(true, false));
  test("install to a node that crashed", () => install(false, true));
  test("install to a node that crashed, on a lossy network", () => install(true, true));

  test("all crash: indexes never run back", () => {
    const group = snapshotting();
    let last = 0;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 15; i++) {
        const index = group.commitOne();
        assert(index > last);
        last = index;
      }
      group.ids.forEach((id) => group.crash(id));
      group.ids.forEach((id) => group.restart(id));
      for (const { node, state } of group.machines.values()) {
        assertEquals(node!.applied, state.index);
        assert(state.index > 0 && state.index <= last);
      }
    }
  });

  test("two full restarts in a row lose nothing", () => {
    const group = snapshotting();
    let last = 0;
    for (let i = 0; i < 23; i++) last = group.commitOne();
    for (let restart = 0; restart < 2; restart++) {
      group.ids.forEach((id) => group.crash(id));
      group.ids.forEach((id) => group.restart(id));
    }
    assert(group.commitOne() > last);
    // The state of 23 commands and three terms is there, as the oracle checks at each index.
    for (const { state } of group.machines.values()) assert(state.index > last);
  });

  test("a snapshot goes on where it was when the link is cut in its midst", () => {
    const { group, victim } = needingSnapshot();
    group.rejoin(victim);
    const chunks = (): number => group.network.byKind["chunked"] ?? 0;
    group.runUntil(() => chunks() >= 4, 2000, "four pieces");
    group.isolate(victim);
    group.run(150);
    group.rejoin(victim);
    group.agree(group.oracle.lastCommitted);
    // The state of 916 bytes is 10 pieces of 100: of those, few went over twice.
    assert(group.network.byKind["snapshot"]! <= 14, `${group.network.byKind["snapshot"]} pieces`);
  });

  test("an answer that comes twice does not send the next piece twice", () => {
    const { group, victim } = needingSnapshot();
    group.network.answerFaults = { ...calmFaults(1), duplicateShare: 1, jitterMs: 1 };
    group.rejoin(victim);
    group.agree(group.oracle.lastCommitted);
    assert(group.network.byKind["snapshot"]! <= 12, `${group.network.byKind["snapshot"]} pieces`);
  });

  test("proposals flow while a snapshot goes over, piece by piece", () => {
    const state = { ...STATE, snapshotBytes: 50_000 };
    const params = { trailingEntries: 0, chunkBytesMax: 100, chunksInflightMax: 1 };
    const group = new Group(3, { state, params });
    group.commitOne();
    const leader = group.elect().id;
    const victim = group.others(leader)[0]!;
    group.isolate(victim);
    for (let i = 0; i < 30; i++) group.commitOne(group.others(victim));
    group.rejoin(victim);
    const { term } = group.leader!.node!;
    // 500 pieces of two milliseconds each way; the log goes on and on meanwhile.
    for (let i = 0; i < 100; i++) group.commitOne(group.others(victim));
    assertEquals(group.leader!.node!.term, term);
    group.commitOne();
    assertEquals(group.machine(victim).node!.snapshot.index, 30);
    assert(group.network.byKind["chunked"]! >= 500, "it took all the pieces");
  });

  test("pieces are paced while commands come in, and are not when none do", () => {
    const state = { ...STATE, snapshotBytes: 50_000 };
    const paced = { chunkBytesMax: 100, chunksInflightMax: 50, busyChunkBytesPerMs: 5 };
    const group = new Group(3, { state, params: { trailingEntries: 0, ...paced } });
    group.commitOne();
    const victim = group.others(group.elect().id)[0]!;
    group.isolate(victim);
    for (let i = 0; i < 30; i++) group.commitOne(group.others(victim));
    group.rejoin(victim);
    const pieces = (): number => group.network.byKind["snapshot"] ?? 0;
    group.runUntil(() => pieces() > 0, 20 * T, "a piece");
    const beganMs = group.loop.nowMs;
    const before = pieces();
    while (group.loop.nowMs - beganMs < 1000) group.commitOne(group.others(victim));
    // A piece in 20 ms.
    const busy = ((pieces() - before) * 1000) / (group.loop.nowMs - beganMs);
    assert(busy >= 40 && busy <= 55, `${busy} pieces a second`);
    group.run(group.params.heartbeatMs);
    const idle = pieces();
    group.run(20);
    assert(pieces() - idle >= 100, `${pieces() - idle} pieces in 20 ms`);
  });

  test("many pieces are under way at a time, and one that is lost is soon sent again", () => {
    const state = { ...STATE, snapshotBytes: 50_000 };
    const params = { trailingEntries: 0, chunkBytesMax: 100, chunksInflightMax: 50 };
    const group = new Group(3, { state, params });
    group.network.faults = calmFaults(10);
    group.commitOne();
    const victim = group.others(group.elect().id)[0]!;
    group.isolate(victim);
    for (let i = 0; i < 30; i++) group.commitOne(group.others(victim));
    group.network.faults = { ...calmFaults(10), lossShare: 0.002 };
    group.rejoin(victim);
    const beganMs = group.loop.nowMs;
    group.agree(group.oracle.lastCommitted);
    // 500 pieces, one after the other, would take 10 s.
    assert(group.loop.nowMs - beganMs < 2500, `${group.loop.nowMs - beganMs} ms`);
    assert(group.network.byKind["snapshot"]! < 1000, `${group.network.byKind["snapshot"]} pieces`);
  });
});

test("what is kept behind a snapshot is so many entries, and so many bytes", () => {
  const start = { index: 5, term: 1 };
  const config = { voters: [1], outgoing: [], learners: [] };
  const entries = Array.from({ length: 10 }, (_, i) => {
    const data = new Uint8Array(i < 8 ? 10 : 1000);
    return { index: 6 + i, term: 1, kind: "command", data, config: undefined } as const;
  });
  const hard = { term: 1, vote: 0 };
  const log = new RaftLog({ hard, snapshot: { ...start, config, size: 0 }, base: start, entries });
  const [small, large] = [entryBytes(10), entryBytes(1000)];
  assertEquals(log.behindLast(13, 3, Infinity), 10);
  assertEquals(log.behindLast(13, 3, 2 * small), 11);
  assertEquals(log.behindLast(15, 100, 2 * large + small - 1), 13);
  assertEquals(log.behindLast(15, 100, large - 1), 15);
  assertEquals(log.behindLast(13, 100, Infinity), 5);
  assertEquals(log.behindLast(13, 0, Infinity), 13);
});
