/**
 * Keeps a hostile peer from flooding the log: a token bucket over lines for people.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { ServerLimits } from "./limits.ts";

/**
 * What a line is about. Each topic has room of its own, so that none can be made to say nothing by
 * filling another: the usual (peers and jobs that come and go), strangers that are refused at the
 * door, falsehoods that nobody is to blame for yet, and what becomes of a miner's standing.
 */
export type Topic = "usual" | "stranger" | "doubt" | "standing";

/** A limiter for each topic, of `logBurst` lines at once and `logPerSecond` after that. */
export function logRooms(
  limits: Pick<ServerLimits, "logBurst" | "logPerSecond">,
): Readonly<Record<Topic, LogLimiter>> {
  const room = (): LogLimiter => new LogLimiter(limits.logBurst, limits.logPerSecond);
  return { usual: room(), stranger: room(), doubt: room(), standing: room() };
}

/** Lets lines through while there are tokens; says later how many it held back. */
export class LogLimiter {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: Millis | undefined;
  #held = 0;

  /** `burst` lines at once, `perSecond` a second after that. */
  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** The lines to write now for `text`: none, or it, with a note on those held back before. */
  admit(text: string, nowMs: Millis): string[] {
    const seconds = Math.max(0, nowMs - (this.#filledMs ?? nowMs)) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + seconds * this.#perSecond);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) {
      this.#held++;
      return [];
    }
    this.#tokens--;
    const lines =
      this.#held > 0 ? [`(${this.#held} lines like these were left out)`, text] : [text];
    this.#held = 0;
    return lines;
  }
}
