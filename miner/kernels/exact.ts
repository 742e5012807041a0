/**
 * One nonce at a time, by the plain hash: the ends of what vectors cannot do, and the judge of
 * every hit that a kernel reports.
 *
 * @module
 */
import { compress, paddedWords, SHA256_INITIAL } from "../../base/sha256.ts";

const utf8 = new TextEncoder();

/** The words of the 64-byte blocks of `bytes` (whole blocks only), big-endian. */
export function blockWordsOf(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getInt32(4 * i));
}

/** The state after the whole 64-byte blocks of `bytes` up to `end` (a multiple of 64). */
export function midstate(bytes: Uint8Array, end: number): Int32Array {
  const state = Int32Array.from(SHA256_INITIAL);
  const words = blockWordsOf(bytes.subarray(0, end));
  for (let offset = 0; offset < words.length; offset += 16) compress(state, words, offset);
  return state;
}

/** A message with its blank, hashed as far as it goes without a nonce. */
export class ExactMessage {
  /** The message and the blank. */
  readonly bytes: Uint8Array;
  /** Bytes that the state has taken in: whole blocks. */
  readonly taken: number;
  readonly state: Int32Array;

  constructor(message: Uint8Array) {
    this.bytes = new Uint8Array(message.length + 1);
    this.bytes.set(message);
    this.bytes[message.length] = 0x20;
    this.taken = this.bytes.length & ~63;
    this.state = midstate(this.bytes, this.taken);
  }

  /** The score of `nonce`. */
  hash(nonce: bigint): bigint {
    const digits = utf8.encode(String(nonce));
    const text = new Uint8Array(this.bytes.length + digits.length);
    text.set(this.bytes);
    text.set(digits, this.bytes.length);
    const state = Int32Array.from(this.state);
    const words = paddedWords(text);
    for (let at = this.taken >> 2; at < words.length; at += 16) compress(state, words, at);
    return (BigInt(state[0]! >>> 0) << 32n) | BigInt(state[1]! >>> 0);
  }
}

/** A copy of an 80-byte block header. */
export function checkedHeader(header: Uint8Array): Uint8Array {
  if (header.length !== 80) {
    throw new RangeError(`Cannot search a header: got ${header.length} bytes, expected 80`);
  }
  return header.slice();
}
