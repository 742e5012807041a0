/** Who leads: the first election, the next ones, and what they cost. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { AGREE_MS, Group, T } from "./group.ts";

describe("elections", () => {
  test("initial election: one leader, one term, stable for 20 T", () => {
    const group = new Group(3);
    const leader = group.elect();
    const { term } = leader.node!;
    group.run(T);
    for (const id of group.ids) assertEquals(group.machine(id).node!.term, term);
    group.run(20 * T);
    assertEquals(group.leaders, [leader]);
    assertEquals(leader.node!.term, term);
  });

  test("re-election: a leader is replaced, comes back and follows; without a quorum none leads", () => {
    const group = new Group(3);
    const first = group.elect().id;
    group.isolate(first);
    const rest = group.others(first);
    const second = group.elect(rest).id;
    group.rejoin(first);
    group.runUntil(() => group.machine(first).node!.leader === second, AGREE_MS, "it follows");
    assertEquals(group.leader!.id, second);

    const third = group.others(second)[0]!;
    group.isolate(second);
    group.isolate(third);
    group.run(4 * T);
    assertEquals(group.leaders, []);
    group.run(10 * T);
    assertEquals(group.leaders, []);

    group.rejoin(third);
    group.network.cut(third, second);
    group.elect(group.others(second));
    group.rejoin(second);
    group.commitOne();
  });

  test("many elections: 9 rounds with 3 of 7 cut, always one leader among the rest", () => {
    const group = new Group(7);
    group.elect();
    const random = seededRandom(9);
    for (let round = 0; round < 9; round++) {
      const rest = group.ids;
      const cut = [1, 2, 3].map(
        () => rest.splice(integerBetween(random, 0, rest.length - 1), 1)[0]!,
      );
      group.split(rest);
      const leader = group.elect(rest);
      group.run(4 * T);
      assertEquals(
        group.leaders.filter(({ id }) => rest.includes(id)),
        [leader],
      );
      assertEquals(
        group.leaders.filter(({ id }) => cut.includes(id)),
        [],
      );
      group.network.mendAll();
    }
    group.commitOne();
  });

  test("message count: to elect, to agree on 10 commands at once, to be idle", () => {
    const group = new Group(3);
    const leader = group.elect();
    assert(group.pairs <= 30, `${group.pairs} pairs to elect`);
    group.commitOne();

    let before = group.pairs;
    const proposals = Array.from({ length: 10 }, () => group.accept(leader.id));
    group.agree(proposals.at(-1)!.last);
    assert(group.pairs - before <= 42, `${group.pairs - before} pairs for 10 commands`);

    before = group.pairs;
    group.run(1000);
    assert(group.pairs - before <= 60, `${group.pairs - before} pairs in an idle second`);
  });

  test("in peace every other beat is answered; every one where a node is silent, or for leases", () => {
    const answered = (group: Group, ids: number[]): [beats: number, answers: number] => {
      group.commitOne(ids);
      group.run(T);
      const { heartbeat: beats = 0, heard: answers = 0 } = group.network.byKind;
      group.run(2000);
      const { byKind } = group.network;
      return [byKind["heartbeat"]! - beats, byKind["heard"]! - answers];
    };
    const group = new Group(3);
    const leader = group.elect().id;
    assertEquals(answered(group, group.ids), [40, 20]);
    const cut = group.others(leader)[0]!;
    group.isolate(cut);
    assertEquals(answered(group, group.others(cut)), [40, 20]);
    assertEquals(group.leader!.id, leader);
    const leasing = new Group(3, { params: { leaseClockRatio: 1.25 } });
    leasing.elect();
    assertEquals(answered(leasing, leasing.ids), [40, 40]);
  });

  test("a single node leads itself", () => {
    const group = new Group(1);
    assertEquals(group.elect().id, 1);
    assertEquals(group.commitOne(), 2);
    group.crash(1);
    group.restart(1);
    assertEquals(group.commitOne(), 4);
  });
});
