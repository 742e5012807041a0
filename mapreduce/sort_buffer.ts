/**
 * Records in memory, sorted by partition, then by the bytes of the key, then by arrival.
 *
 * @module
 */
import { compareSlices, type Slice } from "./bytes.ts";
import type { SortedRun } from "./merge.ts";
import type { MovingSlice } from "./records.ts";

/** Records that one buffer holds: their numbers have 24 bits in a sort key. */
const RECORDS_MAX = 1 << 24;
/** What a record costs beside its bytes: five numbers, and eight bytes to sort by. */
const RECORD_OVERHEAD_BYTES = 28;
/** Bytes of the key that the sort key holds beside the record's number. */
const PREFIX_BYTES = 5;
/** Numbers kept of a record. */
const FIELDS = 4;

/** Collects records up to a number of bytes; then they are read in order, and it is emptied. */
export class SortBuffer {
  readonly #mostBytes: number;
  readonly #partitions: number;
  #arena: Uint8Array;
  #used = 0;
  /** Of each record: partition, where its key begins and ends, where its value ends. */
  #fields: Uint32Array = new Uint32Array(FIELDS * 1024);
  #count = 0;
  #buckets: { readonly records: Uint32Array; readonly ends: Uint32Array } | undefined;

  /** `mostBytes` bounds the memory that it takes, its tables included. */
  constructor(partitions: number, mostBytes: number) {
    this.#partitions = partitions;
    this.#mostBytes = mostBytes;
    this.#arena = new Uint8Array(Math.min(mostBytes, 1 << 16));
  }

  get size(): number {
    return this.#count;
  }

  /** Whether the record was taken; false: empty the buffer first. An empty one takes any. */
  add(partition: number, key: Slice, value: Slice): boolean {
    const keyBytes = key.to - key.from;
    const bytes = keyBytes + value.to - value.from;
    const needs = this.#used + bytes + (this.#count + 1) * RECORD_OVERHEAD_BYTES;
    if (this.#count > 0 && (needs > this.#mostBytes || this.#count === RECORDS_MAX)) return false;
    if (this.#used + bytes > this.#arena.length) this.#growArena(bytes);
    if ((this.#count + 1) * FIELDS > this.#fields.length) {
      const larger = new Uint32Array(2 * this.#fields.length);
      larger.set(this.#fields);
      this.#fields = larger;
    }
    this.#buckets = undefined;
    const at = this.#count++ * FIELDS;
    const fields = this.#fields;
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

  #growArena(bytes: number): void {
    const least = this.#used + bytes;
    const larger = new Uint8Array(
      Math.max(least, Math.min(2 * this.#arena.length, this.#mostBytes)),
    );
    larger.set(this.#arena.subarray(0, this.#used));
    this.#arena = larger;
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

  /** The numbers of all records, partition by partition, and where each partition ends. */
  #bucketed(): { records: Uint32Array; ends: Uint32Array } {
    const fields = this.#fields;
    const ends = new Uint32Array(this.#partitions + 1);
    for (let i = 0; i < this.#count; i++) ends[fields[i * FIELDS]! + 1]!++;
    for (let p = 1; p <= this.#partitions; p++) ends[p]! += ends[p - 1]!;
    const records = new Uint32Array(this.#count);
    for (let i = 0; i < this.#count; i++) records[ends[fields[i * FIELDS]!]!++] = i;
    return { records, ends };
  }

  /**
   * `records` in the order of their keys. A number of 64 bits holds the first bytes of the key and
   * the record's number: those are sorted natively, without a comparison in this language, and only
   * among keys that begin alike the rest is compared.
   */
  #inOrder(records: Uint32Array): Uint32Array {
    const keys = new BigUint64Array(records.length);
    const halves = new Uint32Array(keys.buffer);
    const [arena, fields] = [this.#arena, this.#fields];
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      const from = fields[record * FIELDS + 1]!;
      const length = fields[record * FIELDS + 2]! - from;
      const byte = (at: number): number => (at < length ? arena[from + at]! : 0);
      halves[2 * i + 1] = (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3);
      halves[2 * i] = (byte(4) << 24) | record;
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
      if (i - start > 1) this.#settle(order.subarray(start, i));
      start = i;
    }
    return order;
  }

  /** Sorts those whose keys have the same first bytes. */
  #settle(order: Uint32Array): void {
    const [arena, fields] = [this.#arena, this.#fields];
    order.sort((a, b) => {
      const [x, y] = [a * FIELDS, b * FIELDS];
      const left = { bytes: arena, from: fields[x + 1]!, to: fields[x + 2]! };
      const right = { bytes: arena, from: fields[y + 1]!, to: fields[y + 2]! };
      left.from += Math.min(PREFIX_BYTES, left.to - left.from);
      right.from += Math.min(PREFIX_BYTES, right.to - right.from);
      return compareSlices(left, right) || tail(x, y, fields) || a - b;
    });
  }
}

/** Keys of less than the prefix's bytes: a shorter one comes first, for zeros were put behind. */
function tail(x: number, y: number, fields: Uint32Array): number {
  return fields[x + 2]! - fields[x + 1]! - (fields[y + 2]! - fields[y + 1]!);
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
    const at = this.#order[this.#next++]! * FIELDS;
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
