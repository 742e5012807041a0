/** Counting words: in WebAssembly, and what is left for this language. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { textOf, utf8, viewOf } from "../../mapreduce/bytes.ts";
import { fnv1a } from "../../mapreduce/partition.ts";
import { RunTable } from "../../mapreduce/run_table.ts";
import { RUN_BYTES_MAX } from "../../mapreduce/word_kernel.ts";
import { LongWordError, WordReader, WordTable } from "../../mapreduce/words.ts";
import { text } from "./twin.ts";

function wordsIn(
  bytes: Uint8Array,
  cuts: readonly number[],
  tableBytes = 1 << 20,
): Map<string, number> {
  const table = new WordTable(tableBytes);
  const reader = new WordReader(table);
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    // As files are read, a buffer may be used again.
    const piece = bytes.slice(from, cut);
    reader.read(piece);
    piece.fill(120);
    from = cut;
  }
  reader.end();
  const found = new Map<string, number>();
  table.each((word, hash, count) => {
    assertEquals(hash, fnv1a(word.bytes, word.from, word.to));
    const name = textOf(viewOf(word));
    found.set(name, (found.get(name) ?? 0) + count);
  });
  table.release();
  return found;
}

describe("words", () => {
  test("are the maximal runs of letters, however the bytes are cut", () => {
    const sample = fc.tuple(fc.nat(1e6), fc.array(fc.nat(600), { maxLength: 8 }));
    fc.assert(
      fc.property(sample, ([seed, cuts]) => {
        const sampleText = text(seed, 60);
        const bytes = utf8(sampleText);
        const expected = new Map<string, number>();
        for (const [word] of sampleText.matchAll(/\p{L}+/gu)) {
          expected.set(word, (expected.get(word) ?? 0) + 1);
        }
        assertEquals(
          wordsIn(
            bytes,
            cuts.map((cut) => Math.min(cut, bytes.length)),
          ),
          expected,
        );
      }),
    );
  });

  test("bytes that are no UTF-8 separate words, as the decoder sees them", () => {
    const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(97, 0xc3, 0xa9, 0xe6));
    const sample = fc.tuple(fc.array(byte, { maxLength: 40 }), fc.array(fc.nat(40)));
    fc.assert(
      fc.property(sample, ([values, cuts]) => {
        const bytes = Uint8Array.from(values);
        const expected = new Map<string, number>();
        for (const [word] of textOf(bytes).matchAll(/\p{L}+/gu)) {
          expected.set(word, (expected.get(word) ?? 0) + 1);
        }
        assertEquals(
          wordsIn(
            bytes,
            cuts.map((cut) => Math.min(cut, bytes.length)),
          ),
          expected,
        );
      }),
      { numRuns: 500 },
    );
  });

  test("of any length and script are counted, also when the table is full", () => {
    const unit = fc.constantFrom("a", "B", "z", "é", "д", "字", "𝒳", "’", "«");
    const word = fc.array(unit, { maxLength: 30 }).map((units) => units.join(""));
    const gap = fc.constantFrom(" ", ", ", "'", "1", "[", "@", "`", "{", "\0", "\n", "      ; ");
    const sample = fc.tuple(
      fc.array(fc.tuple(word, gap), { maxLength: 60 }),
      fc.array(fc.nat(400)),
    );
    fc.assert(
      fc.property(sample, ([pairs, cuts]) => {
        const sampleText = `${pairs.flat().join("")} last`;
        const bytes = utf8(sampleText);
        const expected = new Map<string, number>();
        for (const [found] of sampleText.matchAll(/\p{L}+/gu)) {
          expected.set(found, (expected.get(found) ?? 0) + 1);
        }
        const inside = cuts.map((cut) => Math.min(cut, bytes.length));
        for (const tableBytes of [1, 1 << 20]) {
          assertEquals(wordsIn(bytes, inside, tableBytes), expected);
        }
      }),
    );
  });

  test("one that is longer than a key may be is an error", () => {
    const reader = new WordReader(new WordTable(1 << 20));
    assertThrows(() => {
      for (let i = 0; i < 20; i++) reader.read(new Uint8Array(1 << 17).fill(97));
      reader.end();
    }, LongWordError);
  });

  test("short runs are counted up to the first that is long, or finds the table full", () => {
    const runs = RunTable.taken(1);
    const put = (content: string): number => {
      const bytes = utf8(content);
      runs.text.set(bytes);
      runs.text[bytes.length] = 0;
      return bytes.length;
    };
    const seen = (): [string, number][] => {
      const all: [string, number][] = [];
      runs.each((bytes, from, to, count) => all.push([textOf(bytes.subarray(from, to)), count]));
      return all;
    };
    const long = "x".repeat(RUN_BYTES_MAX + 1);
    const most = long.slice(1);
    assertEquals(runs.count(0, put(`a b,a ${most} {a} ${long} b`)), 11 + most.length);
    assertEquals(seen(), [
      ["a", 3],
      ["b", 1],
      [most, 1],
    ]);
    assert(!runs.isFull);
    runs.clear();
    // Twelve of sixteen places are used.
    const names = Array.from({ length: 14 }, (_, i) => String.fromCharCode(97 + i));
    assertEquals(runs.count(0, put(names.join(" "))), 24);
    assertEquals(
      seen().map(([name]) => name),
      names.slice(0, 12),
    );
    // Those that it has are counted on.
    assertEquals(runs.count(0, put("l a a")), 5);
    assertEquals(
      [seen()[0], seen()[11]],
      [
        ["a", 3],
        ["l", 2],
      ],
    );
    assert(runs.isFull);
    runs.release();
    assertEquals(seen(), []);
  });

  test("a table says that it is full", () => {
    const table = new WordTable(4096);
    const reader = new WordReader(table);
    assert(!table.isFull);
    for (let i = 0; i < 500; i++) reader.read(utf8(`w${"abcdefgh"[i & 7]}${"x".repeat(i)} `));
    assert(table.isFull);
  });
});
