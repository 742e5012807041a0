/**
 * The same CRC-32 as crc32.ts by Bun's native code, for adapters to hand to the codec. Measured on
 * 1200 bytes: 36 ns for a whole array, 106 ns for a view of one, against 544 ns.
 *
 * @module
 */
import { crc32 } from "./crc32.ts";
import { HEADER_BYTES, MAGIC } from "./frame_layout.ts";

/** Below this many bytes the call costs more than it saves. */
const NATIVE_BYTES_MIN = 160;

/** The CRC of what precedes the checksum in a datagram: magic and no flags. */
const HEADER_CRC = crc32(Uint8Array.of(MAGIC, 0));

/**
 * What, in place of the checksum's four bytes, leaves the CRC of the datagram as if they were not
 * there. Four bytes take the CRC's register r to L(r ^ bytes), with L invertible; r shall stay r.
 */
const INVISIBLE = ~HEADER_CRC ^ stepBack(~HEADER_CRC);

/** The register that 32 zero bits turn into `register`. */
function stepBack(register: number): number {
  let r = register;
  for (let bit = 0; bit < 32; bit++) r = r < 0 ? ((r ^ 0xedb88320) << 1) | 1 : r << 1;
  return r;
}

/** A `Checksum`: the CRC-32 of `bytes[start..end)` that follow bytes with the CRC `before`. */
export function crc32Native(bytes: Uint8Array, start: number, end: number, before: number): number {
  if (end - start < NATIVE_BYTES_MIN) return crc32(bytes, start, end, before);
  if (end !== bytes.length) return Bun.hash.crc32(viewOf(bytes, start, end), before);
  if (start !== HEADER_BYTES || before !== HEADER_CRC) {
    return Bun.hash.crc32(bytes.subarray(start, end), before);
  }
  if (bytes[0] !== MAGIC || bytes[1] !== 0) {
    return Bun.hash.crc32(bytes.subarray(start, end), before);
  }
  return wholeDatagram(bytes);
}

/** The last view of each buffer that datagrams are written into: the next often has its length. */
const views = new WeakMap<Uint8Array, Uint8Array>();

function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const last = views.get(bytes);
  const isSame = last?.length === end - start && last.byteOffset === bytes.byteOffset + start;
  if (last !== undefined && isSame) return last;
  const view = bytes.subarray(start, end);
  views.set(bytes, view);
  return view;
}

/** A view of an array that Bun has just made costs more than the CRC: so there is none. */
function wholeDatagram(bytes: Uint8Array): number {
  const a = bytes[2]!;
  const b = bytes[3]!;
  const c = bytes[4]!;
  const d = bytes[5]!;
  bytes[2] = INVISIBLE;
  bytes[3] = INVISIBLE >>> 8;
  bytes[4] = INVISIBLE >>> 16;
  bytes[5] = INVISIBLE >>> 24;
  const crc = Bun.hash.crc32(bytes);
  bytes[2] = a;
  bytes[3] = b;
  bytes[4] = c;
  bytes[5] = d;
  return crc;
}
