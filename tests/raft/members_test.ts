/** Members come and go, the lead is handed over, all of it under load. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { Errand, Proposal } from "../../sim/raft/world.ts";
import { Bare, held, sent } from "./bare.ts";
import { AGREE_MS, Group, T } from "./group.ts";

/** Proposes on the leader, every few milliseconds, for as long as the group runs. */
function load(group: Group): Proposal[] {
  const proposals: Proposal[] = [];
  const next = (): void => {
    for (const { id } of group.leaders) proposals.push(group.propose(id, group.command()));
    group.loop.after(5, next);
  };
  next();
  return proposals;
}

/** Changes the members at the leader, again when the lead is lost meanwhile. */
function change(group: Group, voters: number[], learners: number[] = []): void {
  let errand: Errand | undefined;
  const isDone = (): boolean => {
    const { leader } = group;
    if (errand?.outcome === "done") return true;
    const isOpen = errand !== undefined && errand.outcome === undefined;
    if (leader !== undefined && !isOpen) errand = group.change(leader.id, voters, learners);
    return false;
  };
  group.runUntil(isDone, 2 * AGREE_MS, `members ${voters.join()}`);
  assertEquals(group.oracle.config.voters.toSorted(), voters.toSorted());
  assertEquals(group.oracle.config.outgoing, []);
}

/** Everything that was accepted is settled, most of it well. */
function expectServed(group: Group, proposals: readonly Proposal[]): void {
  group.run(2 * T);
  const taken = proposals.filter(({ answer }) => answer?.isAccepted);
  const good = taken.filter(({ fate }) => fate === "committed");
  assert(good.length > 20, `${good.length} committed`);
  assert(good.length > taken.length * 0.8, `${good.length} of ${taken.length} committed`);
}

describe("members", () => {
  test("add, promote, remove, remove the leader, all under load", () => {
    const group = new Group(3, { spares: 2 });
    const proposals = load(group);
    group.elect([1, 2, 3]);
    change(group, [1, 2, 3], [4]);
    group.runUntil(() => (group.machine(4).node?.applied ?? 0) > 3, AGREE_MS, "the learner learns");
    change(group, [1, 2, 3, 4]);
    change(group, [1, 2, 3, 4, 5]);
    const follower = group.ids.find((id) => id !== group.leader!.id)!;
    const four = group.others(follower);
    change(group, four);
    const old = group.leader!.id;
    const three = four.filter((id) => id !== old);
    change(group, three);
    group.runUntil(() => group.leader !== undefined && group.leader.id !== old, AGREE_MS, "heir");
    assert(three.includes(group.leader!.id));
    group.run(10 * T);
    assert(three.includes(group.leader!.id));
    assertEquals(group.leaders.length, 1);
    expectServed(group, proposals);
  });

  test("a voter becomes a learner and a voter again", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const { id } = group.leader!;
    const [a, b] = group.others(id) as [number, number];
    change(group, [id, a], [b]);
    group.commitOne();
    change(group, [id, a, b]);
    group.commitOne();
  });

  test("from one node to three and back, without a stop", () => {
    const group = new Group(1, { spares: 2 });
    const proposals = load(group);
    group.elect([1]);
    change(group, [1, 2, 3]);
    group.agree(group.oracle.lastCommitted);
    const { id } = group.leader!;
    group.crash(id);
    group.elect(group.others(id));
    group.restart(id);
    change(group, [2]);
    group.runUntil(() => group.leader?.id === 2, AGREE_MS, "the last one leads");
    expectServed(group, proposals);
  });

  test("a fresh group of three starts, a fourth node joins", () => {
    const group = new Group(3, { spares: 1, state: SNAPSHOTTING });
    group.elect([1, 2, 3]);
    for (let i = 0; i < 30; i++) group.commitOne([1, 2, 3]);
    assertEquals(group.machine(4).node!.isBlank, true);
    change(group, [1, 2, 3, 4]);
    group.commitOne();
    assertEquals(group.machine(4).node!.isBlank, false);
  });

  test("a removed node disturbs nobody, whether or not it knows that it is removed", () => {
    for (const knows of [true, false]) {
      const group = new Group(4);
      group.elect();
      group.commitOne();
      const { id } = group.leader!;
      const out = group.others(id)[0]!;
      if (!knows) group.isolate(out);
      change(group, group.others(out));
      group.run(T);
      const { term } = group.leader!.node!;
      assertEquals(group.machine(out).node!.config.voters.includes(out), !knows);
      group.network.mendAll();
      group.run(30 * T);
      assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
      // Nor when the leader dies and a new one must be found.
      group.crash(id);
      const rest = group.others(out, id);
      const heir = group.elect(rest).id;
      group.run(10 * T);
      assertEquals(group.leader!.id, heir);
    }
  });

  test("a dead node that is to be a voter holds nothing up, and the change is given up", () => {
    const group = new Group(3, { spares: 1, params: { catchUpMs: 2000 } });
    group.elect([1, 2, 3]);
    group.commitOne([1, 2, 3]);
    group.crash(4);
    const errand = group.change(group.leader!.id, [1, 2, 3, 4]);
    for (let i = 0; i < 10; i++) group.commitOne([1, 2, 3]);
    group.runUntil(() => errand.outcome !== undefined, 3000, "it is given up");
    assertEquals([errand.outcome, errand.why], ["refused", "timed out"]);
    assertEquals(group.oracle.config, { voters: [1, 2, 3], outgoing: [], learners: [4] });
    change(group, [1, 2, 3]);
    group.commitOne([1, 2, 3]);
  });

  test("a joint configuration survives the restart of all, and the new leader ends it", () => {
    const group = new Group(3, { spares: 2 });
    group.elect([1, 2, 3]);
    group.commitOne([1, 2, 3]);
    group.change(group.leader!.id, [1, 4, 5]);
    const isJoint = (): boolean => group.oracle.config.outgoing.length > 0;
    group.runUntil(isJoint, AGREE_MS, "the joint configuration is committed");
    group.ids.forEach((id) => group.crash(id));
    group.ids.forEach((id) => group.restart(id));
    group.runUntil(() => !isJoint(), AGREE_MS, "it is left");
    assertEquals(group.oracle.config.voters, [1, 4, 5]);
    group.commitOne([1, 4, 5]);
  });

  test("a leader that removes itself crashes, and only a removed node has the last entry", () => {
    const group = new Group(4);
    group.elect();
    group.commitOne();
    const leader = group.leader!;
    const [a, b, c] = group.others(leader.id) as [number, number, number];
    group.change(leader.id, [a, b]);
    const joint = leader.node!.log.lastIndex;
    const isSent = (): boolean => [a, b].every((id) => group.machine(id).disk.lastIndex === joint);
    while (!isSent()) group.run(0.1);
    // From now on only the node that is removed with it hears the leader.
    group.network.cutOneWay(leader.id, a);
    group.network.cutOneWay(leader.id, b);
    group.runUntil(() => group.machine(c).disk.lastIndex === joint + 1, T, "the last step");
    group.crash(leader.id);
    assertEquals(group.machine(c).node!.config, { voters: [a, b], outgoing: [], learners: [] });
    assertEquals(group.machine(a).node!.log.lastIndex, joint);
    group.commitOne([a, b]);
    assertEquals(group.oracle.config.voters, [a, b]);
    assert([a, b].includes(group.leader!.id));
  });

  test("an uncommitted configuration goes with its entry", () => {
    const group = new Group(3, { spares: 1 });
    group.elect([1, 2, 3]);
    group.commitOne([1, 2, 3]);
    const old = group.leader!.id;
    const rest = [1, 2, 3].filter((id) => id !== old);
    group.isolate(old);
    const errand = group.change(old, [1, 2, 3], [4]);
    assertEquals(group.machine(old).node!.config.learners, [4]);
    group.elect(rest);
    group.commitOne(rest);
    group.rejoin(old);
    group.commitOne([1, 2, 3]);
    assertEquals(errand.outcome, "unknown");
    assertEquals(group.machine(old).node!.config.learners, []);
  });

  test("nonsense is refused: no voters, a node twice, a change within a change, a follower", () => {
    const group = new Group(3);
    const leader = group.elect().id;
    group.commitOne();
    const why = (voters: number[], learners: number[] = [], at = leader): string | undefined =>
      group.change(at, voters, learners).why;
    assertEquals(why([]), "invalid");
    assertEquals(why([1, 1]), "invalid");
    assertEquals(why([1, 2], [2]), "invalid");
    assertEquals(why([1, 0]), "invalid");
    assertEquals(why([1, 2], [], group.others(leader)[0]), "not leader");
    group.change(leader, [leader]);
    assertEquals(why([1, 2]), "changing");
  });
});

const SNAPSHOTTING = { snapshotEvery: 10, snapshotBytes: 300, snapshotMs: 2, applyMs: 0 };

describe("transfer", () => {
  test("the lead is handed over while proposals flow, without a wait for a time-out", () => {
    const group = new Group(5);
    const proposals = load(group);
    group.elect();
    group.run(200);
    for (let round = 0; round < 6; round++) {
      const from = group.leader!.id;
      const to = round % 2 === 0 ? group.others(from)[round % 4]! : 0;
      const errand = group.transfer(from, to);
      group.runUntil(() => (group.leader?.id ?? from) !== from, T / 2, "another leads");
      if (to !== 0) assertEquals(group.leader!.id, to);
      group.run(100);
      assertEquals(errand.outcome, "done");
    }
    expectServed(group, proposals);
  });

  test("a transfer to a node that does not answer is given up, and the leader leads on", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const { id, node } = group.leader!;
    const { term } = node!;
    const dead = group.others(id)[0]!;
    group.crash(dead);
    group.accept(id);
    const errand = group.transfer(id, dead);
    assertEquals(group.propose(id, group.command()).answer?.isAccepted, false);
    group.runUntil(() => errand.outcome !== undefined, 3 * T, "it is given up");
    assertEquals([errand.outcome, errand.why], ["refused", "timed out"]);
    group.commitOne(group.others(dead));
    assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
  });

  test("the heir is asked again when the first request is lost", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    group.run(T);
    const leader = group.leader!.id;
    const heir = group.others(leader)[0]!;
    group.network.cutOneWay(leader, heir);
    const errand = group.transfer(leader, heir);
    group.run(10);
    group.network.mendAll();
    group.runUntil(() => group.leader?.id === heir, T, "the heir leads");
    assertEquals(errand.outcome, "done");
  });

  test("the heir is asked when it has the whole log, not before", () => {
    const bare = new Bare(held([1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 2 });
    assertEquals(sent(bare.tell({ kind: "transfer", id: 1, to: 2 }), "takeOver"), []);
    assertEquals(
      sent(bare.receive(2, { kind: "appended", term, index: 3 }), "takeOver", 2).length,
      1,
    );
  });

  test("a learner and a stranger are refused", () => {
    const group = new Group(3, { spares: 1 });
    group.elect([1, 2, 3]);
    group.commitOne([1, 2, 3]);
    change(group, [1, 2, 3], [4]);
    const leader = group.leader!.id;
    assertEquals(group.transfer(leader, 4).why, "invalid");
    assertEquals(group.transfer(leader, 9).why, "invalid");
  });
});
