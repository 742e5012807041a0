/**
 * How fast kernels are, by the clock.
 *
 * @module
 */
import type { Kernel } from "../kernel.ts";

/** Slices that each kernel's time is cut into, the kernels taking turns. */
const SLICES = 6;

/**
 * Nonces a second behind a short message: each kernel's best slice, so that neither a cold start
 * nor what else the machine does at one moment decides.
 */
export function measure(kernels: readonly Kernel[], millis: number): Map<Kernel, number> {
  const message = new TextEncoder().encode("measure");
  const runs = kernels.map((kernel) => ({
    kernel,
    searcher: kernel.bind(message),
    nonces: 1000n,
    next: 1_000_000_000n,
    rate: 0,
  }));
  for (let slice = 0; slice < SLICES; slice++) {
    for (const run of runs) {
      const start = performance.now();
      for (let now = start; now - start < millis / SLICES;) {
        run.searcher.search(run.next, run.next + run.nonces - 1n);
        const after = performance.now();
        const elapsed = Math.max(after - now, 0.001);
        run.rate = Math.max(run.rate, (Number(run.nonces) / elapsed) * 1000);
        run.next += run.nonces;
        // Long enough that a call's fixed costs do not count.
        if (elapsed < millis / SLICES / 4) run.nonces *= 2n;
        now = after;
      }
    }
  }
  return new Map(runs.map(({ kernel, rate }) => [kernel, rate]));
}
