/**
 * The clock of one simulated computer, which starts where it likes and runs at a pace of its own.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Loop } from "./loop.ts";

/** How a computer's clock differs from the loop's. */
export interface ClockQuirks {
  /** What it reads when the run begins. */
  readonly clockOriginMs: Millis;
  /** Its milliseconds a millisecond of the loop, above 0. */
  readonly clockRate: number;
}

/** A clock that reads what the loop's reads. */
export const PERFECT_CLOCK: ClockQuirks = { clockOriginMs: 0, clockRate: 1 };

/** Reads a computer's time, which never runs backwards, and turns its times into the loop's. */
export class Clock {
  readonly #loop: Loop;
  readonly #quirks: ClockQuirks;
  #lastMs = 0;
  /** By how much it has jumped so far. */
  #jumpedMs = 0;

  constructor(loop: Loop, quirks: ClockQuirks = PERFECT_CLOCK) {
    this.#loop = loop;
    this.#quirks = quirks;
  }

  /** What this computer's clock reads. */
  nowMs(): Millis {
    const { clockRate } = this.#quirks;
    this.#lastMs = Math.max(this.#lastMs, this.#originMs + this.#loop.nowMs * clockRate);
    return this.#lastMs;
  }

  /** Goes forward at once. */
  jump(byMs: Millis): void {
    this.#jumpedMs += byMs;
  }

  /** When, on the loop's clock, this one reads `atMs`. */
  loopTime(atMs: Millis): Millis {
    return (atMs - this.#originMs) / this.#quirks.clockRate;
  }

  get #originMs(): Millis {
    return this.#quirks.clockOriginMs + this.#jumpedMs;
  }

  /** Whether a timer for `wakeAtMs` on this clock has run off. */
  isDue(wakeAtMs: Millis | undefined): boolean {
    if (wakeAtMs === undefined || this.loopTime(wakeAtMs) > this.#loop.nowMs + 1e-6) return false;
    // Rounding may leave the computer's clock a hair short of what its own timer asked for.
    this.#lastMs = Math.max(this.#lastMs, wakeAtMs);
    return true;
  }
}
