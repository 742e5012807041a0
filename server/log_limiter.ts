/**
 * Keeps a hostile peer from flooding the log: a token bucket over lines for people.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { ServerLimits } from "./limits.ts";
import { TokenBucket } from "./token_bucket.ts";

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
  readonly #bucket: TokenBucket;
  #held = 0;

  /** `burst` lines at once, `perSecond` a second after that. */
  constructor(burst: number, perSecond: number) {
    this.#bucket = new TokenBucket(burst, perSecond);
  }

  /** The lines to write now for `text`: none, or it, with a note on those held back before. */
  admit(text: string, nowMs: Millis): string[] {
    if (!this.#bucket.take(nowMs)) {
      this.#held++;
      return [];
    }
    const lines =
      this.#held > 0 ? [`(${this.#held} lines like these were left out)`, text] : [text];
    this.#held = 0;
    return lines;
  }
}
