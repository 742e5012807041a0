/**
 * What a hashing kernel is to the rest of the miner: something that searches a range for one
 * subject. Kernels run in Workers and are synchronous; a caller that wants to stop, resume or share
 * the work asks for one small range at a time.
 *
 * @module
 */
import type { Candidate } from "../work/candidate.ts";

/** One way to hash (plain TypeScript, wasm, AVX-512 ...). */
export interface Kernel {
  /** Short name, as `--kernel` takes it. */
  readonly name: string;
  /** Prepares a search behind `message` (its UTF-8 bytes): midstates, constants, code. */
  bind(message: Uint8Array): Searcher;
  /**
   * Prepares a search of an 80-byte block header, whose nonce is the 32-bit little-endian number at
   * offset 76 (what the header has there is ignored).
   */
  bindHeader?(header: Uint8Array): HeaderSearcher;
}

/** A kernel prepared for one block header. */
export interface HeaderSearcher {
  /**
   * As {@link Searcher.search}, for nonces 0..2^32-1 and the hash of a block: SHA-256 of SHA-256 of
   * the header, read as a 256-bit little-endian number.
   */
  search(lower: bigint, upper: bigint, target?: bigint): Candidate;
}

/** A kernel prepared for one message. */
export interface Searcher {
  /**
   * The least hash over `[lower, upper]` (0 <= lower <= upper <= 2^64 - 1), the lowest nonce on a
   * tie. With `target`, returns the lowest nonce whose hash is at most the target as soon as that
   * is known, else the least. Has no state that outlives the call: any range, in any order.
   */
  search(lower: bigint, upper: bigint, target?: bigint): Candidate;
}
