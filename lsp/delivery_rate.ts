/**
 * How fast a path delivers: for every datagram with data, the bytes acknowledged between its
 * leaving and the news of its arrival, divided by the time that took. After the IETF's
 * draft-cheng-iccrg-delivery-rate-estimation, by datagrams instead of segments.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import type { AckSample } from "./congestion.ts";

/** A datagram with data, as things stood when it left. */
export interface SentDatagram {
  readonly number: number;
  readonly sentAtMs: Millis;
  /** Acknowledged by then, and when the last of it was. */
  readonly deliveredBytes: number;
  readonly deliveredAtMs: Millis;
  /** When the datagram left whose arrival was the newest known. */
  readonly firstSentMs: Millis;
  readonly isAppLimited: boolean;
  /** Whether what had arrived by then was all reported; if not, the rest will look like a burst. */
  readonly isTrusted: boolean;
}

/** Datagrams remembered; of more under way the oldest give no sample. */
const REMEMBERED_MAX = 4096;

/** The measurement on one connection. */
export class DeliveryRate {
  readonly #sent = new Queue<SentDatagram>();
  #deliveredBytes = 0;
  #deliveredAtMs: Millis = 0;
  #firstSentMs: Millis = 0;
  /** Samples are limited by the application until this much is delivered. */
  #limitedUntilBytes = 0;
  /** Whether the newest acknowledgement reported everything that had arrived. */
  isTrusted = true;
  /** The newest datagram that arrived, until its sample is made. */
  #arrived: SentDatagram | undefined;
  readonly #ack: AckSample = {
    ackedBytes: 0,
    inFlightBeforeBytes: 0,
    inFlightBytes: 0,
    deliveredBytes: 0,
    deliveredAtSendBytes: -1,
    rttMs: 0,
    rate: 0,
    isAppLimited: false,
  };

  /** Datagram `number` leaves with data; `isFirst`: nothing was under way before it. */
  noteSent(number: number, isFirst: boolean, nowMs: Millis): void {
    if (isFirst) this.#firstSentMs = this.#deliveredAtMs = nowMs;
    if (this.#sent.length === REMEMBERED_MAX) this.#sent.shift();
    this.#sent.push({
      number,
      sentAtMs: nowMs,
      deliveredBytes: this.#deliveredBytes,
      deliveredAtMs: this.#deliveredAtMs,
      firstSentMs: this.#firstSentMs,
      isAppLimited: this.#limitedUntilBytes > 0,
      isTrusted: this.isTrusted,
    });
  }

  /** The sender runs out of things to send while `inFlightBytes` are under way. */
  noteAppLimited(inFlightBytes: number): void {
    this.#limitedUntilBytes = this.#deliveredBytes + Math.max(inFlightBytes, 1);
  }

  /** Datagram `number`, newer than all before, is known to have arrived; when it left. */
  noteArrived(number: number): Millis | undefined {
    const sent = this.#sent;
    this.#arrived = undefined;
    for (let next = sent.at(0); next && next.number <= number; next = sent.at(0)) {
      sent.shift();
      if (next.number === number) this.#arrived = next;
    }
    return this.#arrived?.sentAtMs;
  }

  /**
   * `ackedBytes` were acknowledged, `inFlightBytes` are under way now. Ends the sample of the
   * datagram that `noteArrived` reported; the answer is only lent.
   */
  take(ackedBytes: number, rttMs: Millis, nowMs: Millis): AckSample {
    const arrived = this.#arrived;
    const ack = this.#ack;
    this.#deliveredBytes += ackedBytes;
    this.#deliveredAtMs = nowMs;
    if (this.#deliveredBytes > this.#limitedUntilBytes) this.#limitedUntilBytes = 0;
    ack.ackedBytes = ackedBytes;
    ack.deliveredBytes = this.#deliveredBytes;
    ack.deliveredAtSendBytes = -1;
    ack.rttMs = 0;
    ack.rate = 0;
    if (arrived === undefined) return ack;
    this.#arrived = undefined;
    this.#firstSentMs = arrived.sentAtMs;
    const sendMs = arrived.sentAtMs - arrived.firstSentMs;
    const ackMs = nowMs - arrived.deliveredAtMs;
    const elapsedMs = Math.max(sendMs, ackMs);
    ack.deliveredAtSendBytes = arrived.deliveredBytes;
    ack.isAppLimited = arrived.isAppLimited;
    ack.rttMs = rttMs;
    ack.rate =
      elapsedMs > 0 && arrived.isTrusted
        ? (this.#deliveredBytes - arrived.deliveredBytes) / elapsedMs
        : 0;
    return ack;
  }
}
