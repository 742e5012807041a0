/**
 * CBOR (RFC 8949) for application payloads, written and read here and not by a library: crafted
 * tags can hang common readers or make them allocate without bound, and of all that CBOR can say a
 * payload needs four kinds of items. The tests hold both directions against cbor-x.
 *
 * @module
 */
import { invariant } from "./machine.ts";

/** What a payload may be made of. 64-bit numbers go in as bigint, come out as either. */
export type CborValue = number | bigint | string | Uint8Array | readonly CborValue[];

/** Arrays may stand this deep in each other, the outermost counted. */
export const CBOR_DEPTH_MAX = 4;
/** Items that one payload may have, arrays counted as items too. */
export const CBOR_ITEMS_MAX = 256;

/** A buffer that grew larger than this for one payload is not kept for the next. */
const KEPT_BYTES_MAX = 64 << 10;
/** The longest head of an item: its initial byte and eight more. */
const HEAD_BYTES_MAX = 9;
/** Bytes that one UTF-16 code unit takes at most in UTF-8. */
const UTF8_BYTES_MAX = 3;
/** Shorter text is written code by code: that is faster than a call. */
const SHORT_TEXT = 48;

// Major types (RFC 8949, section 3.1).
const UNSIGNED = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/**
 * `value` as CBOR bytes of its own, each number in its shortest form, but a bigint in eight bytes.
 * Integers must be 0..2^32-1 as number, to 2^64-1 as bigint; text must be well-formed, for a lone
 * surrogate has no UTF-8 form and would be sent as another text.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return writer.encode(value);
}

/** Writes items one after the other, into a buffer that grows. */
class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  encode(value: CborValue): Uint8Array {
    this.#at = 0;
    this.#item(value);
    const encoded = this.#bytes.slice(0, this.#at);
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#grow(KEPT_BYTES_MAX);
    return encoded;
  }

  #item(value: CborValue): void {
    if (typeof value === "number") {
      invariant(value >>> 0 === value, "a number on the wire is a whole one of 32 bits");
      this.#head(UNSIGNED, value, 0);
    } else if (typeof value === "bigint") this.#uint64(value);
    else if (typeof value === "string") this.#text(value);
    else if (value instanceof Uint8Array) {
      this.#head(BYTES, value.length, value.length);
      this.#bytes.set(value, this.#at);
      this.#at += value.length;
    } else {
      this.#head(ARRAY, value.length, 0);
      for (const item of value) this.#item(item);
    }
  }

  /** The head of an item (RFC 8949, section 3), with room for so many bytes behind it. */
  #head(major: number, argument: number, room: number): void {
    if (this.#at + HEAD_BYTES_MAX + room > this.#bytes.length) this.#makeRoom(room);
    const initial = major << 5;
    if (argument < 24) this.#bytes[this.#at++] = initial | argument;
    else if (argument < 0x100) {
      this.#bytes[this.#at++] = initial | 24;
      this.#bytes[this.#at++] = argument;
    } else if (argument < 0x1_0000) {
      this.#bytes[this.#at++] = initial | 25;
      this.#view.setUint16(this.#at, argument);
      this.#at += 2;
    } else {
      this.#bytes[this.#at++] = initial | 26;
      this.#view.setUint32(this.#at, argument);
      this.#at += 4;
    }
  }

  #uint64(value: bigint): void {
    invariant(BigInt.asUintN(64, value) === value, "a number on the wire has at most 64 bits");
    if (this.#at + HEAD_BYTES_MAX > this.#bytes.length) this.#makeRoom(0);
    this.#bytes[this.#at] = (UNSIGNED << 5) | 27;
    this.#view.setBigUint64(this.#at + 1, value);
    this.#at += HEAD_BYTES_MAX;
  }

  #text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#ascii(value)) return;
    invariant(value.isWellFormed(), "text on the wire is well-formed Unicode");
    const room = value.length * UTF8_BYTES_MAX;
    if (this.#at + HEAD_BYTES_MAX + room > this.#bytes.length) this.#makeRoom(room);
    // How long the head is depends on how long the text becomes: it is written behind, and moved.
    const from = this.#at + HEAD_BYTES_MAX;
    const { written } = utf8Encoder.encodeInto(value, this.#bytes.subarray(from));
    this.#head(TEXT, written, 0);
    this.#bytes.copyWithin(this.#at, from, from + written);
    this.#at += written;
  }

  /** Writes short text of ASCII alone; whether it was that. */
  #ascii(value: string): boolean {
    const { length } = value;
    const before = this.#at;
    this.#head(TEXT, length, length);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) {
        this.#at = before;
        return false;
      }
      bytes[this.#at++] = code;
    }
    return true;
  }

  #makeRoom(room: number): void {
    this.#grow(2 * (this.#at + HEAD_BYTES_MAX + room));
  }

  #grow(length: number): void {
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes.subarray(0, Math.min(this.#at, length)));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

const writer = new Writer();

/**
 * The one item that `bytes` are, or `undefined` when they are not exactly that. Taken are unsigned
 * integers, byte strings, well-formed text strings and arrays, all of definite length and within
 * the two limits above. An integer of eight bytes is a bigint, a shorter one a number; a byte
 * string is a view into `bytes`. Never throws.
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
    if (major === UNSIGNED && info === 27) return this.#uint64();
    const argument = this.#argument(info);
    if (argument === undefined) return undefined;
    switch (major) {
      case UNSIGNED:
        return argument;
      case BYTES:
        return this.#taken(argument);
      case TEXT:
        return this.#text(argument);
      case ARRAY:
        return this.#array(argument, depth);
      default:
        return undefined;
    }
  }

  /** Up to `most` numbers at the beginning of an array. */
  counts(most: number): number[] {
    const counts: number[] = [];
    const initial = this.#bytes[this.#at++] ?? 0;
    const length = initial >> 5 === ARRAY ? (this.#argument(initial & 0x1f) ?? 0) : 0;
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
    return this.#bytes.subarray(from, this.#at);
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
