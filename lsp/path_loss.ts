/**
 * Which losses say nothing about load: a path may lose datagrams at random, and a sender that backs
 * off for those starves. Only what was lost while the bottleneck's queue cannot have been full
 * counts as such; the rest may be overflow.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** What is known is older by this share with each new measurement. */
const NEW_SHARE = 1 / 4;
/** A time in which the queue may have been full makes us doubt what we know. */
const DOUBT = 0.9;
/** We believe in a little less loss than we see, so that overflow taken for chance dies away. */
const BELIEVED = 0.95;
/** More is never believed: it would have us send more than twice what arrives. */
const MOST_LOSS = 0.5;

/** The sending of one calm time, whose losses are still coming in. */
interface Measurement {
  readonly fromMs: Millis;
  readonly toMs: Millis;
  readonly sentBytes: number;
  lostBytes: number;
  /** Round-trip times of what was sent. */
  rttSumMs: Millis;
  rttCount: number;
}

/** The measurement on one connection. */
export class PathLoss {
  #lostMean = 0;
  #sentMean = 0;
  #startMs: Millis = Infinity;
  #startBytes = 0;
  /** Lost already while the calm time goes on. */
  #earlyBytes = 0;
  /** Once it is over. */
  #ended: Measurement | undefined;

  /** Share of bytes that the path loses whatever the load, 0..{@link MOST_LOSS}. */
  get share(): number {
    if (this.#sentMean === 0) return 0;
    return Math.min((BELIEVED * this.#lostMean) / this.#sentMean, MOST_LOSS);
  }

  /** A calm time begins, with `sentBytes` sent so far. */
  begin(sentBytes: number, nowMs: Millis): void {
    this.#startMs = nowMs;
    this.#startBytes = sentBytes;
    this.#ended = undefined;
    this.#earlyBytes = 0;
  }

  /** It ends; report its losses and round trips for at least one more round. */
  end(sentBytes: number, nowMs: Millis): void {
    this.#ended = {
      fromMs: this.#startMs,
      toMs: nowMs,
      sentBytes: sentBytes - this.#startBytes,
      lostBytes: this.#earlyBytes,
      rttSumMs: 0,
      rttCount: 0,
    };
  }

  /** `bytes` that left at `sentAtMs` are lost. */
  noteLost(bytes: number, sentAtMs: Millis): void {
    const ended = this.#ended;
    if (ended === undefined) {
      if (sentAtMs >= this.#startMs) this.#earlyBytes += bytes;
    } else if (sentAtMs >= ended.fromMs && sentAtMs < ended.toMs) ended.lostBytes += bytes;
  }

  /** A round-trip time of something that was sent in the calm time. */
  noteRtt(rttMs: Millis): void {
    if (this.#ended === undefined) return;
    this.#ended.rttSumMs += rttMs;
    this.#ended.rttCount++;
  }

  /**
   * All losses of the calm time are known. It counts if its mean round trip was at most
   * `calmRttMs`; otherwise the queue may have been full.
   */
  learn(calmRttMs: Millis): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    this.#ended = undefined;
    this.#startMs = Infinity;
    if (ended.rttCount > 0 && ended.rttSumMs / ended.rttCount <= calmRttMs) {
      this.#sentMean += (ended.sentBytes - this.#sentMean) * NEW_SHARE;
      this.#lostMean += (ended.lostBytes - this.#lostMean) * NEW_SHARE;
    } else this.#lostMean *= DOUBT;
  }
}
