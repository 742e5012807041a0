/**
 * A set of whole numbers as sorted, disjoint intervals: the oracle's own, written apart from the
 * server's on purpose.
 *
 * @module
 */

/** Both ends included. */
export interface Range {
  readonly lower: bigint;
  readonly upper: bigint;
}

/** Numbers, as few intervals as possible. */
export class Intervals {
  #ranges: Range[] = [];

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** How many numbers there are in it. */
  get count(): bigint {
    return this.#ranges.reduce((sum, { lower, upper }) => sum + upper - lower + 1n, 0n);
  }

  /** Adds [lower, upper] and returns how many of these numbers were in the set before. */
  add(lower: bigint, upper: bigint): bigint {
    if (lower > upper) return 0n;
    const before: Range[] = [];
    const after: Range[] = [];
    let merged = { lower, upper };
    let known = 0n;
    for (const range of this.#ranges) {
      if (range.upper + 1n < lower) before.push(range);
      else if (range.lower > upper + 1n) after.push(range);
      else {
        const from = larger(range.lower, lower);
        const to = smaller(range.upper, upper);
        if (from <= to) known += to - from + 1n;
        merged = {
          lower: smaller(range.lower, merged.lower),
          upper: larger(range.upper, merged.upper),
        };
      }
    }
    this.#ranges = [...before, merged, ...after];
    return known;
  }

  /** Whether all of [lower, upper] is in the set. */
  covers(lower: bigint, upper: bigint): boolean {
    return this.#ranges.some((range) => range.lower <= lower && upper <= range.upper);
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
