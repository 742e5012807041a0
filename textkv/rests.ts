/**
 * Rests that are taken in turn: so that all who have to rest together cost little, however many
 * they are.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Says when rests end: one after the other, `gapMs` apart or more, each `leastMs` long or more. */
export class Rests {
  readonly #leastMs: Millis;
  readonly #gapMs: Millis;
  /** When the turn of the last one is. */
  #untilMs: Millis = -Infinity;

  constructor(leastMs: Millis, gapMs: Millis) {
    this.#leastMs = leastMs;
    this.#gapMs = gapMs;
  }

  /** Until when a rest lasts that begins now. */
  begin(nowMs: Millis): Millis {
    this.#untilMs = Math.max(this.#untilMs + this.#gapMs, nowMs);
    return Math.max(this.#untilMs, nowMs + this.#leastMs);
  }
}
