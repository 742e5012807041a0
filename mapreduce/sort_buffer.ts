/**
 * Records in memory, sorted by partition, then by the bytes of the key, then by arrival.
 *
 * @module
 */
import type { Slice } from "./bytes.ts";
import type { SortedRun } from "./merge.ts";
import type { MovingSlice } from "./records.ts";

/** Records that one buffer holds: their numbers have 24 bits in a sort key. */
const RECORDS_MAX = 1 << 24;
/** Bytes of the key that the sort key holds beside the record's number. */
const PREFIX_BYTES = 5;
/** So many are sorted by insertion: it makes no garbage. */
const FEW = 24;
/** Numbers kept of a record. */
const FIELDS = 4;
/** What a record costs beside its bytes, and while it is sorted: its number, and eight bytes. */
const RECORD_BYTES = 4 * FIELDS;
const SORTING_BYTES = 12;

/**
 * Collects records up to a number of bytes; then they are read in order, and it is emptied. All of
 * it is one piece of memory, taken once: the bytes grow from its beginning, the numbers toward
 * them, and behind is room for sorting. What is not used of it the system does not provide.
 */
export class SortBuffer {
  readonly #partitions: number;
  #arena: Uint8Array;
  #used = 0;
  /** Of each record: partition, where its key begins and ends, where its value ends; backwards. */
  #fields: Uint32Array;
  #count = 0;
  #buckets: { readonly records: Uint32Array; readonly ends: Uint32Array } | undefined;

  /** Where the order of the records, and what they are sorted by, is worked out. */
  #sorting: Sorting;

  /** `memory` is all that it takes, unless one record needs more. */
  constructor(partitions: number, memory: ArrayBuffer) {
    this.#partitions = partitions;
    const records = Math.floor(memory.byteLength / (RECORD_BYTES + SORTING_BYTES) / 2) * 2;
    [this.#arena, this.#fields, this.#sorting] = laidOut(memory, records);
  }

  get size(): number {
    return this.#count;
  }

  /** Whether the record was taken; false: empty the buffer first. An empty one takes any. */
  add(partition: number, key: Slice, value: Slice): boolean {
    const bytes = key.to - key.from + value.to - value.from;
    const needs = this.#used + bytes + (this.#count + 1) * RECORD_BYTES;
    if (needs > this.#arena.length || this.#count === RECORDS_MAX) {
      if (this.#count > 0) return false;
      this.#enlarge(needs);
    }
    this.#buckets = undefined;
    const fields = this.#fields;
    const at = fields.length - ++this.#count * FIELDS;
    fields[at] = partition;
    fields[at + 1] = this.#used;
    this.#copy(key);
    fields[at + 2] = this.#used;
    this.#copy(value);
    fields[at + 3] = this.#used;
    return true;
  }

  /** The records of a partition in order, until the next `add` or `clear`. */
  sorted(partition: number): SortedRecords {
    this.#buckets ??= this.#bucketed();
    const { records, ends } = this.#buckets;
    const from = partition === 0 ? 0 : ends[partition - 1]!;
    const order = this.#inOrder(records.subarray(from, ends[partition]));
    return new SortedRecords(this.#arena, this.#fields, order);
  }

  clear(): void {
    this.#used = 0;
    this.#count = 0;
    this.#buckets = undefined;
  }

  /** Makes room for one record that is larger than all. */
  #enlarge(bytes: number): void {
    const records = 2 * Math.ceil(bytes / RECORD_BYTES / 2);
    const memory = new ArrayBuffer(records * (RECORD_BYTES + SORTING_BYTES));
    [this.#arena, this.#fields, this.#sorting] = laidOut(memory, records);
  }

  #copy({ bytes, from, to }: Slice): void {
    const arena = this.#arena;
    let at = this.#used;
    if (to - from > 32) {
      arena.set(bytes.subarray(from, to), at);
      at += to - from;
    } else for (let i = from; i < to; i++) arena[at++] = bytes[i]!;
    this.#used = at;
  }

  /** Where the numbers of a record are. */
  #at(record: number): number {
    return this.#fields.length - (record + 1) * FIELDS;
  }

  /** The numbers of all records, partition by partition, and where each partition ends. */
  #bucketed(): { records: Uint32Array; ends: Uint32Array } {
    const fields = this.#fields;
    const ends = new Uint32Array(this.#partitions + 1);
    for (let i = 0; i < this.#count; i++) ends[fields[this.#at(i)]! + 1]!++;
    for (let p = 1; p <= this.#partitions; p++) ends[p]! += ends[p - 1]!;
    const records = this.#sorting.order;
    for (let i = 0; i < this.#count; i++) records[ends[fields[this.#at(i)]!]!++] = i;
    return { records, ends };
  }

  /**
   * `records` in the order of their keys. A number of 64 bits holds the first bytes of the key and
   * the record's number: those are sorted natively, without a comparison in this language, and only
   * among keys that begin alike the rest is compared.
   */
  #inOrder(records: Uint32Array): Uint32Array {
    const keys = this.#sorting.keys.subarray(0, records.length);
    const halves = new Uint32Array(keys.buffer, keys.byteOffset, 2 * records.length);
    const [arena, fields] = [this.#arena, this.#fields];
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      const at = fields.length - (record + 1) * FIELDS;
      const from = fields[at + 1]!;
      const length = fields[at + 2]! - from;
      let high = 0;
      for (let j = 0; j < 4; j++) high = (high << 8) | (j < length ? arena[from + j]! : 0);
      halves[2 * i + 1] = high;
      halves[2 * i] = ((length > 4 ? arena[from + 4]! : 0) << 24) | record;
    }
    keys.sort();
    const order = records;
    for (let i = 0; i < order.length; i++) order[i] = halves[2 * i]! & 0xffffff;
    const isAlike = (i: number): boolean =>
      halves[2 * i + 1] === halves[2 * i - 1] &&
      halves[2 * i]! >>> 24 === halves[2 * i - 2]! >>> 24;
    let start = 0;
    for (let i = 1; i <= order.length; i++) {
      if (i < order.length && isAlike(i)) continue;
      if (i - start > 1) this.#settle(order, start, i);
      start = i;
    }
    return order;
  }

  /** Sorts those at `from..to-1`, whose keys have the same first bytes; most of them are few. */
  #settle(order: Uint32Array, from: number, to: number): void {
    if (to - from > FEW) {
      // Very many are of one key, mostly: they came in order, and sorting would copy them.
      let i = from + 1;
      while (i < to && this.#compare(order[i - 1]!, order[i]!) < 0) i++;
      if (i < to) order.subarray(from, to).sort((a, b) => this.#compare(a, b));
      return;
    }
    for (let i = from + 1; i < to; i++) {
      const record = order[i]!;
      let j = i;
      for (; j > from && this.#compare(order[j - 1]!, record) > 0; j--) order[j] = order[j - 1]!;
      order[j] = record;
    }
  }

  /** Compares the keys of two records behind the bytes that they share, then their numbers. */
  #compare(a: number, b: number): number {
    const arena = this.#arena;
    const fields = this.#fields;
    const x = this.#at(a);
    const y = this.#at(b);
    const left = fields[x + 1]!;
    const right = fields[y + 1]!;
    const leftLength = fields[x + 2]! - left;
    const rightLength = fields[y + 2]! - right;
    const length = leftLength < rightLength ? leftLength : rightLength;
    for (let i = PREFIX_BYTES; i < length; i++) {
      const difference = arena[left + i]! - arena[right + i]!;
      if (difference !== 0) return difference;
    }
    // Zeros stood for what a short key does not have.
    return leftLength - rightLength || a - b;
  }
}

/** Room for sorting. */
interface Sorting {
  readonly keys: BigUint64Array;
  readonly order: Uint32Array;
}

/** The parts of the memory of a buffer for at most so many records, an even number. */
function laidOut(memory: ArrayBuffer, records: number): [Uint8Array, Uint32Array, Sorting] {
  const bytes = records * RECORD_BYTES;
  return [
    new Uint8Array(memory, 0, bytes),
    new Uint32Array(memory, 0, bytes / 4),
    {
      keys: new BigUint64Array(memory, bytes, records),
      order: new Uint32Array(memory, bytes + 8 * records, records),
    },
  ];
}

/** Records of a {@link SortBuffer} in order, as a sorted run. */
class SortedRecords implements SortedRun {
  readonly key: MovingSlice;
  readonly value: MovingSlice;
  readonly #fields: Uint32Array;
  readonly #order: Uint32Array;
  #next = 0;

  constructor(bytes: Uint8Array, fields: Uint32Array, order: Uint32Array) {
    this.key = { bytes, from: 0, to: 0 };
    this.value = { bytes, from: 0, to: 0 };
    this.#fields = fields;
    this.#order = order;
  }

  advance(): boolean {
    if (this.#next === this.#order.length) return false;
    const at = this.#fields.length - (this.#order[this.#next++]! + 1) * FIELDS;
    this.key.from = this.#fields[at + 1]!;
    this.key.to = this.value.from = this.#fields[at + 2]!;
    this.value.to = this.#fields[at + 3]!;
    return true;
  }

  /** All that are left. */
  each(take: (key: Slice, value: Slice) => void): void {
    while (this.advance()) take(this.key, this.value);
  }
}
