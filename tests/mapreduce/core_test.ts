/** The pure parts: partitions, lines, records, sorting, spilling and merging. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { textOf, utf8, viewOf, whole } from "../../mapreduce/bytes.ts";
import { JsonLineReader, JsonLineWriter } from "../../mapreduce/json_lines.ts";
import { LineReader } from "../../mapreduce/lines.ts";
import { groupsOf, MergedRun } from "../../mapreduce/merge.ts";
import { LineWriter, RecordOutput, writeLines } from "../../mapreduce/output.ts";
import { fnv1a, partitionOf } from "../../mapreduce/partition.ts";
import { DamagedRunError, RecordWriter, RunReader, type Source } from "../../mapreduce/records.ts";
import { SortBuffer } from "../../mapreduce/sort_buffer.ts";
import { MapOutput, mergedRun, type RunStore } from "../../mapreduce/spill.ts";
import { byBytes, partition } from "./twin.ts";

/** Runs in memory, which counts those that are not removed. */
class MemoryStore implements RunStore {
  live = 0;
  made = 0;

  create(): ReturnType<RunStore["create"]> {
    this.live++;
    this.made++;
    let bytes = new Uint8Array();
    return {
      sink: (more) => (bytes = Uint8Array.from([...bytes, ...more])),
      source: (into, at) => sourceOf(bytes)(into, at),
      remove: () => this.live--,
    };
  }
}

function sourceOf(bytes: Uint8Array): Source {
  return (into, at) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
}

function collect(): { bytes: () => Uint8Array; sink: (bytes: Uint8Array) => void } {
  const parts: Uint8Array[] = [];
  return { bytes: () => Buffer.concat(parts), sink: (bytes) => parts.push(bytes.slice()) };
}

const key = fc.string({ unit: "binary", maxLength: 12 });
const pairs = fc.array(fc.tuple(key, fc.string({ maxLength: 70 })), { maxLength: 200 });

describe("partitions", () => {
  test("the hash is FNV-1a: the vectors of its authors", () => {
    for (const [input, hash] of [
      ["", 0x811c9dc5],
      ["a", 0xe40c292c],
      ["foobar", 0xbf9cf968],
    ] as const) {
      assertEquals(fnv1a(utf8(input), 0, input.length) >>> 0, hash);
    }
  });

  test("a key's partition is that of the twin, in bigint", () => {
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 1000 }), (name, reducers) => {
        const bytes = utf8(name.toWellFormed());
        const got = partitionOf(fnv1a(bytes, 0, bytes.length), reducers);
        assertEquals(got, partition(name.toWellFormed(), reducers));
      }),
    );
  });
});

describe("lines", () => {
  test("end at \\n or \\r\\n, however the bytes are cut", () => {
    const piece = fc.constantFrom("a", "bc", "\n", "\r\n", "\r", "é", "");
    const sample = fc.tuple(fc.array(piece), fc.array(fc.nat(30)));
    fc.assert(
      fc.property(sample, ([parts, cuts]) => {
        const bytes = utf8(parts.join(""));
        const got: string[] = [];
        const reader = new LineReader(
          5,
          (line, number) => got.push(`${number}:${textOf(viewOf(line))}`),
          () => assert(false),
        );
        let from = 0;
        const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length];
        for (const cut of ends.sort((a, b) => a - b)) {
          reader.read(bytes.slice(from, cut));
          from = cut;
        }
        reader.end();
        const lines = parts.join("").split("\n");
        if (lines.at(-1) === "") lines.pop();
        assertEquals(
          got,
          lines.map((line, i) => `${i + 5}:${line.replace(/\r$/, "")}`),
        );
      }),
    );
  });
});

describe("records", () => {
  test("are read as they were written, through buffers of any size", () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 300 }), (given, size) => {
        const { bytes, sink } = collect();
        const writer = new RecordWriter(sink, size);
        for (const [name, value] of given) writer.write(whole(utf8(name)), whole(utf8(value)));
        writer.flush();
        assertEquals(writer.bytes, bytes().length);
        const padded = Uint8Array.from([9, 9, ...bytes(), 9]);
        const end = padded.length - 1;
        const reader = new RunReader(sourceOf(padded), 2, end, size, 1 << 20);
        const got: string[][] = [];
        while (reader.advance()) got.push([viewOf(reader.key), viewOf(reader.value)].map(textOf));
        assertEquals(
          got,
          given.map((pair) => pair.map((part) => part.toWellFormed())),
        );
      }),
    );
  });

  test("as lines of JSON are read as they were written, whatever bytes they have", () => {
    // Of what is nearly UTF-8, too.
    const parts = ["c3a9", "e28080", "f09f9880", "ed9fbf", "eda080", "c080", "e08080", "f4908080"];
    const near = fc.array(fc.constantFrom(...parts, "22", "5c", "7f", "61", "c3", "80"));
    const bytesOf = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      near.map((hex) => Uint8Array.fromHex(hex.join(""))),
    );
    const records = fc.array(fc.tuple(fc.oneof(key.map(utf8), bytesOf), bytesOf));
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 300 }), (given, size) => {
        const { bytes, sink } = collect();
        const writer = new JsonLineWriter(sink, size);
        for (const [name, value] of given) writer.write(whole(name), whole(value));
        writer.flush();
        assertEquals(writer.bytes, bytes().length);
        const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        const lines = strict.decode(bytes()).split("\n");
        assertEquals(lines.pop(), "");
        for (const [i, line] of lines.entries()) {
          const record = JSON.parse(line) as { key?: string; keyHex?: string };
          const name = record.key === undefined ? "" : utf8(record.key).toHex();
          assertEquals(record.keyHex ?? name, given[i]![0].toHex());
        }
        const padded = Uint8Array.from([9, 9, ...bytes(), 9]);
        const reader = new JsonLineReader(sourceOf(padded), 2, padded.length - 1, size, 1 << 20);
        const got: Uint8Array[][] = [];
        while (reader.advance()) {
          got.push([viewOf(reader.key), viewOf(reader.value)].map((part) => part.slice()));
        }
        assertEquals(
          got.map((pair) => pair.map((part) => part.toHex())),
          given.map((pair) => pair.map((part) => part.toHex())),
        );
      }),
    );
  });

  test("of JSON that are damaged are an error", () => {
    for (const text of ["", "{}", "{}\n", '{"key":"a","value":5}\n', "[1]\n", "null\n", "\xff\n"]) {
      const bytes = utf8(text);
      const reader = new JsonLineReader(sourceOf(bytes), 0, bytes.length, 16, 100);
      if (text === "") assertEquals(reader.advance(), false);
      else assertThrows(() => reader.advance(), DamagedRunError);
    }
    const long = new JsonLineReader((into) => into.fill(97).length, 0, 1e9, 16, 100);
    assertThrows(() => long.advance(), DamagedRunError, "longer than any");
  });

  test("that are damaged are an error, never an endless loop or a huge buffer", () => {
    const sample = fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 64 }));
    fc.assert(
      fc.property(sample, ([bytes, size]) => {
        const reader = new RunReader(sourceOf(bytes), 0, bytes.length, size, 1000);
        try {
          while (reader.advance()) viewOf(reader.value);
        } catch (error) {
          assert(error instanceof DamagedRunError, String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("sorting", () => {
  test("is by partition, then by bytes, then by arrival", () => {
    const short = fc.string({ unit: fc.constantFrom("a", "b", "\0", "é"), maxLength: 8 });
    const sample = fc.array(fc.tuple(fc.nat(2), short), { maxLength: 300 });
    fc.assert(
      fc.property(sample, (given) => {
        const buffer = new SortBuffer(3, new ArrayBuffer(1 << 20));
        for (const [i, [where, name]] of given.entries()) {
          assert(buffer.add(where, whole(utf8(name)), whole(utf8(String(i)))));
        }
        for (const where of [0, 1, 2]) {
          const got: string[] = [];
          buffer.sorted(where).each((_, value) => got.push(textOf(viewOf(value))));
          const expected = [...given.entries()]
            .filter(([, [of]]) => of === where)
            .sort(([i, [, a]], [j, [, b]]) => byBytes(a, b) || i - j)
            .map(([i]) => String(i));
          assertEquals(got, expected);
        }
      }),
    );
  });

  test("a map's output is the same whether memory is large or small, and runs are removed", () => {
    const memory = fc.constantFrom(1, 200, 2_000, 1 << 20);
    fc.assert(
      fc.property(pairs, memory, fc.integer({ min: 1, max: 5 }), (given, sortBytes, reducers) => {
        const store = new MemoryStore();
        const output = new MapOutput({ reducers, memory: new ArrayBuffer(sortBytes), store });
        for (const [name, value] of given) output.emit(whole(utf8(name)), whole(utf8(value)));
        const { bytes, sink } = collect();
        const ends: number[] = [];
        output.finish(sink, (_, end) => ends.push(end));
        assertEquals(store.live, 0);
        if (sortBytes === 1 && given.length > 8) assert(store.made > 1);
        let from = 0;
        for (const [where, to] of ends.entries()) {
          const reader = new RunReader(sourceOf(bytes()), from, to, 64, 1 << 20);
          const got: string[][] = [];
          while (reader.advance()) got.push([viewOf(reader.key), viewOf(reader.value)].map(textOf));
          const expected = given
            .map((pair) => pair.map((part) => part.toWellFormed()))
            .filter(([name]) => partition(name!, reducers) === where)
            .sort(([a], [b]) => byBytes(a!, b!));
          assertEquals(got, expected);
          from = to;
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("merging", () => {
  const runs = fc.array(fc.array(fc.constantFrom("a", "ab", "b", "c", "é"), { maxLength: 9 }));

  function written(names: readonly string[], from: number): Uint8Array {
    const { bytes, sink } = collect();
    const writer = new RecordWriter(sink);
    const sorted = names.map((name, i) => [name, `${from}.${i}`] as const);
    sorted.sort(([a], [b]) => byBytes(a, b));
    for (const [name, value] of sorted) writer.write(whole(utf8(name)), whole(utf8(value)));
    writer.flush();
    return bytes();
  }

  test("gives all values of a key in the order of the runs, also to who reads only some", () => {
    fc.assert(
      fc.property(runs, fc.nat(4), (given, reads) => {
        const files = given.map((names, i) => written(names, i));
        const merged = new MergedRun(
          files.map((bytes) => new RunReader(sourceOf(bytes), 0, bytes.length, 16, 1000)),
        );
        const got: string[] = [];
        for (const { key: name, values } of groupsOf(merged)) {
          let left = reads;
          for (const value of values) {
            got.push(`${textOf(viewOf(name))}=${textOf(viewOf(value))}`);
            if (--left <= 0) break;
          }
        }
        const expected: string[] = [];
        for (const name of ["a", "ab", "b", "c", "é"]) {
          const values = given.flatMap((names, i) =>
            names.flatMap((of, j) => (of === name ? [`${name}=${i}.${j}`] : [])),
          );
          expected.push(...values.slice(0, Math.max(1, reads)));
        }
        assertEquals(got, expected);
      }),
    );
  });

  test("records become the lines that a reduce would have written itself", () => {
    const lines = collect();
    const records = collect();
    const direct = new LineWriter(lines.sink, 3);
    const output = new RecordOutput(records.sink);
    for (const out of [direct, output]) {
      out.write(whole(utf8("a\nb")), whole(utf8("\\c")));
      out.write(whole(utf8("b")), whole(utf8("")));
      out.write(whole(utf8("c")));
      out.flush();
    }
    assertEquals(textOf(lines.bytes()), "a\\nb \\\\c\nb \nc\n");
    const again = collect();
    const writer = new LineWriter(again.sink);
    const source = sourceOf(records.bytes());
    writeLines(mergedRun([{ source, from: 0, to: output.bytes }], 1000), writer);
    writer.flush();
    assertEquals(textOf(again.bytes()), textOf(lines.bytes()));
    assertEquals(writer.lines, 3);
    const parts = mergedRun([{ source, from: 0, to: output.bytes }], 1000);
    const inParts = new LineWriter(collect().sink);
    const ends = [0, 1, 2, 3].map(() => [writeLines(parts, inParts, 1), inParts.lines]);
    assertEquals(ends, [
      [true, 1],
      [true, 2],
      [true, 3],
      [false, 3],
    ]);
  });
});
