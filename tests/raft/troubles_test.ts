/** Links that work one way, disks that are full, slow, broken or lost, clocks that run fast. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { AGREE_MS, Group, T } from "./group.ts";

describe("links", () => {
  test("a leader that is heard by nobody is replaced, and steps down", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const old = group.leader!.id;
    for (const id of group.others(old)) group.network.cutOneWay(old, id);
    const rest = group.others(old);
    const heir = group.elect(rest).id;
    group.commitOne(rest);
    group.runUntil(() => group.machine(old).node!.leader === heir, AGREE_MS, "it follows");
    group.network.mendAll();
    group.commitOne();
  });

  test("a leader that hears nobody gives up, so that another may lead", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const old = group.leader!.id;
    for (const id of group.others(old)) group.network.cutOneWay(id, old);
    group.runUntil(() => !group.machine(old).isLeader, 4 * T, "it gives up");
    const rest = group.others(old);
    group.elect(rest);
    group.commitOne(rest);
    group.network.mendAll();
    group.commitOne();
  });

  test("two nodes that do not hear each other but both hear the third disturb nobody", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const { id: leader, node } = group.leader!;
    const { term } = node!;
    const [a, b] = group.others(leader) as [number, number];
    group.network.cut(leader, a);
    group.run(20 * T);
    assertEquals(group.leader!.id, leader);
    assertEquals(group.leader!.node!.term, term);
    group.commitOne([leader, b]);
    group.network.mend(leader, a);
    group.commitOne();
    assertEquals(group.leader!.node!.term, term);
  });

  test("a link that flaps between two followers disturbs nobody", () => {
    const group = new Group(3);
    group.elect();
    const { id, node } = group.leader!;
    const { term } = node!;
    const [a, b] = group.others(id) as [number, number];
    for (let round = 0; round < 40; round++) {
      if (round % 2 === 0) group.network.cut(a, b);
      else group.network.mend(a, b);
      group.commitOne();
      group.run(100);
    }
    assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
  });

  test("a node that was cut off and comes back disturbs nobody", () => {
    const group = new Group(5);
    group.elect();
    group.commitOne();
    const { id, node } = group.leader!;
    const { term } = node!;
    const off = group.others(id)[0]!;
    group.isolate(off);
    group.run(30 * T);
    assertEquals(group.machine(off).node!.term, term);
    group.rejoin(off);
    group.run(20 * T);
    assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
  });
});

describe("disks", () => {
  test("a follower with a full disk takes nothing, keeps running, and resumes by itself", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const leader = group.leader!.id;
    const full = group.others(leader)[0]!;
    group.machine(full).disk.isFull = true;
    for (let i = 0; i < 5; i++) group.commitOne(group.others(full));
    group.run(10 * T);
    assert(group.machine(full).isUp);
    assert(group.machine(full).disk.lastIndex < group.oracle.lastCommitted);
    assertEquals(group.leader!.id, leader);
    group.machine(full).disk.isFull = false;
    group.commitOne();
  });

  test("a leader with a full disk gives up its lead, and does not come to lead again", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const old = group.leader!.id;
    group.machine(old).disk.isFull = true;
    const doubtful = group.propose(old, group.command());
    group.runUntil(() => !group.machine(old).isLeader, T, "it gives up");
    assertEquals(group.machine(old).node!.role, "follower");
    const refused = group.propose(old, group.command());
    assertEquals(refused.answer?.isAccepted, false);
    // It asked another to take over, so nobody had to wait for a time-out.
    group.runUntil(() => group.leader !== undefined, T / 2, "the heir leads");
    for (let i = 0; i < 5; i++) group.commitOne(group.others(old));
    assert(doubtful.fate !== undefined);
    const { term } = group.leader!.node!;
    group.run(10 * T);
    assertEquals(group.leader!.node!.term, term);
    group.machine(old).disk.isFull = false;
    group.commitOne();
  });

  test("a failed sync stops the node, and nothing that was pending is believed", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const victim = group.others(group.leader!.id)[0]!;
    group.machine(victim).disk.failsNext = true;
    group.commitOne(group.others(victim));
    group.run(10);
    assert(!group.machine(victim).isUp);
    group.restart(victim);
    group.commitOne();
  });

  test("a slow disk on the leader slows nobody: the others' disks commit", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const leader = group.leader!;
    leader.disk.faults = { stepMs: 2000, jitterMs: 0 };
    const { first } = group.accept(leader.id);
    group.runUntil(() => group.oracle.lastCommitted >= first, 10, "committed by the others");
    assert(leader.disk.lastIndex < first);
    const { term } = leader.node!;
    for (let i = 0; i < 20; i++) group.commitOne();
    group.run(10 * T);
    assertEquals([group.leader!.id, group.leader!.node!.term], [leader.id, term]);
  });

  test("heartbeats do not wait for a follower's slow disk", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const { id, node } = group.leader!;
    const { term } = node!;
    for (const other of group.others(id)) {
      group.machine(other).disk.faults = { stepMs: 1500, jitterMs: 0 };
    }
    for (let i = 0; i < 5; i++) group.accept(id);
    group.run(20 * T);
    assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
  });

  test("two of three disks lost: the rest refuses to go on, and invents nothing", () => {
    const group = new Group(3);
    group.elect();
    for (let i = 0; i < 3; i++) group.commitOne();
    const left = group.leader!.id;
    for (const id of group.others(left)) {
      group.crash(id);
      group.machine(id).disk.wipe({ voters: [], outgoing: [], learners: [] });
    }
    group.crash(left);
    group.ids.forEach((id) => group.restart(id));
    const { lastCommitted } = group.oracle;
    group.run(40 * T);
    assertEquals(group.leaders, []);
    assertEquals(group.oracle.lastCommitted, lastCommitted);
    for (const id of group.others(left)) {
      assertEquals(group.machine(id).node!.log.lastIndex, 0);
      assertEquals(group.machine(id).node!.vote, 0);
    }
  });

  test("one of three disks lost: its node is not brought back under its old number", () => {
    const group = new Group(3);
    group.elect();
    for (let i = 0; i < 3; i++) group.commitOne();
    const victim = group.others(group.leader!.id)[0]!;
    group.crash(victim);
    group.machine(victim).disk.wipe({ voters: [], outgoing: [], learners: [] });
    group.restart(victim);
    for (let i = 0; i < 3; i++) group.commitOne(group.others(victim));
    group.run(10 * T);
    assertEquals(group.machine(victim).node!.log.lastIndex, 0);
    assertEquals(group.machine(victim).node!.isBlank, true);
  });
});

describe("clocks", () => {
  for (const rate of [0.8, 1.25]) {
    test(`a node whose clock runs at ${rate} disturbs nobody`, () => {
      const clockOf = (id: number) => ({
        clockOriginMs: 1000 * id,
        clockRate: id === 2 ? rate : 1,
      });
      const group = new Group(3, { clockOf });
      group.elect();
      group.commitOne();
      const { id, node } = group.leader!;
      const { term } = node!;
      group.run(40 * T);
      group.commitOne();
      assertEquals([group.leader!.id, group.leader!.node!.term], [id, term]);
      group.crash(id);
      group.commitOne(group.others(id));
    });
  }
});
