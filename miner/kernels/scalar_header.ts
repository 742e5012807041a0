/**
 * The search of a block header one nonce at a time, for kernels without an engine.
 *
 * @module
 */
import { hashHeader } from "../../work/hash.ts";
import { compress } from "../../base/sha256.ts";
import type { Candidate } from "../../work/candidate.ts";
import type { HeaderSearcher } from "../kernel.ts";
import { Best } from "./best.ts";
import { littleEndian } from "./code_cache.ts";
import { blockWordsOf, checkedHeader, midstate } from "./exact.ts";
import { DIGEST_PADDING, HEADER_PADDING, INITIAL } from "./shapes.ts";

/** The most significant 32 bits of the hash with this nonce. */
export type LeadingWord = (nonce: number) => number;

/** Searches with `leading`, which decides whether a nonce is worth an exact look. */
export function scalarHeaderSearcher(header: Uint8Array, leading: LeadingWord): HeaderSearcher {
  return {
    search(lower: bigint, upper: bigint, target?: bigint): Candidate {
      const best = new Best(hashHeader(header, lower), lower, target, 256);
      const end = Number(upper);
      for (let nonce = Number(lower) + 1; nonce <= end && !best.met; nonce++) {
        if (leading(nonce) > best.threshold) continue;
        best.offer(hashHeader(header, BigInt(nonce)), BigInt(nonce));
      }
      return best.candidate;
    },
  };
}

/** A header searcher in plain TypeScript: the first block is hashed once. */
export function plainHeaderSearcher(bytes: Uint8Array): HeaderSearcher {
  const header = checkedHeader(bytes);
  const start = midstate(header, 64);
  const words = new Int32Array(16);
  words.set(blockWordsOf(header.subarray(64)));
  words.set(HEADER_PADDING, 4);
  const second = new Int32Array(16);
  second.set(DIGEST_PADDING, 8);
  const state = new Int32Array(8);
  return scalarHeaderSearcher(header, (nonce) => {
    words[3] = littleEndian(nonce);
    state.set(start);
    compress(state, words);
    second.set(state);
    state.set(INITIAL);
    compress(state, second);
    return littleEndian(state[7]!) >>> 0;
  });
}
