/**
 * The fleet's score of a nonce, which server and miners share: the first 64 bits of SHA-256 over
 * message, one blank, and the nonce in decimal.
 *
 * @module
 */
import { compress, paddedWords, SHA256_INITIAL } from "../base/sha256.ts";

/** Largest nonce and largest hash: both are unsigned 64-bit numbers. */
export const MAX_UINT64: bigint = (1n << 64n) - 1n;

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

/** Whoever checks a fleet's nonces asks for the same long message over and over. */
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
