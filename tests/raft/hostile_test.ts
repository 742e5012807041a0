/** From the wire nothing ends a node, and nothing grows without a limit. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { type Config, type Entry, type Message, NUMBER_MAX } from "../../raft/mod.ts";
import { Bare, entry, held, sent, THREE } from "./bare.ts";
import { Group } from "./group.ts";

/** A number that may be sensible, small, negative or beyond everything. */
function anyNumber(random: Random): number {
  const odd = [-1, 0, 1, 2, NUMBER_MAX, NUMBER_MAX - 1, Number.MAX_SAFE_INTEGER];
  if (chance(random, 0.15)) return odd[integerBetween(random, 0, odd.length - 1)]!;
  return integerBetween(random, 0, 12);
}

function anyConfig(random: Random): Config {
  const nodes = (): number[] =>
    Array.from({ length: integerBetween(random, 0, 3) }, () => anyNumber(random));
  return { voters: nodes(), outgoing: chance(random, 0.2) ? nodes() : [], learners: nodes() };
}

function anyEntries(random: Random, prevIndex: number): Entry[] {
  return Array.from({ length: integerBetween(random, 0, 4) }, (_, i) => {
    const index = chance(random, 0.9) ? prevIndex + 1 + i : anyNumber(random);
    return entry(index, chance(random, 0.8) ? 1 : anyNumber(random));
  });
}

function anyMessage(random: Random): Message {
  const n = (): number => anyNumber(random);
  const flag = (): boolean => chance(random, 0.5);
  const term = n();
  const prevIndex = n();
  const data = new Uint8Array(integerBetween(random, 0, 9));
  const meta = { index: n(), term: n(), config: anyConfig(random), size: n() };
  const refused = { prevIndex, conflictTerm: n(), conflictIndex: n(), lastIndex: n() };
  const all: Message[] = [
    {
      kind: "append",
      term,
      prevIndex,
      prevTerm: n(),
      commit: n(),
      entries: anyEntries(random, prevIndex),
    },
    { kind: "appended", term, index: n() },
    { kind: "refused", term, ...refused, blank: flag() },
    { kind: "heartbeat", term, commit: n(), round: n() },
    { kind: "heard", term, round: n() },
    { kind: "vote", term, pre: flag(), transfer: flag(), lastIndex: n(), lastTerm: n() },
    { kind: "voted", term, pre: flag(), granted: flag() },
    { kind: "takeOver", term },
    { kind: "snapshot", term, meta, offset: n(), data },
    { kind: "chunked", term, index: n(), offset: n() },
    { kind: "askRead", term, batch: n() },
    { kind: "readAt", term, batch: n(), index: n() },
  ];
  return all[integerBetween(random, 0, all.length - 1)]!;
}

describe("hostile messages", () => {
  test("200,000 of any kind, with numbers of any size, end no node", () => {
    const rejected: Record<string, number> = {};
    for (let seed = 1; seed <= 1000; seed++) {
      const random = seededRandom(seed);
      const bare = new Bare(held([1, 1, 1, 2]), { heldMax: 16, readsMax: 16 });
      if (seed % 3 === 0) bare.lead();
      for (let i = 0; i < 200; i++) {
        bare.receive(integerBetween(random, 1, 4), anyMessage(random));
        if (chance(random, 0.1)) bare.wait(integerBetween(random, 0, 300));
      }
      for (const [why, count] of Object.entries(bare.node.rejected)) {
        rejected[why] = (rejected[why] ?? 0) + count;
      }
    }
    for (const why of ["malformed", "contradicts", "second leader", "beyond log"]) {
      assert(rejected[why]! > 10, `${why}: ${rejected[why]}`);
    }
  });

  test("a term beyond all terms is not followed", () => {
    const bare = new Bare(held([1]));
    bare.receive(2, { kind: "heard", term: NUMBER_MAX, round: 0 });
    assertEquals(bare.node.term, 1);
    assertEquals(bare.node.rejected.malformed, 1);
    bare.receive(2, { kind: "heard", term: 1000, round: 0 });
    assertEquals(bare.node.term, 1000);
  });

  test("an append that contradicts what is committed is refused, counted, and changes nothing", () => {
    const bare = new Bare(held([1, 1]));
    const append = { kind: "append", term: 1, prevIndex: 2, prevTerm: 1, commit: 2 } as const;
    bare.receive(2, { ...append, entries: [] });
    assertEquals(bare.node.commit, 2);
    bare.receive(2, { ...append, prevIndex: 1, entries: [entry(2, 1), entry(3, 1)] });
    assertEquals(bare.node.log.lastIndex, 3);
    const bad = { ...append, term: 2, prevIndex: 0, prevTerm: 0 };
    const effects = bare.receive(3, { ...bad, entries: [entry(1, 2), entry(2, 2), entry(3, 2)] });
    assertEquals(sent(effects, "appended"), []);
    assertEquals(bare.node.rejected.contradicts, 1);
    assertEquals([bare.node.log.lastIndex, bare.node.log.lastTerm], [3, 1]);
  });

  test("an acknowledgement of what the leader does not have is refused and counted", () => {
    const bare = new Bare(held([1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 99 });
    assertEquals(bare.node.rejected.malformed, 1);
    bare.receive(3, { kind: "appended", term, index: 99 });
    assertEquals(bare.node.commit, 0);
    const next = bare.tell({ kind: "propose", id: 1, commands: [new Uint8Array(1)] });
    assertEquals(sent(next, "append"), []);
  });

  test("a second leader of the same term is refused and counted", () => {
    const bare = new Bare(held([1]));
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    assertEquals(bare.receive(3, { kind: "heartbeat", term: 1, commit: 0, round: 1 }), []);
    assertEquals(bare.node.leader, 2);
    assertEquals(bare.node.rejected["second leader"], 1);
  });
});

describe("limits", () => {
  test("proposals: too large, too many bytes uncommitted, a log that is overdue", () => {
    const limits = { entryBytesMax: 100, appendBytesMax: 200, uncommittedBytesMax: 1000 };
    const bare = new Bare(held([]), { ...limits, logBytesMax: 3000, trailingEntries: 1000 });
    const term = bare.lead();
    let id = 0;
    const propose = (count: number, bytes: number): string => {
      const commands = Array.from({ length: count }, () => new Uint8Array(bytes));
      const effects = bare.tell({ kind: "propose", id: ++id, commands });
      const answer = effects.find((effect) => effect.kind === "proposed" && effect.id === id);
      assert(answer?.kind === "proposed");
      return answer.isAccepted ? "accepted" : answer.why;
    };
    assertEquals(propose(0, 0), "invalid");
    assertEquals(propose(1, 101), "too large");
    assertEquals(propose(7, 100), "accepted");
    assertEquals(propose(7, 100), "overloaded");
    assertEquals(propose(1, 1), "accepted");
    bare.receive(2, { kind: "appended", term, index: bare.node.log.lastIndex });
    // What is committed makes room, until the log is full: then a snapshot must come first.
    let accepted = 0;
    while (propose(5, 100) === "accepted") {
      accepted++;
      bare.receive(2, { kind: "appended", term, index: bare.node.log.lastIndex });
    }
    assertEquals(accepted, 4);
    assert(bare.node.log.bytes >= 3000);
    bare.tell({ kind: "snapshotTaken", index: bare.node.applied, size: 10 });
    assertEquals(bare.node.log.bytes, 0);
    assertEquals(propose(1, 100), "accepted");
  });

  test("appends to a peer: as many, and as many bytes, as may be under way; none above its size", () => {
    const limits = { entryBytesMax: 100, appendBytesMax: 300, inflightMax: 3 };
    const bare = new Bare(held([]), { ...limits, inflightBytesMax: 10_000 });
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 1 });
    const commands = Array.from({ length: 50 }, () => new Uint8Array(100));
    const first = sent(bare.tell({ kind: "propose", id: 1, commands }), "append", 2);
    assertEquals(
      first.map(({ entries }) => entries.length),
      [2, 2, 2],
    );
    // The third peer has not answered its probe, and gets nothing more.
    const more = bare.receive(2, { kind: "appended", term, index: 5 });
    assertEquals(
      sent(more, "append", 2).map(({ prevIndex }) => prevIndex),
      [7, 9],
    );
    assertEquals(sent(more, "append", 3), []);
    const tight = new Bare(held([]), { ...limits, inflightMax: 50, inflightBytesMax: 400 });
    const tightTerm = tight.lead();
    tight.receive(2, { kind: "appended", term: tightTerm, index: 1 });
    const few = sent(tight.tell({ kind: "propose", id: 1, commands }), "append", 2);
    assertEquals(few.length, 2);
  });

  test("answers that wait for a disk are dropped above their limit", () => {
    const bare = new Bare(held([1]), { heldMax: 5 });
    bare.storesAtOnce = false;
    const append = { kind: "append", term: 1, prevIndex: 1, prevTerm: 1, commit: 0 } as const;
    for (let i = 0; i < 20; i++) bare.receive(2, { ...append, entries: [entry(2, 1)] });
    assertEquals(bare.node.out.held, 5);
    assertEquals(bare.node.keeper.dropped, 15);
    assertEquals(sent(bare.stored(), "appended").length, 5);
  });

  test("one slow follower slows nobody: what it is sent is bounded, the others go on", () => {
    const group = new Group(3);
    group.elect();
    group.commitOne();
    const leader = group.leader!.id;
    const slow = group.others(leader)[0]!;
    group.isolate(slow);
    const before = group.network.lost;
    for (let i = 0; i < 200; i++) group.commitOne(group.others(slow), 1000);
    // To a peer that does not answer go heartbeats and now and then a question.
    const beats = group.loop.nowMs / 100;
    assert(group.network.lost - before < 64 + 4 * beats, `${group.network.lost - before} lost`);
    group.rejoin(slow);
    group.commitOne();
  });

  test("a configuration has its limit", () => {
    const group = new Group(3, { params: { membersMax: 4 } });
    group.elect();
    group.commitOne();
    const { id } = group.leader!;
    assertEquals(group.change(id, [1, 2, 3], [4, 5]).why, "invalid");
    assertEquals(THREE.voters.length, 3);
  });
});
