/**
 * What a cbor connection tells its peer about what it received: the Ack, with the echo from which
 * the peer takes its round-trip time, and with the window.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { type AckFields, type DatagramWriter, ACK_RANGES_MAX, UINT32_MAX } from "./frame.ts";
import type { LspLimits } from "./params.ts";
import type { ReceiveBuffer } from "./receive_buffer.ts";

/**
 * Where messages are answered by messages, an Ack waits this long at most for one to take it along:
 * half the slack over a round trip that the peer grants (rtt.ts), and no matter to a person.
 */
export const HOLD_MS: Millis = 5;
/** Acks that went along with a message, or could have, before one is held; so many are counted. */
const RIDES_LEAST = 3;
const RIDES_MOST = 8;
/** What one that was held in vain takes from that: two in a row end it. */
const RIDES_LOST = 4;

/** Serves all connections: nothing of it outlives a `write`. */
const fields: AckFields = {
  cumulative: 0,
  echo: 0,
  echoDelayMicros: 0,
  windowMessages: 0,
  windowBytes: 0,
  rangeCount: 0,
  ranges: new Float64Array(2 * ACK_RANGES_MAX),
};

/** See the module. */
export class Acknowledger {
  readonly #receive: ReceiveBuffer;
  readonly #limits: LspLimits;
  /** The newest datagram with data, and when it came. */
  #echo = 0;
  #echoAtMs: Millis = 0;
  /** What the last Ack let the peer send: a sequence number, and an offset in bytes. */
  #toldSeq = 0;
  #toldOffset = 0;
  /** When an Ack that is held must leave without a message; Infinity when none is held. */
  heldUntilMs: Millis = Infinity;
  /** Datagrams with data since the last Ack. */
  #datagrams = 0;
  /** How often a message took an Ack along of late, or could have. */
  #rides = 0;
  /** When the last Ack left without a message, if no message has followed it. */
  #aloneAtMs: Millis = -Infinity;

  constructor(receive: ReceiveBuffer, limits: LspLimits) {
    this.#receive = receive;
    this.#limits = limits;
  }

  /** Datagram `number`, with data, came. */
  noteData(number: number, nowMs: Millis): void {
    if (number <= this.#echo) return;
    this.#echo = number;
    this.#echoAtMs = nowMs;
    this.#datagrams++;
  }

  /**
   * Whether the Ack of message `seq`, just noted, may wait for a message: where answers follow
   * soon, and the peer waits for nothing. One that sends several datagrams is answered at once.
   */
  mayHold(seq: number): boolean {
    const receive = this.#receive;
    if (this.#rides < RIDES_LEAST || this.#datagrams > 1) return false;
    if (receive.expected !== seq + 1 || receive.runCount > 0) return false;
    this.heldUntilMs = Math.min(this.heldUntilMs, this.#echoAtMs + HOLD_MS);
    return true;
  }

  /** What is wanted now is not to be held. */
  release(): void {
    this.heldUntilMs = Infinity;
  }

  /** Whether the Ack that is wanted waits for a message. */
  get isHeld(): boolean {
    return this.heldUntilMs < Infinity;
  }

  /** Whether an Ack was held in vain: it must leave now. */
  isOverdue(nowMs: Millis): boolean {
    if (nowMs < this.heldUntilMs) return false;
    this.heldUntilMs = Infinity;
    this.#rides = Math.max(0, this.#rides - RIDES_LOST);
    return true;
  }

  /** A datagram left: with an Ack, with a message for the first time, or both. */
  noteSent(hasAck: boolean, isFresh: boolean, nowMs: Millis): void {
    if (isFresh) {
      const couldRide = hasAck || nowMs - this.#aloneAtMs < HOLD_MS;
      if (couldRide) this.#rides = Math.min(RIDES_MOST, this.#rides + 1);
      this.#aloneAtMs = -Infinity;
    } else if (hasAck) this.#aloneAtMs = nowMs;
    if (!hasAck) return;
    this.heldUntilMs = Infinity;
    this.#datagrams = 0;
  }

  /** Whether so much more may be sent than the peer knows that it is to be told. */
  get hasNews(): boolean {
    const receive = this.#receive;
    const seq = receive.expected - 1 + receive.creditMessages - this.#toldSeq;
    const bytes = receive.handedOnBytes + receive.creditBytes - this.#toldOffset;
    const { maxReorder, maxUnreadMessages, maxUnreadBytes } = this.#limits;
    const most = Math.min(maxReorder, maxUnreadMessages);
    return seq >= most / 4 || bytes >= maxUnreadBytes / 4;
  }

  /** Writes an Ack. */
  write(writer: DatagramWriter, nowMs: Millis): void {
    const receive = this.#receive;
    const delayMicros = Math.round((nowMs - this.#echoAtMs) * 1000);
    fields.cumulative = receive.expected - 1;
    fields.echo = this.#echo;
    fields.echoDelayMicros = Math.min(Math.max(0, delayMicros), UINT32_MAX);
    fields.windowMessages = receive.creditMessages;
    fields.windowBytes = receive.creditBytes;
    fields.rangeCount = receive.writeRuns(fields.ranges, ACK_RANGES_MAX);
    writer.ack(fields);
    this.#toldSeq = fields.cumulative + fields.windowMessages;
    this.#toldOffset = receive.handedOnBytes + fields.windowBytes;
  }
}
