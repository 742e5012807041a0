/**
 * How long to wait before trying again: longer after every failure, and never in step with others
 * who failed at the same moment.
 *
 * @module
 */
import type { Millis } from "./machine.ts";
import { type Random, unitReal } from "./random.ts";

/** Doublings after which any wait is the longest. */
const DOUBLINGS_MAX = 20;

/** Exponential back-off: each wait is drawn from the upper half of a span that doubles. */
export class Backoff {
  readonly #firstMs: Millis;
  readonly #longestMs: Millis;
  readonly #random: Random;
  #failures = 0;

  /** The span is `firstMs` at first, `longestMs` at most. */
  constructor(firstMs: Millis, longestMs: Millis, random: Random) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#random = random;
  }

  /** Another failure: how long to wait now. */
  next(): Millis {
    const spanMs = this.#firstMs * 2 ** Math.min(this.#failures, DOUBLINGS_MAX);
    this.#failures++;
    return Math.min(this.#longestMs, spanMs) * (0.5 + unitReal(this.#random) / 2);
  }

  /** All is well: the next wait is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
