/**
 * What a kernel must get right before it may search: known answers for every way in which digits
 * can lie in the blocks, and the first block of Bitcoin.
 *
 * @module
 */
import type { Candidate } from "../../work/candidate.ts";
import type { Kernel } from "../kernel.ts";
import { UnprovedCodeError } from "./proved_code.ts";

/** Messages of `length` times "k", with the least hash of each range (by Bun.SHA256). */
export const KNOWN: readonly {
  readonly length: number;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly best: Candidate;
}[] = [
  {
    length: 3,
    lower: 123400n,
    upper: 123699n,
    best: { nonce: 123446n, hash: 0x010616e8a9dd69een },
  },
  {
    length: 50,
    lower: 1999999900n,
    upper: 2000000199n,
    best: { nonce: 2000000169n, hash: 0x00b6d755db1feeb5n },
  },
  {
    length: 54,
    lower: 1999999900n,
    upper: 2000000199n,
    best: { nonce: 1999999930n, hash: 0x000227fc5af10ee3n },
  },
];

/** Bitcoin's block 0, 3 January 2009. */
export const GENESIS: string =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b2" +
  "7ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
/** Its nonce, and its hash as a little-endian number. */
export const GENESIS_BEST: Candidate = {
  nonce: 2083236893n,
  hash: 0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26fn,
};

/**
 * Why the kernel must not be used, in one line; `undefined` when it passed.
 *
 * @throws {UnprovedCodeError} when the kernel's code may not be run yet.
 */
export function selfTest(kernel: Kernel): string | undefined {
  const wrong = (what: string, got: Candidate, expected: Candidate): string | undefined =>
    got.hash === expected.hash && got.nonce === expected.nonce
      ? undefined
      : `${what}: got ${got.hash} at ${got.nonce}, expected ${expected.hash} at ${expected.nonce}`;
  try {
    for (const { length, lower, upper, best } of KNOWN) {
      const searcher = kernel.bind(new Uint8Array(length).fill(0x6b));
      const failure = wrong(`message of ${length} bytes`, searcher.search(lower, upper), best);
      if (failure !== undefined) return failure;
    }
    const header = kernel.bindHeader?.(Uint8Array.fromHex(GENESIS));
    const { nonce } = GENESIS_BEST;
    const found = header?.search(nonce - 100n, nonce + 100n);
    return found === undefined ? undefined : wrong("block header", found, GENESIS_BEST);
  } catch (error) {
    if (error instanceof UnprovedCodeError) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}
