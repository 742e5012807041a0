/**
 * How long a round trip takes, and how long to wait for one: RFC 6298 with the refinements of
 * RFC 9002, section 5.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Waited before the first sample; four times the 60 ms of a usual far path. */
const INITIAL_TIMEOUT_MS = 250;
/**
 * Least slack over the smoothed round trip. The peer's event loop answers once a turn, and a turn
 * may take some milliseconds; a probe sent too early costs one datagram, no more.
 */
const LEAST_SLACK_MS = 10;
/** Least time by which datagrams may overtake each other: about a turn of an event loop. */
const LEAST_REORDERING_MS = 2;

/** The estimate of one path. */
export class RoundTrip {
  /** Smoothed, in milliseconds; `undefined` before the first sample. */
  smoothedMs: Millis | undefined;
  latestMs: Millis = 0;
  leastMs: Millis = Infinity;
  #variationMs: Millis = 0;

  /** A sample, and how long the peer says that it kept the acknowledgement. */
  sample(elapsedMs: Millis, delayMs: Millis): void {
    this.leastMs = Math.min(this.leastMs, elapsedMs);
    // A delay that would bring us below the least round trip is not believed.
    const rtt = elapsedMs - delayMs >= this.leastMs ? elapsedMs - delayMs : elapsedMs;
    this.latestMs = rtt;
    if (this.smoothedMs === undefined) {
      this.smoothedMs = rtt;
      this.#variationMs = rtt / 2;
      return;
    }
    this.#variationMs += (Math.abs(this.smoothedMs - rtt) - this.#variationMs) / 4;
    this.smoothedMs += (rtt - this.smoothedMs) / 8;
  }

  /** After how long without an acknowledgement a probe is due (RFC 6298's RTO). */
  get timeoutMs(): Millis {
    if (this.smoothedMs === undefined) return INITIAL_TIMEOUT_MS;
    return this.smoothedMs + Math.max(4 * this.#variationMs, LEAST_SLACK_MS);
  }

  /**
   * How long after its sending a datagram that was overtaken counts as lost: RFC 9002, section
   * 6.1.2, with its granularity added, or on a path of a millisecond every jitter would be a loss.
   */
  get reorderingMs(): Millis {
    const longest = Math.max(this.smoothedMs ?? INITIAL_TIMEOUT_MS, this.latestMs);
    return longest + Math.max(longest / 8, LEAST_REORDERING_MS);
  }
}
