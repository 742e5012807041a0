/**
 * CRC-32 as Ethernet, zip and zlib use it (ISO 3309, reflected polynomial 0xedb88320), in plain
 * TypeScript: the checksum of every native datagram. It finds every burst of up to 32 flipped bits;
 * it is no defence against somebody who means to deceive.
 *
 * @module
 */

/** Bytes folded a step: slicing-by-8 (Kounavis and Berry, 2005), the fastest here by measurement. */
const SLICE = 8;

/** `tables[k * 256 + b]`: what byte `b` contributes when `k` further bytes follow it. */
const tables: Int32Array = sliceTables();

function sliceTables(): Int32Array {
  const built = new Int32Array(SLICE * 256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
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
 * The CRC-32 of `bytes[start..end)`, 0..2^32-1. `before` is the CRC of whatever precedes these
 * bytes, so that `crc32(b, n, b.length, crc32(b, 0, n))` equals `crc32(b)`.
 */
export function crc32(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
  before: number = 0,
): number {
  const t = tables;
  let crc = ~before;
  let at = start;
  for (const last = end - SLICE; at <= last; at += SLICE) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
