/** What proposers are told when the lead goes and the log is another's. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import type { RaftEffect, SnapshotMeta } from "../../raft/mod.ts";
import { Bare, entry, held, THREE } from "./bare.ts";

function fatesOf(effects: readonly RaftEffect[]): [string, number, number, number][] {
  return effects
    .filter((effect) => effect.kind === "fate")
    .map(({ fate, term, first, last }) => [fate, term, first, last]);
}

/** Node 1 has led a term and proposed four commands at 3..6, and follows node 3 in the next. */
function deposed(): { bare: Bare; term: number } {
  const bare = new Bare(held([1]));
  const term = bare.lead();
  const commands = [1, 2, 3, 4].map((byte) => Uint8Array.of(byte));
  bare.tell({ kind: "propose", id: 1, commands });
  bare.receive(3, { kind: "heartbeat", term: term + 1, commit: 0, round: 1 });
  return { bare, term };
}

describe("fates", () => {
  test("unknown at once; then some are committed, and the others lost", () => {
    const { bare, term } = deposed();
    assertEquals(fatesOf(bare.effects), [["unknown", term, 3, 6]]);
    // The new leader has the first two of the four, and its own entry in the place of the third.
    const append = { kind: "append", term: term + 1, prevIndex: 4, prevTerm: term } as const;
    const effects = bare.receive(3, { ...append, commit: 5, entries: [entry(5, term + 1)] });
    assertEquals(fatesOf(effects), [
      ["committed", term, 3, 4],
      ["lost", term, 5, 6],
    ]);
  });

  test("nothing is lost as long as it may come true", () => {
    const { bare, term } = deposed();
    // Overwritten here, and not committed: another node may still hold it and be elected.
    const append = { kind: "append", term: term + 1, prevIndex: 2, prevTerm: term } as const;
    const effects = bare.receive(3, { ...append, commit: 2, entries: [entry(3, term + 1)] });
    assertEquals(fatesOf(effects), []);
    const again = { kind: "append", term: term + 2, prevIndex: 2, prevTerm: term } as const;
    const own = [3, 4, 5, 6].map((index) => entry(index, term));
    assertEquals(fatesOf(bare.receive(2, { ...again, commit: 6, entries: own })), [
      ["committed", term, 3, 6],
    ]);
  });

  test("what a snapshot took the place of is not told; what lies behind it is", () => {
    const { bare, term } = deposed();
    const meta: SnapshotMeta = { index: 4, term: term + 1, config: THREE, size: 1 };
    const data = new Uint8Array(1);
    const piece = { kind: "snapshot", term: term + 1, meta, offset: 0, data } as const;
    assertEquals(fatesOf(bare.receive(3, piece)), []);
    const append = { kind: "append", term: term + 1, prevIndex: 4, prevTerm: term + 1 } as const;
    const effects = bare.receive(3, { ...append, commit: 5, entries: [entry(5, term + 1)] });
    assertEquals(fatesOf(effects), [["lost", term, 5, 6]]);
  });

  test("proposals of two terms are told apart", () => {
    const { bare, term } = deposed();
    const next = bare.lead();
    bare.tell({ kind: "propose", id: 2, commands: [Uint8Array.of(5)] });
    const { lastIndex } = bare.node.log;
    const effects = bare.receive(2, { kind: "appended", term: next, index: lastIndex });
    assertEquals(fatesOf(effects), [
      ["committed", term, 3, 6],
      ["committed", next, lastIndex, lastIndex],
    ]);
  });
});
