/**
 * The hashes that server and miners share: the fleet's score of a nonce (the first 64 bits of
 * SHA-256 over message, one blank, and the nonce in decimal), and that of a block header.
 *
 * @module
 */
import { compress, paddedWords, sha256, SHA256_INITIAL } from "../base/sha256.ts";

/** Largest nonce and largest hash: both are unsigned 64-bit numbers. */
export const UINT64_MAX: bigint = (1n << 64n) - 1n;

const utf8 = new TextEncoder();

/** What a message comes to before any nonce: all its whole blocks are in `state` already. */
interface Midstate {
  readonly message: string;
  readonly state: Int32Array;
  /** Bytes of message and blank in whole blocks, and those behind them. */
  readonly length: number;
  readonly rest: Uint8Array;
}

function midstateOf(message: string): Midstate {
  const bytes = utf8.encode(`${message} `);
  const length = bytes.length & ~63;
  const words = paddedWords(bytes.subarray(0, length));
  const state = Int32Array.from(SHA256_INITIAL);
  for (let offset = 0; offset < length / 4; offset += 16) compress(state, words, offset);
  return { message, state, length, rest: bytes.slice(length) };
}

/** A check of a fleet's nonces asks for the same long message over and over. */
let latest: Midstate = midstateOf("");

/**
 * The score of `nonce` (0..2^64-1) for `message`: the first 8 bytes, big-endian, of
 * SHA-256(message + " " + decimal nonce). Smaller is better.
 */
export function hashNonce(message: string, nonce: bigint): bigint {
  if (latest.message !== message) latest = midstateOf(message);
  const digits = utf8.encode(nonce.toString());
  const tail = new Uint8Array(latest.rest.length + digits.length);
  tail.set(latest.rest);
  tail.set(digits, latest.rest.length);
  const words = paddedWords(tail, latest.length);
  const state = Int32Array.from(latest.state);
  for (let offset = 0; offset < words.length; offset += 16) compress(state, words, offset);
  return (BigInt(state[0]! >>> 0) << 32n) | BigInt(state[1]! >>> 0);
}

/** Bytes of a block header; its nonce is the 32-bit little-endian number at offset 76. */
export const HEADER_BYTES = 80;

/**
 * The hash of a block header with `nonce` (0..2^32-1) in it: SHA-256 of SHA-256, read as a 256-bit
 * little-endian number.
 */
export function hashHeader(header: Uint8Array, nonce: bigint): bigint {
  const bytes = header.slice();
  new DataView(bytes.buffer).setUint32(76, Number(nonce), true);
  return BigInt(`0x${sha256(sha256(bytes)).reverse().toHex()}`);
}
