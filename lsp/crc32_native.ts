/**
 * The same CRC-32 as crc32.ts by Bun's native code, for adapters to hand to the codec. Measured on
 * 1200 bytes: 65 ns against 466 ns.
 *
 * @module
 */
import { crc32 } from "./crc32.ts";

/** Below this many bytes the call costs more than it saves (measured: 64 ns a call). */
const NATIVE_BYTES_MIN = 160;

/** A `Checksum`: the CRC-32 of `bytes[start..end)` that follow bytes with the CRC `before`. */
export function crc32Native(bytes: Uint8Array, start: number, end: number, before: number): number {
  if (end - start < NATIVE_BYTES_MIN) return crc32(bytes, start, end, before);
  return Bun.hash.crc32(bytes.subarray(start, end), before);
}
