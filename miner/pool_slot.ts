/**
 * A slot of the memory that the pool's threads share: one search, as 64-bit words.
 *
 * @module
 */
import { type Candidate, isBetter } from "../work/candidate.ts";

// A slot's 64-bit words; targets and hashes take four, the lowest first. `LAST` is the last nonce
// that may still be claimed: the upper end, or the lowest hit. `ALL_CLAIMED` says so where the
// cursor would have to be 2^64.
export const STATE = 0;
export const ID = 1;
export const LOWER = 2;
export const UPPER = 3;
export const LAST = 4;
export const CURSOR = 5;
export const ALL_CLAIMED = 6;
export const HAS_TARGET = 7;
export const TARGET = 8;
export const HAS_BEST = 12;
export const BEST_HASH = 13;
export const BEST_NONCE = 17;
export const IS_HIT = 18;
export const ORDER = 19;
export const SUBJECT_BYTES = 20;
export const IS_HEADER = 21;
export const SLOT_WORDS = 24;

// States of a slot. A closed one is free as soon as no worker is busy with a block of it.
export const CLOSED = 0n;
export const OPEN = 1n;
export const FINISHED = 2n;

/** Words of a 256-bit number. */
const WORDS_256 = 4;

/** The 256-bit number at `words[at..]`. */
export function read256(words: BigUint64Array, at: number): bigint {
  let value = words[at]!;
  for (let i = 1; i < WORDS_256; i++) {
    const word = words[at + i]!;
    if (word !== 0n) value |= word << BigInt(64 * i);
  }
  return value;
}

/** See {@link read256}. */
export function write256(words: BigUint64Array, at: number, value: bigint): void {
  for (let i = 0; i < WORDS_256; i++) words[at + i] = BigInt.asUintN(64, value >> BigInt(64 * i));
}

/** Whether any of the search is left to claim. */
export function hasUnclaimed(slot: BigUint64Array): boolean {
  return slot[ALL_CLAIMED] === 0n && slot[CURSOR]! <= slot[LAST]!;
}

/** The best that was found. */
export function bestOf(slot: BigUint64Array): Candidate | undefined {
  if (slot[HAS_BEST] === 0n) return undefined;
  return { hash: read256(slot, BEST_HASH), nonce: slot[BEST_NONCE]! };
}

/** Folds a block's best into its search's: the lowest hit if there is one, else the least hash. */
export function fold(slot: BigUint64Array, found: Candidate): void {
  const known = bestOf(slot);
  const isHit = slot[HAS_TARGET] === 1n && found.hash <= read256(slot, TARGET);
  if (
    slot[IS_HIT] === 1n ? !isHit || found.nonce >= known!.nonce : !isHit && !isBetter(found, known)
  ) {
    return;
  }
  write256(slot, BEST_HASH, found.hash);
  slot[BEST_NONCE] = found.nonce;
  slot[HAS_BEST] = 1n;
  if (!isHit) return;
  slot[IS_HIT] = 1n;
  if (found.nonce < slot[LAST]!) slot[LAST] = found.nonce;
}
