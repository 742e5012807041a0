/** Mistakes that published implementations of Raft made: each must stay out of this one. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { SnapshotMeta } from "../../raft/mod.ts";
import { Bare, entry, held, sent, steps, THREE } from "./bare.ts";

const NOTHING = new Uint8Array(0);

describe("mistakes of leaders:", () => {
  test("committing an old term's entry by count (figure 8)", () => {
    const bare = new Bare(held([1, 2]));
    const term = bare.lead();
    assertEquals(term, 3);
    // Both others hold entry 2 of term 2, and that is no commit.
    bare.receive(2, { kind: "appended", term, index: 2 });
    bare.receive(3, { kind: "appended", term, index: 2 });
    assertEquals(bare.node.commit, 0);
    // An entry of the leader's own term takes them with it.
    bare.receive(2, { kind: "appended", term, index: 3 });
    assertEquals(bare.node.commit, 3);
  });

  test("moving the next index back on a late reply", () => {
    const bare = new Bare(held([1, 1, 1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 5 });
    const late = {
      kind: "refused",
      term,
      prevIndex: 4,
      conflictTerm: 0,
      conflictIndex: 0,
    } as const;
    const effects = bare.receive(2, { ...late, lastIndex: 1, blank: false });
    assertEquals(sent(effects, "append"), []);
    const next = bare.tell({ kind: "propose", id: 1, commands: [NOTHING] });
    assertEquals(
      sent(next, "append", 2).map(({ prevIndex }) => prevIndex),
      [5],
    );
  });

  test("moving it back behind what is acknowledged, on a refusal that tells of times before", () => {
    const bare = new Bare(held([1, 1, 1, 1, 1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 3 });
    const late = {
      kind: "refused",
      term,
      conflictTerm: 0,
      conflictIndex: 0,
      blank: false,
    } as const;
    const effects = bare.receive(2, { ...late, prevIndex: 6, lastIndex: 1 });
    assertEquals(
      sent(effects, "append", 2).map(({ prevIndex }) => prevIndex),
      [3],
    );
  });

  test("taking the peer's log to match as far as it is long, not as it acknowledged", () => {
    const bare = new Bare(held([1]));
    const term = bare.lead();
    bare.tell({ kind: "propose", id: 1, commands: [NOTHING, NOTHING] });
    // The peer has a longer log of its own; what it acknowledged is one probe.
    bare.receive(2, { kind: "appended", term, index: 2 });
    assertEquals(bare.node.commit, 2);
    bare.receive(3, { kind: "heard", term, round: 1 });
    assertEquals(bare.node.commit, 2);
    // Nor is what is in the leader's own log counted before its disk holds it.
    bare.storesAtOnce = false;
    bare.tell({ kind: "propose", id: 2, commands: [NOTHING] });
    bare.receive(2, { kind: "appended", term, index: 5 });
    assertEquals(bare.node.commit, 4);
    bare.stored();
    assertEquals(bare.node.commit, 5);
  });

  test("counting what was cut off, and came anew, as durable", () => {
    const bare = new Bare(held([1, 1, 1, 1, 1, 1]));
    const cut = { kind: "append", term: 2, prevIndex: 1, prevTerm: 1, commit: 0 } as const;
    bare.receive(2, { ...cut, entries: [entry(2, 2)] });
    assertEquals(bare.node.log.lastIndex, 2);
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 3 });
    assertEquals(bare.node.commit, 3);
    // Index 4 was on the disk once, with another entry.
    bare.storesAtOnce = false;
    bare.tell({ kind: "propose", id: 1, commands: [NOTHING] });
    bare.receive(2, { kind: "appended", term, index: 4 });
    assertEquals(bare.node.commit, 3);
    bare.stored();
    assertEquals(bare.node.commit, 4);
  });

  test("answering reads after it was replaced", () => {
    const bare = new Bare();
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 1 });
    bare.receive(2, { kind: "heard", term, round: 1 });
    const asked = bare.tell({ kind: "read", id: 7, lease: false });
    assertEquals(
      asked.filter(({ kind }) => kind === "read"),
      [],
    );
    const { round } = sent(asked, "heartbeat", 2).at(-1)!;
    // An answer to an older round proves nothing.
    const early = bare.receive(2, { kind: "heard", term, round: round - 1 });
    assertEquals(
      early.filter(({ kind }) => kind === "read"),
      [],
    );
    const replaced = bare.receive(3, { kind: "heard", term: term + 1, round: 0 });
    assertEquals(
      replaced.filter(({ kind }) => kind === "read"),
      [{ kind: "read", id: 7, index: -1, why: "not leader" }],
    );
    assertEquals(bare.receive(2, { kind: "heard", term, round }), []);
  });

  test("holding up heartbeats while entries are applied, or while the disk is busy", () => {
    const bare = new Bare();
    const term = bare.lead();
    bare.appliesAtOnce = false;
    bare.storesAtOnce = false;
    bare.receive(2, { kind: "appended", term, index: 1 });
    assertEquals(bare.effects.at(-1)!.kind, "apply");
    bare.tell({ kind: "propose", id: 1, commands: [NOTHING] });
    const beats = sent(bare.wait(450), "heartbeat", 2);
    assert(beats.length >= 4, `${beats.length} beats`);
  });

  test("never telling proposers that the lead was lost", () => {
    const bare = new Bare();
    const term = bare.lead();
    bare.tell({ kind: "propose", id: 1, commands: [NOTHING, NOTHING] });
    const effects = bare.receive(3, { kind: "heard", term: term + 1, round: 0 });
    assertEquals(
      effects.filter(({ kind }) => kind === "fate"),
      [{ kind: "fate", fate: "unknown", term, first: 2, last: 3 }],
    );
  });

  test("sending heartbeats without a commit index, or with one beyond what the peer holds", () => {
    const bare = new Bare(held([1, 1, 1]));
    const term = bare.lead();
    assertEquals(sent(bare.receive(2, { kind: "appended", term, index: 4 }), "heartbeat"), []);
    assertEquals(bare.node.commit, 4);
    // No append that could take it along follows.
    const told = bare.wait(5);
    assertEquals(
      sent(told, "heartbeat", 2).map(({ commit }) => commit),
      [4],
    );
    const beat = bare.wait(110);
    assertEquals(
      sent(beat, "heartbeat", 2).map(({ commit }) => commit),
      [4],
    );
    assertEquals(
      sent(beat, "heartbeat", 3).map(({ commit }) => commit),
      [0],
    );
  });

  test("putting off what a follower is to be told whenever something else happens", () => {
    const bare = new Bare(held([1, 1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 4 });
    const committedMs = bare.nowMs;
    const told = (): boolean => sent(bare.effects, "heartbeat", 2).some(({ commit }) => commit > 0);
    for (let round = 1; !told(); round++) {
      bare.receive(3, { kind: "heard", term, round });
      bare.wait(1);
    }
    assertEquals(bare.nowMs - committedMs, bare.node.params.commitDelayMs);
  });

  test("answering a follower's read with an index that it is not told of", () => {
    const bare = new Bare(held([1, 1, 1]));
    const term = bare.lead();
    bare.receive(2, { kind: "appended", term, index: 4 });
    const answers = bare.receive(2, { kind: "askRead", term, batch: 7 });
    const told = answers.flatMap((effect) => (effect.kind === "send" ? [effect.message] : []));
    assertEquals(told, [
      { kind: "heartbeat", term, commit: 4, round: 0 },
      { kind: "readAt", term, batch: 7, index: 4 },
    ]);
  });

  test("leading on with a full disk", () => {
    const bare = new Bare();
    const term = bare.lead();
    bare.storesAtOnce = false;
    bare.tell({ kind: "propose", id: 1, commands: [NOTHING] });
    bare.receive(3, { kind: "appended", term, index: 1 });
    const effects = bare.tell({ kind: "disk", state: "full" });
    assertEquals(bare.node.role, "follower");
    assertEquals(sent(effects, "takeOver").length, 1);
    assertEquals(effects.filter(({ kind }) => kind === "fate").length, 1);
    // It does not stand again, nor answer, until there is space.
    assertEquals(bare.wait(10_000), []);
    assertEquals(bare.receive(2, { kind: "heartbeat", term: term + 1, commit: 0, round: 1 }), []);
    bare.stored();
    bare.tell({ kind: "disk", state: "good" });
    assert(sent(bare.wait(700), "vote").length > 0);
  });
});

describe("mistakes of followers:", () => {
  test("truncating on an append that is merely old", () => {
    const bare = new Bare(held([1, 1, 1, 1]));
    const old = { kind: "append", term: 1, prevIndex: 1, prevTerm: 1, commit: 0 } as const;
    const effects = bare.receive(2, { ...old, entries: [entry(2, 1)] });
    assertEquals(bare.node.log.lastIndex, 4);
    assertEquals(
      sent(effects, "appended").map(({ index }) => index),
      [2],
    );
    assertEquals(steps(effects), []);
    // A conflict does truncate.
    bare.receive(3, { ...old, term: 2, entries: [entry(2, 2)] });
    assertEquals([bare.node.log.lastIndex, bare.node.log.lastTerm], [2, 2]);
  });

  test("acknowledging what is not on the disk yet", () => {
    const bare = new Bare(held([1]));
    bare.storesAtOnce = false;
    const message = { kind: "append", term: 1, prevIndex: 1, prevTerm: 1, commit: 0 } as const;
    const first = bare.receive(2, { ...message, entries: [entry(2, 1)] });
    assertEquals(sent(first, "appended"), []);
    // The same again needs no step of its own, and must wait for the first one's all the same.
    const again = bare.receive(2, { ...message, entries: [entry(2, 1)] });
    assertEquals(sent(again, "appended"), []);
    assertEquals(
      sent(bare.stored(), "appended").map(({ index }) => index),
      [2, 2],
    );
  });

  test("restoring a snapshot that is older than what is applied", () => {
    const bare = new Bare(held([1, 1, 1, 1]));
    const append = { kind: "append", term: 1, prevIndex: 4, prevTerm: 1, commit: 4 } as const;
    bare.receive(2, { ...append, entries: [] });
    assertEquals(bare.node.applied, 4);
    const meta: SnapshotMeta = { index: 3, term: 1, config: THREE, size: 1 };
    const data = new Uint8Array(1);
    const effects = bare.receive(2, { kind: "snapshot", term: 1, meta, offset: 0, data });
    assertEquals(
      effects.filter(({ kind }) => kind !== "send"),
      [],
    );
    assertEquals(
      sent(effects, "appended").map(({ index }) => index),
      [4],
    );
    assertEquals([bare.node.log.lastIndex, bare.node.applied], [4, 4]);
  });

  test("storing log and snapshot apart, with a crash between", () => {
    const bare = new Bare(held([1, 1]));
    bare.storesAtOnce = false;
    const meta: SnapshotMeta = { index: 9, term: 1, config: THREE, size: 1 };
    const data = new Uint8Array(1);
    const effects = bare.receive(2, { kind: "snapshot", term: 1, meta, offset: 0, data });
    const [step, ...more] = steps(effects);
    assertEquals(more, []);
    const base = { index: 9, term: 1 };
    assertEquals(step!.snapshot, { meta, source: "received", base, keep: [] });
    // The state is replaced, and the leader told, when both are durable, and not before.
    assertEquals(
      effects.filter(({ kind }) => kind === "restore"),
      [],
    );
    assertEquals(sent(effects, "appended"), []);
    const after = bare.stored();
    assertEquals(after.filter(({ kind }) => kind === "restore").length, 1);
    assertEquals(
      sent(after, "appended").map(({ index }) => index),
      [9],
    );
  });

  test("taking pieces of another snapshot while one is on its way to the disk", () => {
    const bare = new Bare(held([1, 1]));
    bare.storesAtOnce = false;
    const data = new Uint8Array(1);
    const meta: SnapshotMeta = { index: 9, term: 1, config: THREE, size: 1 };
    bare.receive(2, { kind: "snapshot", term: 1, meta, offset: 0, data });
    const later = { ...meta, index: 12, size: 2 };
    assertEquals(bare.receive(2, { kind: "snapshot", term: 1, meta: later, offset: 0, data }), []);
    bare.stored();
    const effects = bare.receive(2, { kind: "snapshot", term: 1, meta: later, offset: 0, data });
    assertEquals(
      effects.map(({ kind }) => kind),
      ["keepChunk", "send"],
    );
  });

  test("keeping a configuration whose entry was overwritten", () => {
    const bare = new Bare(held([1]));
    const config = { voters: [2, 3], outgoing: [], learners: [1] };
    const changed = { ...entry(2, 1), kind: "config", config } as const;
    const append = { kind: "append", term: 1, prevIndex: 1, prevTerm: 1, commit: 0 } as const;
    bare.receive(2, { ...append, entries: [changed] });
    assertEquals(bare.node.config, config);
    bare.receive(3, { ...append, term: 2, entries: [entry(2, 2)] });
    assertEquals(bare.node.config, THREE);
  });
});
