/**
 * The fleet's numbers as people read them, in one style everywhere.
 *
 * @module
 */

const SI = ["", "k", "M", "G", "T", "P", "E"];

/** A rate with an SI prefix: `1.23 GH/s`. */
export function readableRate(noncesPerSecond: number): string {
  let [value, prefix] = [noncesPerSecond, 0];
  // 999.95 would be printed as 1000.
  while (value >= 999.95 && prefix < SI.length - 1) [value, prefix] = [value / 1000, prefix + 1];
  const digits = prefix === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${SI[prefix]}H/s`;
}

/** A hash as 16 hexadecimal digits, as `--target` takes it. */
export function hexDigits(hash: bigint): string {
  return hash.toString(16).padStart(16, "0");
}

/** How many of the hash's 64 bits are zero before the first one. */
export function leadingZeroBits(hash: bigint): number {
  return hash === 0n ? 64 : 64 - hash.toString(2).length;
}
