/**
 * IntervalSet against a set of single numbers, and at the ends of the 64-bit range.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Interval, IntervalSet } from "../../work/interval_set.ts";

/** The dumb twin: every number on its own. */
class NumberSet {
  readonly numbers = new Set<bigint>();
  insert(lower: bigint, end: bigint): void {
    for (let n = lower; n < end; n++) this.numbers.add(n);
  }
  remove(lower: bigint, end: bigint): bigint[] {
    const removed = this.common(lower, end);
    for (const n of removed) this.numbers.delete(n);
    return removed;
  }
  common(lower: bigint, end: bigint): bigint[] {
    return this.sorted().filter((n) => n >= lower && n < end);
  }
  sorted(): bigint[] {
    return [...this.numbers].sort((a, b) => (a < b ? -1 : 1));
  }
}

function numbersIn(intervals: readonly Interval[]): bigint[] {
  return intervals.flatMap(({ lower, end }) =>
    Array.from({ length: Number(end - lower) }, (_, i) => lower + BigInt(i)),
  );
}

function expectCanonical(set: IntervalSet): void {
  const { intervals } = set;
  for (const [i, { lower, end }] of intervals.entries()) {
    expect(lower).toBeLessThan(end);
    if (i > 0) expect(intervals[i - 1]!.end).toBeLessThan(lower);
  }
  expect(set.count).toBe(intervals.reduce((sum, { lower, end }) => sum + end - lower, 0n));
}

const step = fc.record({
  kind: fc.constantFrom("insert", "remove", "take", "look"),
  lower: fc.bigInt(0n, 60n),
  length: fc.bigInt(0n, 12n),
});

describe("IntervalSet", () => {
  test("does what a set of numbers does, in any order of operations", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const set = new IntervalSet();
        const twin = new NumberSet();
        for (const { kind, lower, length } of steps) {
          const end = lower + length;
          if (kind === "insert") {
            set.insert(lower, end);
            twin.insert(lower, end);
          } else if (kind === "remove") {
            expect(numbersIn(set.remove(lower, end))).toEqual(twin.remove(lower, end));
          } else if (kind === "take") {
            const taken = set.takeFront(length + 1n);
            const first = twin.sorted()[0];
            expect(taken?.lower).toBe(first);
            if (taken === undefined) continue;
            expect(taken.end - taken.lower).toBeLessThanOrEqual(length + 1n);
            const numbers = numbersIn([taken]);
            expect(twin.remove(taken.lower, taken.end)).toEqual(numbers);
            // Less than asked for only at the end of an interval.
            if (numbers.length <= Number(length)) expect(twin.numbers.has(taken.end)).toBe(false);
          } else {
            expect(numbersIn(set.intersection(lower, end))).toEqual(twin.common(lower, end));
            expect(set.intersects(lower, end)).toBe(twin.common(lower, end).length > 0);
          }
          expectCanonical(set);
          expect(numbersIn(set.intervals)).toEqual(twin.sorted());
        }
      }),
      { numRuns: 300 },
    );
  });

  test("holds all of 0..2^64-1 in one entry and is exact at its ends", () => {
    const end = 1n << 64n;
    const set = new IntervalSet(0n, end);
    expect(set.count).toBe(end);
    expect(set.remove(end - 1n, end)).toEqual([{ lower: end - 1n, end }]);
    expect(set.takeFront(1n)).toEqual({ lower: 0n, end: 1n });
    expect(set.intervals).toEqual([{ lower: 1n, end: end - 1n }]);
    set.insert(end - 1n, end);
    expect(set.size).toBe(1);
    expect(set.count).toBe(end - 1n);
  });

  test("an empty range changes nothing, an inverted one neither", () => {
    const set = new IntervalSet(5n, 9n);
    set.insert(20n, 20n);
    set.insert(30n, 10n);
    expect(set.remove(6n, 6n)).toEqual([]);
    expect(set.intersects(6n, 6n)).toBe(false);
    expect(set.intervals).toEqual([{ lower: 5n, end: 9n }]);
  });
});
