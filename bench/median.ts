/**
 * The figures that the benchmarks print of many runs.
 *
 * @module
 */

/** The middle one of `numbers`, of two the upper; NaN of none. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/** The one of `sorted`, which ascend, up to which a share `q` (0..1) of them lies; NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}
