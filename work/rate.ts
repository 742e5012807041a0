/**
 * How many units of work a second something does.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** After this many seconds an old measurement counts 1/e of a new one. */
const MEMORY_SECONDS = 3;
/** What a worker says of itself holds until this many seconds were measured. */
const DECLARED_SECONDS = 0.1;
/** Shorter measurements are taken for this long: a clock's grain must not look like speed. */
const LEAST_SECONDS = 0.001;

/**
 * Units over the time they took, older ones forgotten exponentially. A ratio of sums rather than a
 * mean of ratios: when one report is held up and the next comes on its heels, the two samples (far
 * too slow, absurdly fast) add up to the truth, which averaging would never give.
 */
export class RateEstimator {
  #units = 0;
  #seconds = 0;
  #declared: number | undefined;

  constructor(declared = 0) {
    this.declare(declared);
  }

  /** `declared`: units a second that are believed until measured, 0 for unknown. */
  declare(declared: number): void {
    this.#declared = declared > 0 && Number.isFinite(declared) ? declared : undefined;
  }

  /** `units` were done in the `durationMs` since the sample before. */
  sample(units: bigint, durationMs: Millis): void {
    const seconds = Math.max(durationMs, 0) / 1000;
    const keep = Math.exp(-seconds / MEMORY_SECONDS);
    this.#units = this.#units * keep + Number(units);
    this.#seconds = this.#seconds * keep + seconds;
  }

  /** Units a second as measured; undefined before anything was. */
  get measured(): number | undefined {
    return this.#seconds === 0 ? undefined : this.#units / Math.max(this.#seconds, LEAST_SECONDS);
  }

  /** Units a second; undefined before anything was measured or declared. */
  get value(): number | undefined {
    if (this.#declared !== undefined && this.#seconds < DECLARED_SECONDS) return this.#declared;
    return this.measured;
  }
}
