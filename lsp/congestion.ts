/**
 * How much may be under way on a path: the question that a cbor connection asks before it sends
 * data. Controllers are exchangeable; bottleneck.ts has the usual one, and here is the classic.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { DATAGRAM_BYTES_MAX } from "./frame.ts";

/** What an acknowledgement told about the path. Bytes are those of Data frames. */
export interface AckSample {
  /** Newly acknowledged. */
  ackedBytes: number;
  /** Under way before the acknowledgement, and after it. */
  inFlightBeforeBytes: number;
  inFlightBytes: number;
  /** Acknowledged on this connection so far. */
  deliveredBytes: number;
  /** ... and when the datagram left whose arrival this is the news of; -1 when it is no news. */
  deliveredAtSendBytes: number;
  /** Round-trip time of that datagram. 0: no sample. */
  rttMs: Millis;
  /** Rate of delivery over that datagram's round trip, in bytes a millisecond. 0: no sample. */
  rate: number;
  /** Whether `rate` tells what the sender had to send, not what the path can take. */
  isAppLimited: boolean;
}

/** Told what happens on a path; asked how much may be under way. Bytes are those of Data frames. */
export interface CongestionControl {
  /** Bytes that may be under way. */
  readonly windowBytes: number;
  /** When the next datagram with data may leave, at `nowMs` or later (pacing). */
  sendAtMs(nowMs: Millis): Millis;
  /** A datagram with `bytes` of Data frames left. */
  onSent(bytes: number, nowMs: Millis): void;
  /** Something was acknowledged. `ack` is only lent. */
  onAcked(ack: AckSample, nowMs: Millis): void;
  /** `bytes` sent at `sentAtMs` are believed lost. */
  onLost(bytes: number, sentAtMs: Millis, nowMs: Millis): void;
  /** Several probes in a row were in vain: the path is as good as unknown. */
  onSilence(): void;
}

/** Makes a controller for a new connection; `random` may be drawn from at any time. */
export type CongestionFactory = (random: Random) => CongestionControl;

/** RFC 9002's initial window. */
export const INITIAL_WINDOW_BYTES: number = 10 * DATAGRAM_BYTES_MAX;
/**
 * A stock kernel's receive buffer (212,992 bytes) holds 92 datagrams of this size, by the kernel's
 * own way of counting; sending more at once to a reader that sleeps loses them.
 */
export const BURST_BYTES_MAX: number = 80 * DATAGRAM_BYTES_MAX;
const LEAST_WINDOW_BYTES = 2 * DATAGRAM_BYTES_MAX;

/** NewReno as in RFC 9002, section 7: doubles a round trip, halves on loss, then creeps. */
export class NewReno implements CongestionControl {
  windowBytes: number = INITIAL_WINDOW_BYTES;
  #thresholdBytes = Infinity;
  #recoverySinceMs: Millis = -Infinity;

  sendAtMs(nowMs: Millis): Millis {
    return nowMs;
  }

  onSent(): void {}

  onAcked({ ackedBytes, inFlightBeforeBytes }: AckSample): void {
    // A window that is not used says nothing about the path.
    if (inFlightBeforeBytes < this.windowBytes / 2) return;
    const slow = this.windowBytes < this.#thresholdBytes;
    const growth = slow ? ackedBytes : (DATAGRAM_BYTES_MAX * ackedBytes) / this.windowBytes;
    this.windowBytes = Math.min(this.windowBytes + growth, BURST_BYTES_MAX);
  }

  onLost(_bytes: number, sentAtMs: Millis, nowMs: Millis): void {
    if (sentAtMs <= this.#recoverySinceMs) return;
    this.#recoverySinceMs = nowMs;
    this.windowBytes = Math.max(this.windowBytes / 2, LEAST_WINDOW_BYTES);
    this.#thresholdBytes = this.windowBytes;
  }

  onSilence(): void {
    this.#thresholdBytes = Math.max(this.windowBytes / 2, LEAST_WINDOW_BYTES);
    this.windowBytes = LEAST_WINDOW_BYTES;
  }
}
