/** What is agreed on while nodes and links come and go. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { accepted, Group, T } from "./group.ts";

describe("agreement", () => {
  test("basic: three commands get the indexes behind the leader's empty entry, none before", () => {
    const group = new Group(5);
    const leader = group.elect();
    for (const index of [2, 3, 4]) {
      assert(group.ids.every((id) => group.machine(id).node!.commit < index));
      assertEquals(group.accept(leader.id).first, index);
      group.agree(index);
    }
  });

  test("bytes: 10 commands of 5,000 bytes cost at most 200,000 bytes on the wire", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const before = group.network.sentBytes;
    for (let i = 0; i < 10; i++) group.commitOne(group.ids, 5000);
    const bytes = group.network.sentBytes - before;
    assert(bytes <= 200_000, `${bytes} bytes`);
  });

  test("follower failure: with one cut it goes on, with two nothing commits, then one outcome", () => {
    const group = new Group(3);
    const leader = group.elect().id;
    const [first, second] = group.others(leader) as [number, number];
    group.isolate(first);
    for (let i = 0; i < 3; i++) group.commitOne([leader, second]);
    group.isolate(second);
    const doubtful = group.propose(leader, group.command());
    const { commit } = group.machine(leader).node!;
    group.run(10 * T);
    assert(group.ids.every((id) => group.machine(id).node!.commit <= commit));
    assertEquals(doubtful.fate, "unknown");
    group.network.mendAll();
    group.commitOne();
  });

  test("leader failure: with one cut it goes on, with two nothing commits, then one outcome", () => {
    const group = new Group(3);
    const first = group.elect().id;
    group.isolate(first);
    const second = group.elect(group.others(first)).id;
    const committed = group.commitOne(group.others(first));
    group.isolate(second);
    const proposals = group.ids.map((id) => group.propose(id, group.command()));
    group.run(10 * T);
    assert(group.ids.every((id) => group.machine(id).node!.commit <= committed));
    assert(proposals.every(({ fate }) => fate !== "committed"));
    group.network.mendAll();
    group.commitOne();
    for (const { answer, fate } of proposals) assert(!answer?.isAccepted || fate !== undefined);
  });

  test("agreement: a follower that was off agrees when it is back", () => {
    const group = new Group(5);
    const leader = group.elect().id;
    const off = group.others(leader)[0]!;
    group.isolate(off);
    for (let i = 0; i < 4; i++) group.commitOne(group.others(off));
    group.run(4 * T);
    for (let i = 0; i < 2; i++) group.commitOne(group.others(off));
    group.rejoin(off);
    group.commitOne();
  });

  test("no agreement with 3 of 5 off: nothing commits for 2 s, then all agree", () => {
    const group = new Group(5);
    group.elect();
    group.commitOne();
    const leader = group.leader!.id;
    const off = group.others(leader).slice(0, 3);
    off.forEach((id) => group.isolate(id));
    const doubtful = group.accept(leader);
    assertEquals(doubtful.first, 3);
    const { lastCommitted } = group.oracle;
    group.run(2000);
    assertEquals(group.oracle.lastCommitted, lastCommitted);
    group.network.mendAll();
    group.elect();
    // The index in doubt may have been taken by a new leader's empty entry.
    const index = group.commitOne();
    assert(index === 4 || index === 5, `index ${index}`);
  });

  test("concurrent: 5 proposals at once in one term are committed at 5 indexes", () => {
    const group = new Group(3);
    const leader = group.elect();
    const proposals = [1, 2, 3, 4, 5].map(() => group.propose(leader.id, group.command()));
    const answers = proposals.map(accepted);
    assertEquals(new Set(answers.map(({ term }) => term)).size, 1);
    group.agree(answers.at(-1)!.last);
    assert(proposals.every(({ fate }) => fate === "committed"));
    assertEquals(new Set(answers.map(({ first }) => first)).size, 5);
  });

  test("rejoin: what a cut-off leader could not commit is overwritten, and its proposers told", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const old = group.leader!.id;
    group.isolate(old);
    const lost = [1, 2, 3].map(() => group.propose(old, group.command()));
    const rest = group.others(old);
    group.elect(rest);
    group.commitOne(rest);
    const current = group.leaders.find(({ id }) => rest.includes(id))!.id;
    // Now the new leader is cut off, and the old one with what nobody agreed to comes back.
    group.split([old, rest.find((id) => id !== current)!]);
    group.commitOne([old, rest.find((id) => id !== current)!]);
    group.network.mendAll();
    group.commitOne();
    for (const proposal of lost) {
      accepted(proposal);
      assertEquals(proposal.fate, "lost");
      // First that the lead was gone, then the truth.
      assertEquals(proposal.told, 2);
    }
  });

  test("back-off: 50 + 50 + 50 conflicting entries are repaired by terms, not one by one", () => {
    const group = new Group(5);
    group.elect();
    group.commitOne();
    const a = group.leader!.id;
    const [b, c, d, e] = group.others(a) as [number, number, number, number];
    group.split([a, b], [c, d, e]);
    for (let i = 0; i < 50; i++) group.accept(a);
    group.run(10);
    const second = group.elect([c, d, e]).id;
    for (let i = 0; i < 50; i++) group.commitOne([c, d, e]);
    const lagging = [c, d, e].find((id) => id !== second)!;
    const other = [c, d, e].find((id) => id !== second && id !== lagging)!;
    group.split([second, other], [lagging]);
    for (let i = 0; i < 50; i++) group.accept(second);
    group.run(10);
    // Those of the first partition, with the one that holds what was committed.
    group.split([a, b, lagging]);
    group.elect([a, b, lagging]);
    for (let i = 0; i < 50; i++) group.commitOne([a, b, lagging]);
    group.network.mendAll();
    group.agree(group.commitOne());
    const refusals = group.network.byKind["refused"]!;
    assert(refusals >= 2 && refusals <= 12, `${refusals} refusals`);
  });
});
