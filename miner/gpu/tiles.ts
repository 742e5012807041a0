/**
 * What a graphics processor searches: a message or a block header, cut into tiles of nonces that
 * differ in one 32-bit number only.
 *
 * @module
 */
import { hashHeader } from "../../work/hash.ts";
import { compress, paddedWords, SHA256_INITIAL } from "../../base/sha256.ts";
import { blockWordsOf, checkedHeader, ExactMessage, midstate } from "../kernels/exact.ts";
import { type GpuShape, TILE_DIGITS_MAX } from "./shader.ts";

/** Nonces `start + index`, of which those up to `last` belong to the tile. */
export interface Tile {
  readonly shape: GpuShape;
  /** The nonce of index 0; may itself be of an earlier tile. */
  readonly start: bigint;
  readonly last: bigint;
  /** The state before the varying blocks, and their words with zeros for what varies. */
  readonly state: Int32Array;
  readonly words: Int32Array;
}

/** What is searched. */
export interface Subject {
  /** Bits of a hash; the shaders compute the upper 32. */
  readonly bits: 64 | 256;
  /** The hash of a nonce, by the plain kernel's way. */
  hash(nonce: bigint): bigint;
  /** The tile that a nonce belongs to. */
  tileAt(nonce: bigint): Tile;
}

/** A message, followed by a blank and a decimal nonce. */
export function messageSubject(message: Uint8Array): Subject {
  const exact = new ExactMessage(message);
  return {
    bits: 64,
    hash: (nonce) => exact.hash(nonce),
    tileAt: (nonce) => messageTile(exact.bytes, nonce),
  };
}

function messageTile(prefix: Uint8Array, nonce: bigint): Tile {
  const digits = String(nonce);
  const varying = Math.min(TILE_DIGITS_MAX, digits.length);
  const size = 10n ** BigInt(varying);
  const start = nonce - (nonce % size);
  const end = prefix.length + digits.length;
  const text = new Uint8Array(end);
  text.set(prefix);
  text.set(new TextEncoder().encode(digits.slice(0, -varying)), prefix.length);
  const words = paddedWords(text);
  const firstBlock = (end - varying) >> 6;
  const state = Int32Array.from(SHA256_INITIAL);
  for (let block = 0; block < firstBlock; block++) compress(state, words, 16 * block);
  const blocks = words.length / 16 - firstBlock;
  return {
    shape: { kind: "message", blocks, end: end - 64 * firstBlock, digits: varying },
    start,
    last: start + size - 1n,
    state,
    words: words.subarray(16 * firstBlock),
  };
}

/** An 80-byte block header with a 32-bit nonce, hashed twice. */
export function headerSubject(bytes: Uint8Array): Subject {
  const header = checkedHeader(bytes);
  header.fill(0, 76);
  const tile: Tile = {
    shape: { kind: "header" },
    start: 0n,
    last: 0xffff_ffffn,
    state: midstate(header, 64),
    words: blockWordsOf(header.subarray(64)),
  };
  return { bits: 256, hash: (nonce) => hashHeader(header, nonce), tileAt: () => tile };
}
