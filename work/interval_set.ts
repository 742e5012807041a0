/**
 * A set of nonces as disjoint half-open intervals of bigints, in order. Every operation costs by
 * the number of intervals ("holes"), never by the number of nonces: all of 0..2^64-1 is one entry.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";

/** The nonces `lower <= n < end`. */
export interface Interval {
  readonly lower: bigint;
  readonly end: bigint;
}

/** A mutable set of nonces. Neighbours that touch are merged, so the representation is unique. */
export class IntervalSet {
  #items: Interval[] = [];
  #count = 0n;

  /** The set of all `n` with `lower <= n < end`; empty when left out. */
  constructor(lower = 0n, end = 0n) {
    this.insert(lower, end);
  }

  /** How many nonces are in the set. */
  get count(): bigint {
    return this.#count;
  }

  /** How many intervals the set consists of. */
  get size(): number {
    return this.#items.length;
  }

  /** The intervals in ascending order; not to be changed. */
  get intervals(): readonly Interval[] {
    return this.#items;
  }

  /** Adds `lower <= n < end`, whatever of it is in the set already. */
  insert(lower: bigint, end: bigint): void {
    if (lower >= end) return;
    const first = this.#firstEndingAtOrAfter(lower);
    let last = first;
    let from = lower;
    let to = end;
    for (; last < this.#items.length; last++) {
      const item = this.#items[last]!;
      if (item.lower > end) break;
      if (item.lower < from) from = item.lower;
      if (item.end > to) to = item.end;
      this.#count -= item.end - item.lower;
    }
    this.#items.splice(first, last - first, { lower: from, end: to });
    this.#count += to - from;
  }

  /** Takes `lower <= n < end` away and returns what of it was in the set, in order. */
  remove(lower: bigint, end: bigint): Interval[] {
    const removed = this.intersection(lower, end);
    if (removed.length === 0) return removed;
    const first = this.#firstEndingAtOrAfter(lower + 1n);
    const left = this.#items[first]!;
    const right = this.#items[first + removed.length - 1]!;
    const rest: Interval[] = [];
    if (left.lower < lower) rest.push({ lower: left.lower, end: lower });
    if (right.end > end) rest.push({ lower: end, end: right.end });
    this.#items.splice(first, removed.length, ...rest);
    for (const piece of removed) this.#count -= piece.end - piece.lower;
    return removed;
  }

  /** Takes up to `most` (1 or more) nonces from the front, as one interval; undefined if empty. */
  takeFront(most: bigint): Interval | undefined {
    invariant(most > 0n, "takeFront takes at least one nonce");
    const front = this.#items[0];
    if (front === undefined) return undefined;
    const end = front.lower + most;
    if (end >= front.end) {
      this.#items.shift();
      this.#count -= front.end - front.lower;
      return front;
    }
    this.#items[0] = { lower: end, end: front.end };
    this.#count -= most;
    return { lower: front.lower, end };
  }

  /** What the set and `lower <= n < end` have in common, in order. */
  intersection(lower: bigint, end: bigint): Interval[] {
    const common: Interval[] = [];
    if (lower >= end) return common;
    for (let i = this.#firstEndingAtOrAfter(lower + 1n); i < this.#items.length; i++) {
      const item = this.#items[i]!;
      if (item.lower >= end) break;
      common.push({
        lower: item.lower > lower ? item.lower : lower,
        end: item.end < end ? item.end : end,
      });
    }
    return common;
  }

  /** Whether any of `lower <= n < end` is in the set. */
  intersects(lower: bigint, end: bigint): boolean {
    if (lower >= end) return false;
    const item = this.#items[this.#firstEndingAtOrAfter(lower + 1n)];
    return item !== undefined && item.lower < end;
  }

  /** Index of the first interval whose `end` is at least `nonce`; the length if there is none. */
  #firstEndingAtOrAfter(nonce: bigint): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#items[middle]!.end < nonce) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
