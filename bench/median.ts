/**
 * The figure that the benchmarks print of many runs.
 *
 * @module
 */

/** The middle one of `numbers`, of two the upper; NaN of none. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}
