/**
 * Cyclic redundancy checks of 32 bits, reflected, in plain TypeScript. They find every burst of up
 * to 32 flipped bits; they are no defence against somebody who means to deceive.
 *
 * @module
 */

/**
 * Bytes folded a step: slicing-by-16 (after Kounavis and Berry, 2005). Measured under Bun 1.4.5 on
 * 1200 bytes: by 4, 919 ns; by 8, 638 ns; by 16, 466 ns. On 30 bytes: 21, 21 and 26 ns.
 */
const SLICE = 16;

/**
 * The tables for a reflected `polynomial`: `tables[k * 256 + b]` is what byte `b` contributes when
 * `k` further bytes follow it.
 */
export function crcTables(polynomial: number): Int32Array {
  const built = new Int32Array(SLICE * 256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
    }
    built[byte] = remainder;
  }
  for (let i = 256; i < built.length; i++) {
    const before = built[i - 256]!;
    built[i] = (before >>> 8) ^ built[before & 0xff]!;
  }
  return built;
}

/**
 * The CRC by tables `t` of `bytes[start..end)`, where `before` is the CRC of whatever precedes them
 * (0 for nothing). Gives 0..2^32-1.
 */
export function crcBy(
  t: Int32Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  before: number,
): number {
  let crc = ~before;
  let i = start;
  for (const last = end - SLICE; i <= last; i += SLICE) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[3840 + (crc & 0xff)]! ^
      t[3584 + ((crc >>> 8) & 0xff)]! ^
      t[3328 + ((crc >>> 16) & 0xff)]! ^
      t[3072 + (crc >>> 24)]! ^
      t[2816 + bytes[i + 4]!]! ^
      t[2560 + bytes[i + 5]!]! ^
      t[2304 + bytes[i + 6]!]! ^
      t[2048 + bytes[i + 7]!]! ^
      t[1792 + bytes[i + 8]!]! ^
      t[1536 + bytes[i + 9]!]! ^
      t[1280 + bytes[i + 10]!]! ^
      t[1024 + bytes[i + 11]!]! ^
      t[768 + bytes[i + 12]!]! ^
      t[512 + bytes[i + 13]!]! ^
      t[256 + bytes[i + 14]!]! ^
      t[bytes[i + 15]!]!;
  }
  for (; i < end; i++) crc = t[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const castagnoli = crcTables(0x82f63b78);

/**
 * CRC-32C (Castagnoli, Braeuer and Herrmann, 1993; RFC 3720, appendix B.4), the checksum of what is
 * kept on disk. Arguments and result as of {@link crcBy}.
 */
export function crc32c(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
  before: number = 0,
): number {
  return crcBy(castagnoli, bytes, start, end, before);
}
