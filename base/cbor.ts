/**
 * CBOR (RFC 8949) for application payloads: cbor-x writes and reads them, but never sees a
 * stranger's bytes before the strict check here has passed them. Crafted tags can hang cbor-x or
 * make it allocate without bound, and it gives surprising values for broken input.
 *
 * @module
 */
import { Decoder, Encoder } from "cbor-x";

/** What a payload may be made of. 64-bit numbers go in as bigint, come out as either. */
export type CborValue = number | bigint | string | Uint8Array | readonly CborValue[];

/** Arrays may stand this deep in each other, the outermost counted. */
export const MAX_CBOR_DEPTH = 4;
/** Items that one payload may have, arrays counted as items too. */
export const MAX_CBOR_ITEMS = 256;

const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** `value` as CBOR bytes of its own. Integers must be 0..2^32-1 as number, to 2^64-1 as bigint. */
export function encodeCbor(value: CborValue): Uint8Array {
  return new Uint8Array(encoder.encode(value));
}

/** The one item that `bytes` are, or `undefined` when they are not exactly that. Never throws. */
export function decodeCbor(bytes: Uint8Array): CborValue | undefined {
  return isPlainCbor(bytes) ? (decoder.decode(bytes) as CborValue) : undefined;
}

/**
 * Whether `bytes` are exactly one CBOR item made of unsigned integers, byte strings, well-formed
 * text strings and arrays, all of definite length and within the two limits above.
 */
export function isPlainCbor(bytes: Uint8Array): boolean {
  const openArrays: number[] = [];
  let at = 0;
  for (let items = 0; items < MAX_CBOR_ITEMS; items++) {
    const initial = bytes[at++];
    if (initial === undefined) return false;
    const extra = extraBytes(initial & 0x1f);
    if (extra < 0 || at + extra > bytes.length) return false;
    const argument = extra === 0 ? initial & 0x1f : bigEndian(bytes, at, extra);
    at += extra;
    const major = initial >> 5;
    if (major === 2 || major === 3) {
      if (argument > bytes.length - at) return false;
      if (major === 3 && !isUtf8(bytes.subarray(at, at + argument))) return false;
      at += argument;
    } else if (major === 4) {
      if (argument > MAX_CBOR_ITEMS || openArrays.length === MAX_CBOR_DEPTH) return false;
      openArrays.push(argument + 1);
    } else if (major !== 0) {
      return false;
    }
    while (openArrays.length > 0 && --openArrays[openArrays.length - 1]! === 0) openArrays.pop();
    if (openArrays.length === 0) return at === bytes.length;
  }
  return false;
}

/** Bytes after the initial byte that hold the argument (RFC 8949, section 3); -1: none is legal. */
function extraBytes(info: number): number {
  if (info < 24) return 0;
  return info < 28 ? 1 << (info - 24) : -1;
}

function bigEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
