/**
 * Kernels in a race: every contestant searches for a few milliseconds in turn, over several rounds,
 * so that a noisy machine disturbs all alike; what counts is the median.
 *
 * @module
 */
import type { Kernel } from "../miner/kernel.ts";
import { median } from "./median.ts";

/** Length of a run: short enough that many are undisturbed. */
const RUN_MS = 60;
const HEADER = Uint8Array.fromHex(
  "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d75" +
    "0423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
);

/** Something to measure: searches `nonces` nonces. */
export interface Contestant {
  readonly name: string;
  run(nonces: number): void;
  nonces: number;
  readonly rates: number[];
}

export function contestant(name: string, run: (nonces: number) => void): Contestant {
  return { name, run, nonces: 10_000, rates: [] };
}

/** Nonces a second, by growing the run until it is long enough. */
function measure(one: Contestant): void {
  for (;;) {
    const start = performance.now();
    one.run(one.nonces);
    const elapsed = performance.now() - start;
    if (elapsed > RUN_MS / 2) return void one.rates.push((one.nonces / elapsed) * 1000);
    one.nonces = Math.ceil(one.nonces * Math.min(10, (1.2 * RUN_MS) / Math.max(elapsed, 1)));
  }
}

/** Measures all in turn, a few rounds; the first two only warm up. Gives the medians by name. */
export function race(contestants: readonly Contestant[], rounds: number): Map<string, number> {
  for (let round = 0; round < rounds + 2; round++) {
    for (const one of contestants) {
      if (round === 2) one.rates.length = 0;
      measure(one);
    }
  }
  return new Map(contestants.map(({ name, rates }) => [name, median(rates)]));
}

/** Searches 8-digit nonces behind `message`, as the prototype does. */
export function messages(
  kernel: Kernel,
  length = 3,
  lower = 10_000_000n,
): (nonces: number) => void {
  const searcher = kernel.bind(new Uint8Array(length).fill(0x6d));
  return (nonces) => void searcher.search(lower, lower + BigInt(nonces) - 1n);
}

export function headers(kernel: Kernel): (nonces: number) => void {
  const searcher = kernel.bindHeader!(HEADER);
  return (nonces) => void searcher.search(0n, BigInt(nonces) - 1n);
}

/** Millions, to print. */
export const mega = (rate: number): string => (rate / 1e6).toFixed(1);
/** A ratio, to print. */
export const ratio = (a: number, b: number): string => (a / b).toFixed(2);
