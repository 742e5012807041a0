/**
 * How much may be under way on a path: the question that a native connection asks before it sends
 * data, and one answer to it. Controllers are exchangeable.
 *
 * @module
 */
import type { Millis } from "../machine.ts";
import { MAX_DATAGRAM_BYTES } from "./frame.ts";

/** Told what happens on a path; asked how much may be under way. Bytes are bytes of payload. */
export interface CongestionControl {
  /** Bytes that may be under way. */
  readonly windowBytes: number;
  /** When the next datagram with data may leave, at `nowMs` or later (pacing). */
  sendAtMs(nowMs: Millis): Millis;
  onSent(bytes: number, nowMs: Millis): void;
  /** `bytes` were acknowledged; `inFlightBytes` were under way before. */
  onAcked(bytes: number, inFlightBytes: number, nowMs: Millis): void;
  /** A datagram sent at `sentAtMs` is believed lost. */
  onLost(sentAtMs: Millis, nowMs: Millis): void;
  /** Several probes in a row were in vain: the path is as good as unknown. */
  onSilence(): void;
}

/** Makes a controller for a new connection. */
export type CongestionFactory = () => CongestionControl;

/** RFC 9002's initial and least windows. */
const INITIAL_WINDOW_BYTES = 10 * MAX_DATAGRAM_BYTES;
const LEAST_WINDOW_BYTES = 2 * MAX_DATAGRAM_BYTES;
/**
 * A stock kernel's receive buffer (212,992 bytes) holds 92 datagrams of this size, by the kernel's
 * own way of counting; sending more at once to a reader that sleeps loses them.
 */
const MOST_WINDOW_BYTES = 80 * MAX_DATAGRAM_BYTES;

/** NewReno as in RFC 9002, section 7: doubles a round trip, halves on loss, then creeps. */
export class NewReno implements CongestionControl {
  windowBytes: number = INITIAL_WINDOW_BYTES;
  private thresholdBytes = Infinity;
  private recoverySinceMs: Millis = -Infinity;

  sendAtMs(nowMs: Millis): Millis {
    return nowMs;
  }

  onSent(): void {}

  onAcked(bytes: number, inFlightBytes: number): void {
    // A window that is not used says nothing about the path.
    if (inFlightBytes < this.windowBytes / 2) return;
    const slow = this.windowBytes < this.thresholdBytes;
    const growth = slow ? bytes : (MAX_DATAGRAM_BYTES * bytes) / this.windowBytes;
    this.windowBytes = Math.min(this.windowBytes + growth, MOST_WINDOW_BYTES);
  }

  onLost(sentAtMs: Millis, nowMs: Millis): void {
    if (sentAtMs <= this.recoverySinceMs) return;
    this.recoverySinceMs = nowMs;
    this.windowBytes = Math.max(this.windowBytes / 2, LEAST_WINDOW_BYTES);
    this.thresholdBytes = this.windowBytes;
  }

  onSilence(): void {
    this.thresholdBytes = Math.max(this.windowBytes / 2, LEAST_WINDOW_BYTES);
    this.windowBytes = LEAST_WINDOW_BYTES;
  }
}
