/**
 * What an endpoint and its connections count, for people who watch and for tests.
 *
 * @module
 */
import type { Wire } from "./types.ts";

/** Counts of an endpoint since its start. Plain data. */
export interface EndpointStats {
  sentDatagrams: number;
  sentBytes: number;
  receivedDatagrams: number;
  receivedBytes: number;
  /** Datagrams and frames that were turned away, by reason. */
  rejected: Record<string, number>;
  /** Connections now, those included that flush or linger after a close. */
  connections: number;
  /** Payload bytes received and not read, over all connections; large messages apart. */
  unreadBytes: number;
  /** Bytes taken by large messages that arrive or were not read, over all connections. */
  reassemblyBytes: number;
  /** Payload bytes of written messages not wholly acknowledged, over all connections. */
  queuedBytes: number;
}

/** State and counts of one connection. Plain data. */
export interface ConnectionStats {
  connId: number;
  wire: Wire;
  /** Messages, and pieces of large ones, sent for the first time. */
  sentMessages: number;
  /** Messages sent again, for whatever reason. */
  retransmits: number;
  /** Times that acknowledgements showed a message to be lost; always 0 on the json wire. */
  lost: number;
  /** Messages received for the first time. */
  receivedMessages: number;
  /** Messages received again. */
  duplicates: number;
  /** Messages that found no room, and were not acknowledged. */
  dropped: number;
  /** Payload bytes written and not acknowledged. */
  queuedBytes: number;
  /** Bytes of Data frames under way. */
  inFlightBytes: number;
  /** Payload bytes received and not read; one large message may exceed the limit. */
  unreadBytes: number;
  /** Bytes of a large message whose end has not come yet. */
  partialBytes: number;
  /** Smoothed round-trip time, ms; `undefined` before the first sample, and on the json wire. */
  rttMs: number | undefined;
  /** Congestion window in bytes; `undefined` on the json wire. */
  congestionWindow: number | undefined;
}

/** Counts by reason. */
export class Rejections {
  readonly byReason: Record<string, number> = {};

  /** One more of `reason`, a name from our own finite set. */
  count(reason: string): void {
    this.byReason[reason] = (this.byReason[reason] ?? 0) + 1;
  }
}
