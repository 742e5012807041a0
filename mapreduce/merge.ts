/**
 * Sorted runs made one: the records of several runs in the order of their keys, those of equal keys
 * in the order of the runs.
 *
 * @module
 */
import { compareSlices, type Slice } from "./bytes.ts";
import type { MovingSlice } from "./records.ts";

/** Something that gives records in the order of their keys; see {@link RunReader}. */
export interface SortedRun {
  readonly key: Slice;
  readonly value: Slice;
  advance(): boolean;
}

interface Place {
  readonly run: SortedRun;
  readonly number: number;
}

/** The runs as one: the same interface, over all of them. A heap of which only the top moves. */
export class MergedRun implements SortedRun {
  readonly #runs: readonly SortedRun[];
  readonly #heap: Place[] = [];
  #begun = false;

  constructor(runs: readonly SortedRun[]) {
    this.#runs = runs;
  }

  get key(): Slice {
    return this.#heap[0]!.run.key;
  }

  get value(): Slice {
    return this.#heap[0]!.run.value;
  }

  advance(): boolean {
    const heap = this.#heap;
    if (!this.#begun) {
      this.#begun = true;
      for (const [number, run] of this.#runs.entries()) {
        if (run.advance()) heap.push({ run, number });
      }
      for (let place = (heap.length >> 1) - 1; place >= 0; place--) this.#sink(place);
      return heap.length > 0;
    }
    const top = heap[0];
    if (top === undefined) return false;
    if (!top.run.advance()) {
      const last = heap.pop()!;
      if (heap.length === 0) return false;
      heap[0] = last;
    }
    this.#sink(0);
    return true;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const item = heap[from]!;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child]!)) child++;
      if (!isBefore(heap[child]!, item)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = item;
  }
}

function isBefore(a: Place, b: Place): boolean {
  const order = compareSlices(a.run.key, b.run.key);
  return order < 0 || (order === 0 && a.number < b.number);
}

/** A copy of slices, one after the other, in memory of its own that is used again. */
export class Kept implements MovingSlice {
  bytes: Uint8Array = new Uint8Array(64);
  readonly from = 0;
  to = 0;

  set({ bytes, from, to }: Slice): void {
    const length = to - from;
    if (length > this.bytes.length) this.bytes = new Uint8Array(2 * length);
    const own = this.bytes;
    if (length > 32) own.set(bytes.subarray(from, to));
    else for (let i = 0; i < length; i++) own[i] = bytes[from + i]!;
    this.to = length;
  }
}

/**
 * A key with all its values, which can be read once. Both are good until the next group: a reader
 * that needs them longer makes a copy.
 */
export interface Group {
  readonly key: Slice;
  readonly values: Iterable<Slice>;
}

/** The groups of a sorted run, one after the other. Values that nobody reads are passed over. */
export class Groups implements Group, Iterable<Slice>, Iterator<Slice> {
  readonly key: Kept = new Kept();
  readonly #run: SortedRun;
  #hasRecord = false;
  /** The record that the run is at was given to the reader of the values. */
  #isGiven = false;
  #begun = false;
  readonly #result: { value: Slice; done: boolean };

  constructor(run: SortedRun) {
    this.#run = run;
    this.#result = { value: this.key, done: false };
  }

  get values(): Iterable<Slice> {
    return this;
  }

  /** The value that was read last. */
  get present(): Slice {
    return this.#run.value;
  }

  /** Goes on to the next key; false at the end. */
  advance(): boolean {
    if (this.#begun) while (!this.next().done);
    else this.#hasRecord = this.#run.advance();
    this.#begun = true;
    if (!this.#hasRecord) return false;
    this.key.set(this.#run.key);
    this.#isGiven = false;
    return true;
  }

  /** The next value of the key. */
  next(): { value: Slice; done: boolean } {
    if (this.#isGiven && this.#hasRecord) {
      this.#hasRecord = this.#run.advance();
      this.#isGiven = false;
    }
    const result = this.#result;
    result.done = !this.#hasRecord || compareSlices(this.#run.key, this.key) !== 0;
    if (result.done) return result;
    this.#isGiven = true;
    result.value = this.#run.value;
    return result;
  }

  [Symbol.iterator](): Iterator<Slice> {
    return this;
  }
}

/** The records of a sorted run by key. */
export function* groupsOf(run: SortedRun): Iterable<Group> {
  const groups = new Groups(run);
  while (groups.advance()) yield groups;
}
