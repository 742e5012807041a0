/**
 * Notices a peer that keeps memory, of which others are in want, by sending a large message too
 * slowly: it would let them wait without end.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { FullParams } from "./params.ts";
import type { ReceiveBuffer } from "./receive_buffer.ts";

/** A peer is judged by what came in as long as this, or as it takes to find that it is silent. */
const LEAST_PERIOD_MS = 5000;
/** What must come in a period: little, for slow paths are no fault. 64 MiB take 6 hours at most. */
const LEAST_BYTES = 16 << 10;

/** See the module. */
export class StallWatch {
  readonly #receive: ReceiveBuffer;
  readonly #periodMs: Millis;
  /** Start of the period; `undefined` while nobody waits for this peer. */
  #sinceMs: Millis | undefined;
  #bytesBefore = 0;

  constructor(receive: ReceiveBuffer, { epochLimit, epochMillis }: FullParams) {
    this.#receive = receive;
    this.#periodMs = Math.max(LEAST_PERIOD_MS, (epochLimit + 2) * epochMillis);
  }

  /** Whether to give up the peer. Ask at every tick. */
  isOver(nowMs: Millis): boolean {
    const receive = this.#receive;
    if (!receive.keepsOthersWaiting) {
      this.#sinceMs = undefined;
      return false;
    }
    const bytes = receive.handedOnBytes - this.#bytesBefore;
    if (this.#sinceMs === undefined || bytes >= LEAST_BYTES) {
      this.#sinceMs = nowMs;
      this.#bytesBefore = receive.handedOnBytes;
      return false;
    }
    return nowMs - this.#sinceMs >= this.#periodMs;
  }
}
