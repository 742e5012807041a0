/**
 * CBOR (RFC 8949) for application payloads. cbor-x writes them. Reading is ours: crafted tags can
 * hang cbor-x or make it allocate without bound, it gives surprising values for broken input, and
 * how it decodes text depends on what is installed beside it (without its native addon a U+FEFF at
 * the beginning of a text of more than 64 bytes is lost).
 *
 * @module
 */
// Never "cbor-x" itself, which looks for a native addon, wherever the program happens to run.
import { Encoder } from "cbor-x/encode";
import { partOf } from "./byte_fields.ts";
import { invariant } from "./machine.ts";

/** What a payload may be made of. 64-bit numbers go in as bigint, come out as either. */
export type CborValue = number | bigint | string | Uint8Array | readonly CborValue[];

/** Arrays may stand this deep in each other, the outermost counted. */
export const CBOR_DEPTH_MAX = 4;
/** Items that one payload may have, arrays counted as items too. */
export const CBOR_ITEMS_MAX = 256;

/**
 * cbor-x's RESET_BUFFER_MODE: the next value is written over this one. Else each value lies behind
 * the one before, in new memory again and again.
 */
const RESET_BUFFER_MODE = 1024;
/** What the types of cbor-x leave out. */
interface BufferedEncoder {
  encode(value: CborValue, mode: number): Uint8Array;
  /** Writes there from now on; text can only be written into a Buffer. */
  useBuffer(buffer: Buffer): void;
}

const encoder = new Encoder({
  useRecords: false,
  tagUint8Array: false,
}) as unknown as BufferedEncoder;
/** Where values are written, and copied from. */
const scratch = Buffer.allocUnsafeSlow(8192);
/** A value with so many bytes in its byte strings is written where it stays. */
const LARGE_BYTES = 4096;
/** Room for all else in it, and what cbor-x wants to have left; it makes more if need be. */
const SPARE_BYTES = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

encoder.useBuffer(scratch);

/**
 * `value` as CBOR bytes of its own. Integers must be 0..2^32-1 as number, to 2^64-1 as bigint; text
 * must be well-formed, for a lone surrogate has no UTF-8 form and would be sent as another text.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  const stringBytes = byteStringBytes(value);
  if (stringBytes < LARGE_BYTES) return new Uint8Array(encoder.encode(value, RESET_BUFFER_MODE));
  encoder.useBuffer(Buffer.allocUnsafeSlow(stringBytes + SPARE_BYTES));
  try {
    const { buffer, byteOffset, length } = encoder.encode(value, 0);
    return new Uint8Array(buffer, byteOffset, length);
  } finally {
    encoder.useBuffer(scratch);
  }
}

/** The length of all byte strings in `value`. */
function byteStringBytes(value: CborValue): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value === "string") {
    invariant(value.isWellFormed(), "text on the wire is well-formed Unicode");
    return 0;
  }
  let bytes = 0;
  if (Array.isArray(value)) for (const item of value) bytes += byteStringBytes(item as CborValue);
  return bytes;
}

/**
 * The one item that `bytes` are, or `undefined` when they are not exactly that. Taken are unsigned
 * integers, byte strings, well-formed text strings and arrays, all of definite length and within
 * the two limits above. An integer of eight bytes is a bigint, a shorter one a number; a byte
 * string may be a view into `bytes`. Never throws.
 */
export function decodeCbor(bytes: Uint8Array): CborValue | undefined {
  const reader = new Reader(bytes);
  const value = reader.item(0);
  return reader.atEnd ? value : undefined;
}

/**
 * The integers of up to 32 bits that the array in `bytes` begins with, at most `most`, although
 * what comes behind them may be anything: which message it is that cannot be read. Never throws.
 */
export function leadingCounts(bytes: Uint8Array, most: number): number[] {
  return new Reader(bytes).counts(most);
}

/** Reads items one after the other; after the first `undefined` its position means nothing. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #items = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next item, inside of `depth` arrays. */
  item(depth: number): CborValue | undefined {
    const initial = this.#bytes[this.#at++];
    if (initial === undefined || this.#items++ === CBOR_ITEMS_MAX) return undefined;
    const major = initial >> 5;
    const info = initial & 0x1f;
    if (major === 0 && info === 27) return this.#uint64();
    const argument = this.#argument(info);
    if (argument === undefined) return undefined;
    switch (major) {
      case 0:
        return argument;
      case 2:
        return this.#taken(argument);
      case 3:
        return this.#text(argument);
      case 4:
        return this.#array(argument, depth);
      default:
        return undefined;
    }
  }

  /** Up to `most` numbers at the beginning of an array. */
  counts(most: number): number[] {
    const counts: number[] = [];
    const initial = this.#bytes[this.#at++] ?? 0;
    const length = initial >> 5 === 4 ? (this.#argument(initial & 0x1f) ?? 0) : 0;
    while (counts.length < Math.min(most, length)) {
      const value = this.item(1);
      if (typeof value !== "number") break;
      counts.push(value);
    }
    return counts;
  }

  /** The number behind an initial byte with `info` (RFC 8949, section 3), if it is legal. */
  #argument(info: number): number | undefined {
    if (info < 24) return info;
    if (info > 27) return undefined;
    const length = 1 << (info - 24);
    const bytes = this.#bytes;
    if (this.#at + length > bytes.length) return undefined;
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + bytes[this.#at++]!;
    return value;
  }

  #uint64(): bigint | undefined {
    const high = this.#argument(26);
    const low = this.#argument(26);
    if (high === undefined || low === undefined) return undefined;
    // One bigint instead of three, as long as a double holds the number.
    if (high < 2 ** 21) return BigInt(high * 2 ** 32 + low);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #taken(length: number): Uint8Array | undefined {
    const from = this.#at;
    if (length > this.#bytes.length - from) return undefined;
    this.#at += length;
    return partOf(this.#bytes, from, this.#at);
  }

  #text(length: number): string | undefined {
    const bytes = this.#taken(length);
    if (bytes === undefined) return undefined;
    try {
      return utf8.decode(bytes);
    } catch {
      return undefined;
    }
  }

  #array(length: number, depth: number): readonly CborValue[] | undefined {
    if (depth === CBOR_DEPTH_MAX) return undefined;
    const values: CborValue[] = [];
    // One that claims more than there is ends with the bytes, or at the limit of items.
    for (let i = 0; i < length; i++) {
      const value = this.item(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }
}
