/**
 * The right answers to jobs that are too large for brute_force.ts: searched here, by a kernel
 * that tests of its own hold against Bun's hash.
 *
 * @module
 */
import { createKernel, detect } from "../../miner/kernels/mod.ts";
import type { Candidate } from "../../work/candidate.ts";

/** Quickly made, and fast where there is one; the other one is safe everywhere. */
const [FAST, SAFE] = ["sha", "bun"] as const;

const kernel = createKernel(
  detect().some(({ name, usable }) => name === FAST && usable) ? FAST : SAFE,
);

/** The lowest nonce of `[lower, upper]` that meets the target, else the one of the least hash. */
export function leastOf(message: string, lower: bigint, upper: bigint, target?: bigint): Candidate {
  return kernel.bind(new TextEncoder().encode(message)).search(lower, upper, target);
}

/** What a client prints that has searched that range. */
export function resultLine(message: string, upper: bigint, lower = 0n): string {
  const { hash, nonce } = leastOf(message, lower, upper);
  return `Result ${hash} ${nonce}\n`;
}
