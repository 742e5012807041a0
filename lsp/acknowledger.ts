/**
 * What a native connection tells its peer about what it received: the Ack, with the echo from which
 * the peer takes its round-trip time, and with the window.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { type AckFields, type DatagramWriter, ACK_RANGES_MAX, UINT32_MAX } from "./frame.ts";
import type { LspLimits } from "./params.ts";
import type { ReceiveBuffer } from "./receive_buffer.ts";

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

  constructor(receive: ReceiveBuffer, limits: LspLimits) {
    this.#receive = receive;
    this.#limits = limits;
  }

  /** Datagram `number`, with data, came. */
  noteData(number: number, nowMs: Millis): void {
    if (number <= this.#echo) return;
    this.#echo = number;
    this.#echoAtMs = nowMs;
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
