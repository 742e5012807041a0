/**
 * Where the ranges of keys begin that blocks have: which range a key belongs to. Looking for that
 * is the larger part of looking for a key, and strings are slow to compare. So what all beginnings
 * have in common is left out, and six bytes behind it are compared as a number.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";

/** So many bytes a number holds exactly. */
const NUMBER_BYTES = 6;

/** Ranges in the order of their keys; the first takes all keys before the second. */
export class Boundaries {
  /** The first key of each range but the first, whose entry does not count. */
  readonly #froms: ByteString[] = [""];
  /** Of each, what {@link #numberOf} makes of it. */
  readonly #numbers: number[] = [0];
  /** What all of them begin with. */
  #common: ByteString = "";

  /** The range that `key` belongs to. */
  rangeOf(key: ByteString): number {
    const count = this.#froms.length;
    if (count === 1) return 0;
    if (!key.startsWith(this.#common)) return key < this.#common ? 0 : count - 1;
    const number = this.#numberOf(key);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const difference = number - this.#numbers[middle]!;
      const isBehind = difference === 0 ? this.#froms[middle]! <= key : difference > 0;
      if (isBehind) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The range `at`, 1 or more, begins at `from` now; those from there on move up. */
  insert(at: number, from: ByteString): void {
    this.#froms.splice(at, 0, from);
    this.#numbers.splice(at, 0, 0);
    if (this.#froms.length > 2 && from.startsWith(this.#common)) {
      this.#numbers[at] = this.#numberOf(from);
      return;
    }
    // The least and the greatest have in common what all have.
    this.#common = commonOf(this.#froms[1]!, this.#froms.at(-1)!);
    for (const [i, one] of this.#froms.entries()) this.#numbers[i] = this.#numberOf(one);
  }

  /** The range `at` is no more: the one before it, or behind it if it is the first, grows. */
  remove(at: number): void {
    this.#froms.splice(at, 1);
    this.#numbers.splice(at, 1);
  }

  #numberOf(key: ByteString): number {
    let number = 0;
    const start = this.#common.length;
    for (let i = start; i < start + NUMBER_BYTES; i++) {
      number = number * 256 + (i < key.length ? key.charCodeAt(i) : 0);
    }
    return number;
  }
}

function commonOf(a: ByteString, b: ByteString): ByteString {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
