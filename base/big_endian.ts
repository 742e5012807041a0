/**
 * Big-endian numbers in bytes, without a DataView, which is dear to make for every view, and whose
 * 64-bit numbers are big integers.
 *
 * @module
 */

const TWO_32 = 2 ** 32;

/** The four bytes at `at`, as 0..2^32-1. */
export function uint32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return ((bytes[at]! << 24) | low) >>> 0;
}

/** The eight bytes at `at`; exact up to 2^53 - 1. */
export function uint53At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) * TWO_32 + uint32At(bytes, at + 4);
}

/** Writes the low 32 bits of `value`, a whole number below 2^53, to the four bytes at `at`. */
export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
