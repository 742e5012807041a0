/**
 * What a search finds, and which of two finds is better.
 *
 * @module
 */

/** A nonce and its hash, both 0..2^64-1. Better: the smaller hash, on a tie the smaller nonce. */
export interface Candidate {
  readonly hash: bigint;
  readonly nonce: bigint;
}

/** Whether `a` beats `b`: the smaller hash, on a tie the smaller nonce. */
export function isBetter(a: Candidate, b: Candidate | undefined): boolean {
  return b === undefined || a.hash < b.hash || (a.hash === b.hash && a.nonce < b.nonce);
}

/** The better of two candidates, either of which may be missing. */
export function better(a: Candidate | undefined, b: Candidate | undefined): Candidate | undefined {
  if (a === undefined) return b;
  return isBetter(a, b) ? a : b;
}
