/**
 * Hashes for the server's tests that are cheaper than the real one.
 *
 * @module
 */
import { type Candidate, isBetter } from "../../work/candidate.ts";

/** A hash whose least value over a range can be had without trying every nonce. */
export interface Puzzle {
  hash(message: string, nonce: bigint): bigint;
  search(message: string, lower: bigint, end: bigint, target?: bigint): Candidate;
}

/** The hash of a nonce is its distance from a point that the message (a number) names. */
export const distance: Puzzle = {
  hash(message, nonce) {
    const point = BigInt(message);
    return nonce > point ? nonce - point : point - nonce;
  },
  search(message, lower, end, target) {
    const point = BigInt(message);
    const clamp = (n: bigint): bigint => (n < lower ? lower : n >= end ? end - 1n : n);
    let nonce = clamp(point);
    if (target !== undefined && distance.hash(message, nonce) <= target) {
      nonce = clamp(point - target);
    }
    return { hash: distance.hash(message, nonce), nonce };
  },
};

/** A hash without order, for small ranges: every nonce is tried. */
export const scrambled: Puzzle = {
  hash(message, nonce) {
    let x = Number(nonce & 0xffffffffn) ^ Number((nonce >> 32n) & 0xffffffffn);
    for (const c of message) x = Math.imul(x ^ c.charCodeAt(0), 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return BigInt((x ^ (x >>> 16)) >>> 0) % 5_000n;
  },
  search(message, lower, end, target) {
    let best: Candidate | undefined;
    for (let nonce = lower; nonce < end; nonce++) {
      const candidate = { hash: scrambled.hash(message, nonce), nonce };
      if (target !== undefined && candidate.hash <= target) return candidate;
      if (isBetter(candidate, best)) best = candidate;
    }
    return best!;
  },
};
