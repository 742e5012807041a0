/**
 * Tasks run on files that are byte arrays: the real applications, sorting and merging, without a
 * disk.
 *
 * @module
 */
import { sha256 } from "../../base/sha256.ts";
import { builtin } from "../../mapreduce/builtin.ts";
import type { Part } from "../../mapreduce/job_types.ts";
import { groupsOf } from "../../mapreduce/merge.ts";
import { LineWriter } from "../../mapreduce/output.ts";
import { MapOutput, mergedRun, type RunStore } from "../../mapreduce/spill.ts";

/** Little, so that maps spill. */
const SORT_BYTES = 600;

/** What a task made. */
export interface Made {
  readonly bytes: Uint8Array;
  readonly parts: readonly Part[];
}

function partOf(bytes: Uint8Array): Part {
  return { bytes: bytes.length, hash: sha256(bytes).toHex() };
}

/** Runs in memory. */
function memoryStore(): RunStore {
  return {
    create: () => {
      const chunks: Uint8Array[] = [];
      let joined: Uint8Array | undefined;
      return {
        sink: (bytes) => void chunks.push(bytes.slice()),
        source: (into, at) => sourceOf((joined ??= join(chunks)))(into, at),
        remove: () => void (chunks.length = 0),
      };
    },
  };
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

function sourceOf(bytes: Uint8Array): (into: Uint8Array, at: number) => number {
  return (into, at) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
}

/** A map of an input. */
export function modelMap(
  application: string,
  split: { readonly name: string; readonly firstLine: number },
  input: Uint8Array,
  reducers: number,
): Made {
  const known = builtin(application)!;
  const store = memoryStore();
  const { combine } = known;
  const output = new MapOutput({ reducers, memory: new ArrayBuffer(SORT_BYTES), store, combine });
  const bad = (why: string): void => {
    throw new Error(why);
  };
  const mapping = known.map({ split, output, bytes: SORT_BYTES, bad });
  mapping.read(input);
  mapping.end();
  const chunks: Uint8Array[] = [];
  const ends: number[] = [];
  output.finish(
    (bytes) => void chunks.push(bytes.slice()),
    (_, end) => void ends.push(end),
  );
  const bytes = join(chunks);
  return { bytes, parts: ends.map((end, r) => partOf(bytes.subarray(ends[r - 1] ?? 0, end))) };
}

/** A reduce of partitions, in the order of their maps. */
export function modelReduce(application: string, inputs: readonly Uint8Array[]): Made {
  const known = builtin(application)!;
  const chunks: Uint8Array[] = [];
  const lines = new LineWriter((bytes) => void chunks.push(bytes.slice()));
  const runs = inputs.map((bytes) => ({ source: sourceOf(bytes), from: 0, to: bytes.length }));
  for (const { key, values } of groupsOf(mergedRun(runs, 1 << 16))) {
    known.reduce(key, values, lines);
  }
  lines.flush();
  const bytes = join(chunks);
  return { bytes, parts: [partOf(bytes)] };
}
