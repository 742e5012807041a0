/**
 * What a map gives, from the first record to the sorted partitions: collected in memory, combined,
 * spilled to runs when memory is full, and merged at the end.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Slice } from "./bytes.ts";
import { KEY_BYTES_MAX, MERGE_RUNS_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import { JsonLineReader, JsonLineWriter } from "./json_lines.ts";
import { Groups, Kept, MergedRun, type SortedRun } from "./merge.ts";
import { fnv1a, partitionOf } from "./partition.ts";
import { type RecordSink, RecordWriter, RunReader, type Source } from "./records.ts";
import type { Sink } from "./sink_buffer.ts";
import { SortBuffer } from "./sort_buffer.ts";

/** Makes of the values of a key fewer, of the same meaning. */
export type Combiner = (key: Slice, values: Iterable<Slice>) => Iterable<Slice>;

/** Where runs are kept: files, or memory in tests. */
export interface RunStore {
  /** A place for a new run. */
  create(): RunPlace;
}

/** One run that is being written, then read, then let go of. */
export interface RunPlace {
  readonly sink: Sink;
  readonly source: Source;
  /** It is not read any more. */
  remove(): void;
}

/** A part of a place that has records in order. */
export interface Run {
  readonly source: Source;
  readonly from: number;
  readonly to: number;
  /** Its records are lines of JSON. */
  readonly asJson?: boolean;
}

/** Longest record that a reader takes. */
const PART_BYTES_MAX = Math.max(KEY_BYTES_MAX, VALUE_BYTES_MAX);
/** Buffers of readers are not larger, and not smaller. */
const READ_BYTES_MAX = 1 << 18;
const READ_BYTES_MIN = 1 << 12;

/** A key or a value that is longer than there may be. */
export class LongPartError extends Error {
  override name = "LongPartError";

  constructor(what: "key" | "value", bytes: number, most: number) {
    super(`the ${what} has ${bytes} bytes, at most ${most} are allowed`);
  }
}

/** A run of all of `runs`, read within about `bytes` of memory. */
export function mergedRun(runs: readonly Run[], bytes: number): SortedRun {
  const each = Math.floor(bytes / Math.max(1, runs.length));
  const buffer = Math.max(READ_BYTES_MIN, Math.min(READ_BYTES_MAX, each));
  const readers = runs.map(({ source, from, to, asJson }): SortedRun => {
    const Reader = asJson === true ? JsonLineReader : RunReader;
    return new Reader(source, from, to, buffer, PART_BYTES_MAX);
  });
  return readers.length === 1 ? readers[0]! : new MergedRun(readers);
}

/** The same records in so few runs that they can be read together; keeps the order of `runs`. */
export function fewerRuns(
  runs: readonly Run[],
  store: RunStore,
  bytes: number,
  combine?: Combiner,
): { readonly runs: readonly Run[]; readonly places: readonly RunPlace[] } {
  let left = runs;
  let places: RunPlace[] = [];
  while (left.length > MERGE_RUNS_MAX) {
    const [fewer, made]: [Run[], RunPlace[]] = [[], []];
    for (let i = 0; i < left.length; i += MERGE_RUNS_MAX) {
      const place = store.create();
      const writer = new RecordWriter(place.sink);
      writeRun(mergedRun(left.slice(i, i + MERGE_RUNS_MAX), bytes), writer, combine);
      writer.flush();
      made.push(place);
      fewer.push({ source: place.source, from: 0, to: writer.bytes });
    }
    for (const place of places) place.remove();
    [left, places] = [fewer, made];
  }
  return { runs: left, places };
}

/** Writes all records of a run, combined. A key with a single value stays as it is. */
function writeRun(run: SortedRun, writer: RecordSink, combine: Combiner | undefined): void {
  if (combine === undefined) {
    while (run.advance()) writer.write(run.key, run.value);
    return;
  }
  const groups = new Groups(run);
  const first = new Kept();
  while (groups.advance()) {
    const { key } = groups;
    first.set(groups.next().value);
    const second = groups.next();
    if (second.done) writer.write(key, first);
    else for (const value of combine(key, both(first, groups))) writer.write(key, value);
  }
}

/** A value, the one that was read last, and those behind it. */
function* both(first: Slice, groups: Groups): Iterable<Slice> {
  yield first;
  yield groups.present;
  yield* groups;
}

/** What a map is to give, and with how much memory. */
export interface MapOutputOptions {
  readonly reducers: number;
  /** What is collected and sorted in. */
  readonly memory: ArrayBuffer;
  readonly store: RunStore;
  readonly combine?: Combiner | undefined;
  /** The partition of a key, 0..reducers-1; by its hash if left out. */
  readonly partition?: ((key: Slice) => number) | undefined;
  /** The partitions are lines of JSON. */
  readonly asJson?: boolean;
}

/** A spilled run, and where each of its partitions ends. */
interface Spill {
  readonly place: RunPlace;
  readonly ends: readonly number[];
}

/** See the module. */
export class MapOutput {
  /** Records that the map gave. */
  records = 0;
  /** Runs that did not fit into memory. */
  spilled = 0;
  readonly #options: MapOutputOptions;
  readonly #buffer: SortBuffer;
  #spills: Spill[] = [];

  constructor(options: MapOutputOptions) {
    this.#options = options;
    this.#buffer = new SortBuffer(options.reducers, options.memory);
  }

  /**
   * Takes a record; `hash` is the FNV-1a hash of the key, if it is known. Throws
   * {@link LongPartError} for one that is too long.
   */
  emit(key: Slice, value: Slice, hash?: number): void {
    const keyBytes = key.to - key.from;
    const valueBytes = value.to - value.from;
    if (keyBytes > KEY_BYTES_MAX) throw new LongPartError("key", keyBytes, KEY_BYTES_MAX);
    if (valueBytes > VALUE_BYTES_MAX) {
      throw new LongPartError("value", valueBytes, VALUE_BYTES_MAX);
    }
    const { reducers, partition } = this.#options;
    const where =
      partition?.(key) ?? partitionOf(hash ?? fnv1a(key.bytes, key.from, key.to), reducers);
    this.records++;
    if (this.#buffer.add(where, key, value)) return;
    this.#spill();
    invariant(this.#buffer.add(where, key, value), "an empty buffer takes any record");
  }

  /** Writes all partitions, one after the other, to `sink`; where each ends in it. */
  finish(sink: Sink, onEnd: (partition: number, end: number) => void): void {
    const { reducers, memory, store, combine, asJson } = this.#options;
    const sortBytes = memory.byteLength;
    const writer = asJson === true ? new JsonLineWriter(sink) : new RecordWriter(sink);
    const end = (partition: number): void => {
      writer.flush();
      onEnd(partition, writer.bytes);
    };
    if (this.#spills.length === 0) {
      this.#write(writer, end);
      return;
    }
    if (this.#buffer.size > 0) this.#spill();
    for (let partition = 0; partition < reducers; partition++) {
      const runs = this.#spills.map(({ place: { source }, ends }) => {
        return { source, from: ends[partition - 1] ?? 0, to: ends[partition]! };
      });
      const { runs: few, places } = fewerRuns(runs, store, sortBytes, combine);
      writeRun(mergedRun(few, sortBytes), writer, combine);
      for (const place of places) place.remove();
      end(partition);
    }
    for (const { place } of this.#spills) place.remove();
    this.#spills = [];
  }

  #spill(): void {
    const place = this.#options.store.create();
    const writer = new RecordWriter(place.sink);
    const ends: number[] = [];
    this.#write(writer, () => ends.push(writer.bytes));
    writer.flush();
    this.#spills.push({ place, ends });
    this.spilled++;
  }

  /** Empties the buffer into `writer`; `end` is called behind each partition. */
  #write(writer: RecordSink, end: (partition: number) => void): void {
    const { reducers, combine } = this.#options;
    const write = (key: Slice, value: Slice): void => writer.write(key, value);
    for (let partition = 0; partition < reducers; partition++) {
      const sorted = this.#buffer.sorted(partition);
      if (combine === undefined) sorted.each(write);
      else writeRun(sorted, writer, combine);
      end(partition);
    }
    this.#buffer.clear();
  }
}
