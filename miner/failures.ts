/**
 * Why there is no connection, said no more often than people want to read it.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Failures to hold a connection, one after the other. */
export class Failures {
  #reason = "";
  #count = 0;

  /** What fails from here on is news, even if it failed the same way before. */
  over(): void {
    this.#reason = "";
  }

  /** The line for another failure; the same again gets one the 2nd, 4th, 8th ... time only. */
  line(reason: string, waitMs: Millis): string | undefined {
    this.#count = reason === this.#reason ? this.#count + 1 : 1;
    this.#reason = reason;
    if (!Number.isInteger(Math.log2(this.#count))) return undefined;
    const times = this.#count === 1 ? "" : ` (${this.#count} times)`;
    const when = waitMs === 0 ? "at once" : `in ${(waitMs / 1000).toFixed(1)} s`;
    return `${reason}${times}; trying again ${when}`;
  }
}
