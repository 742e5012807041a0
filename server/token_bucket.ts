/**
 * So many at once, and so many a second after that.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Tokens that are spent one by one and come back with time. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: Millis | undefined;

  /** `burst` tokens at first and at most, `perSecond` new ones a second. */
  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** Takes a token; false if there is none. */
  take(nowMs: Millis): boolean {
    const seconds = Math.max(0, nowMs - (this.#filledMs ?? nowMs)) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + seconds * this.#perSecond);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
