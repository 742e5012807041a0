/**
 * What a hashing kernel is to the rest of the miner: something that searches a range for one
 * subject. Kernels run in Workers and are synchronous; a caller that wants to stop, resume or share
 * the work asks for one small range at a time.
 *
 * @module
 */
import type { Candidate } from "../messages.ts";

/** One way to hash (plain TypeScript, wasm, AVX-512 ...). */
export interface Kernel {
  /** Short name, as `--kernel` takes it. */
  readonly name: string;
  /** Prepares a search behind `message` (its UTF-8 bytes): midstates, constants, code. */
  bind(message: Uint8Array): Searcher;
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
