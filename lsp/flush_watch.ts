/**
 * Bounds the time for which a connection that we closed goes on for what was written on it: a peer
 * that takes nothing, or next to nothing, would keep its memory for as long as it heartbeats.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { FullParams } from "./params.ts";
import type { SendWindow } from "./send_window.ts";
import type { Wire } from "./types.ts";

/** A peer is judged by what it took in as long as this, or as it takes to find it silent. */
const LEAST_PERIOD_MS = 5000;
/** To take less in a period is to take next to nothing; or less of what there is than the share. */
const LEAST_BYTES = 16 << 10;
const LEAST_SHARE = 1 / 64;

/**
 * How much of what waits in `send` its peer must take in a while, in bytes; an empty message is
 * one. On the json wire a message will do: one lost datagram costs an epoch there.
 */
export function leastProgress({ queuedBytes, queuedMessages }: SendWindow, wire: Wire): number {
  if (wire === "json") return 1;
  return Math.min(LEAST_BYTES, (queuedBytes + queuedMessages) * LEAST_SHARE);
}

/** See the module. */
export class FlushWatch {
  readonly #send: SendWindow;
  readonly #periodMs: Millis;
  readonly #leastBytes: number;
  #sinceMs: Millis | undefined;
  #settledBefore = 0;

  /** Begins with the flush. */
  constructor(send: SendWindow, params: FullParams, wire: Wire) {
    const { epochLimit, epochMillis, maxBackOffInterval } = params;
    this.#send = send;
    // What is lost on the json wire waits for its back-off, and may be lost once more.
    const repairEpochs = wire === "json" ? 2 * (maxBackOffInterval + 1) + 1 : 0;
    const epochs = Math.max(epochLimit + 2, repairEpochs);
    this.#periodMs = Math.max(LEAST_PERIOD_MS, epochs * epochMillis);
    this.#leastBytes = leastProgress(send, wire);
  }

  /** Whether to give up. Ask at every tick. */
  isOver(nowMs: Millis): boolean {
    const { settledBytes } = this.#send;
    if (this.#sinceMs === undefined || settledBytes - this.#settledBefore >= this.#leastBytes) {
      this.#sinceMs = nowMs;
      this.#settledBefore = settledBytes;
    }
    return nowMs - this.#sinceMs >= this.#periodMs;
  }
}
