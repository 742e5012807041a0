/** Crashes: what was durable is there, what was told is kept. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { chance, integerBetween, seededRandom } from "../../base/random.ts";
import type { NodeId } from "../../raft/mod.ts";
import type { Faults } from "../../base/link.ts";
import type { Proposal } from "../../sim/raft/world.ts";
import { Group, LATE, LOSSY, T } from "./group.ts";

/** Crashes and starts again, at once. */
function reboot(group: Group, ids: readonly NodeId[]): void {
  ids.forEach((id) => group.crash(id));
  ids.forEach((id) => group.restart(id));
}

/** The term of what each proposer was told is committed, against what is in the end. */
function expectKept(group: Group, proposals: readonly Proposal[], least = 1): void {
  let told = 0;
  for (const { fate, answer } of proposals) {
    if (fate !== "committed" || !answer?.isAccepted) continue;
    told++;
    assertEquals(group.oracle.committed[answer.first]!.entry.term, answer.term);
  }
  assert(told >= least, `${told} were told, expected at least ${least}`);
}

describe("persistence", () => {
  test("1: three nodes crash and restart, all and one by one, and go on where they were", () => {
    const group = new Group(3);
    group.elect();
    const first = group.commitOne();
    reboot(group, group.ids);
    assert(group.commitOne() > first);
    const leader = group.elect().id;
    reboot(group, [leader]);
    const third = group.commitOne();
    const other = group.others(group.elect().id)[0]!;
    group.crash(other);
    group.commitOne(group.others(other));
    group.restart(other);
    assert(group.commitOne() > third);
  });

  test("2: five rounds of two down, three down, restarts", () => {
    const group = new Group(5);
    for (let round = 0; round < 5; round++) {
      const leader = group.elect().id;
      group.commitOne();
      const [a, b, c, d] = group.others(leader) as [number, number, number, number];
      group.crash(a);
      group.crash(b);
      group.commitOne([leader, c, d]);
      [leader, c, d].forEach((id) => group.crash(id));
      group.restart(a);
      group.restart(b);
      const { lastCommitted } = group.oracle;
      group.run(2 * T);
      assertEquals(group.oracle.lastCommitted, lastCommitted);
      group.restart(c);
      group.commitOne([a, b, c]);
      group.restart(leader);
      group.restart(d);
    }
    group.commitOne();
  });

  test("3: partitioned leader and follower crash, the leader restarts and has what was agreed", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const leader = group.leader!.id;
    const [near, far] = group.others(leader) as [number, number];
    group.isolate(far);
    group.commitOne([leader, near]);
    group.crash(leader);
    group.crash(near);
    group.network.mendAll();
    group.restart(leader);
    group.commitOne([leader, far]);
    group.restart(near);
    group.commitOne();
  });
});

/** Figure 8 of the paper: leaders crash soon after they took a command, at every stage of it. */
function figure8(seed: number, rounds: number, faults: Faults | undefined): void {
  const group = new Group(5, { seed });
  const random = seededRandom(seed, 8);
  group.commitOne();
  if (faults !== undefined) group.network.faults = faults;
  const proposals: Proposal[] = [];
  for (let round = 0; round < rounds; round++) {
    if (faults !== undefined && round === rounds >> 1) group.network.answerFaults = LATE;
    for (const { id } of group.leaders) proposals.push(group.propose(id, group.command()));
    const leader = group.leader?.id;
    group.run(chance(random, 0.1) ? integerBetween(random, 0, 500) : integerBetween(random, 0, 12));
    if (leader !== undefined) group.crash(leader);
    const up = group.ids.filter((id) => group.machine(id).isUp);
    const down = group.ids.filter((id) => !group.machine(id).isUp);
    if (up.length < 3) group.restart(down[integerBetween(random, 0, down.length - 1)]!);
  }
  group.ids.forEach((id) => group.restart(id));
  group.network.calm({ ...LOSSY, lossShare: 0 });
  group.commitOne();
  // On the bad network hardly a leader lives long enough to tell anybody anything.
  expectKept(group, proposals, faults === undefined ? 20 : 0);
  assert(group.oracle.elections >= 10, `${group.oracle.elections} elections`);
  assert(proposals.length >= 10, `${proposals.length} proposals`);
}

describe("figure 8", () => {
  test("1,000 rounds on a reliable network", () => figure8(1, 1000, undefined));
  test("1,000 rounds on a lossy network, with replies late by seconds", () => {
    figure8(2, 1000, LOSSY);
  });
});

describe("an unreliable network", () => {
  test("250 commands concurrently on a lossy network are agreed on", () => {
    const group = new Group(5);
    group.network.faults = LOSSY;
    group.elect();
    const proposals: Proposal[] = [];
    for (let round = 0; round < 50; round++) {
      const leader = group.elect().id;
      for (let i = 0; i < 5; i++) proposals.push(group.propose(leader, group.command()));
      group.run(20);
    }
    group.network.calm({ ...LOSSY, lossShare: 0 });
    group.commitOne();
    const committed = proposals.filter(({ fate }) => fate === "committed").length;
    assert(committed >= 200, `${committed} of 250`);
    assert(proposals.every(({ answer, fate }) => !answer?.isAccepted || fate !== undefined));
    expectKept(group, proposals);
  });

  for (const faults of [undefined, LOSSY]) {
    const name = faults === undefined ? "reliable" : "lossy";
    test(`churn, ${name}: three clients, 20 rounds of cuts, crashes and restarts`, () => {
      const group = new Group(5);
      if (faults !== undefined) group.network.faults = faults;
      const random = seededRandom(7);
      const proposals: Proposal[] = [];
      for (let round = 0; round < 20; round++) {
        for (let step = 0; step < 10; step++) {
          for (let client = 0; client < 3; client++) {
            for (const { id } of group.leaders) proposals.push(group.propose(id, group.command()));
          }
          group.run(integerBetween(random, 5, 60));
        }
        const id = integerBetween(random, 1, 5);
        if (chance(random, 0.2)) group.isolate(id);
        if (chance(random, 0.5)) group.rejoin(integerBetween(random, 1, 5));
        if (chance(random, 0.2)) group.crash(id);
        if (chance(random, 0.6)) group.restart(integerBetween(random, 1, 5));
      }
      group.network.mendAll();
      group.ids.forEach((id) => group.restart(id));
      group.network.calm({ ...LOSSY, lossShare: 0 });
      group.commitOne();
      expectKept(group, proposals);
    });
  }
});
