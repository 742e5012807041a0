/**
 * CRC-32 as Ethernet, zip and zlib use it (ISO 3309, reflected polynomial 0xedb88320): the checksum
 * of every cbor datagram.
 *
 * @module
 */
import { crcBy, crcTables } from "../base/crc.ts";

/**
 * Computes a CRC-32: of `bytes[start..end)`, where `before` is the CRC of whatever precedes them (0
 * for nothing). Gives 0..2^32-1.
 */
export type Checksum = (bytes: Uint8Array, start: number, end: number, before: number) => number;

const tables = crcTables(0xedb88320);

/**
 * A {@link Checksum} that runs everywhere. Adapters under Bun have a faster one: crc32_native.ts.
 */
export function crc32(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
  before: number = 0,
): number {
  return crcBy(tables, bytes, start, end, before);
}
