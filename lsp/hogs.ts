/**
 * How connections share the memory for written messages, and who has to go when it is short: not
 * the one that needs some, but the one that keeps much of it for long (docs/memory.md).
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { LspLimits } from "./params.ts";

/** What its end tells the program, and the peer. */
export const HOG_REASON = "kept memory for messages while others needed some";
/** Epochs in a row in which a peer took next to nothing: from then on it can be a hog. */
const STALLED_EPOCHS = 2;
/** So much of the memory is for who comes first. The rest is shared equally. */
const FREE_FOR_ALL = 1 / 2;

/**
 * How much a connection takes, with `more` bytes to come: what it holds, times the epochs in a row
 * in which its peer took next to nothing of it, and one.
 */
function weightOf({ send, stalledEpochs }: Connection, more = 0): number {
  return (send.pinnedBytes + more) * (1 + stalledEpochs);
}

/** See the module. */
export class Hogs {
  readonly #connections: ReadonlyMap<number, Connection>;
  readonly #budget: Budget;
  readonly #mostBytes: number;
  /** The heaviest when so many bytes were queued: found once for all who ask meanwhile. */
  #heaviest: Connection | undefined;
  #foundAtBytes = -1;

  constructor(connections: ReadonlyMap<number, Connection>, budget: Budget, limits: LspLimits) {
    this.#connections = connections;
    this.#budget = budget;
    this.#mostBytes = limits.maxQueuedBytesTotal;
  }

  /** Whether `writer` can queue `bytes` more now. A message above the limit may wait alone. */
  fits(writer: Connection, bytes: number): boolean {
    const mostBytes = this.#mostBytes;
    const { queuedBytes } = this.#budget;
    const total = queuedBytes + bytes;
    if (queuedBytes === 0 || total <= mostBytes * FREE_FOR_ALL) return true;
    const share = (mostBytes * (1 - FREE_FOR_ALL)) / this.#connections.size;
    return total <= mostBytes && writer.send.pinnedBytes + bytes <= share;
  }

  /** The connection to end so that `writer` can queue `bytes`; it is heavier than that one then. */
  find(writer: Connection, bytes: number): Connection | undefined {
    if (bytes > this.#mostBytes) return undefined;
    const { queuedBytes } = this.#budget;
    if (this.#foundAtBytes !== queuedBytes || this.#heaviest?.hasEnded) {
      this.#heaviest = this.#findHeaviest();
      this.#foundAtBytes = queuedBytes;
    }
    const heaviest = this.#heaviest;
    if (heaviest === undefined || heaviest === writer) return undefined;
    return weightOf(heaviest) > weightOf(writer, bytes) ? heaviest : undefined;
  }

  #findHeaviest(): Connection | undefined {
    let heaviest: Connection | undefined;
    let most = 0;
    for (const connection of this.#connections.values()) {
      if (connection.stalledEpochs < STALLED_EPOCHS) continue;
      const weight = weightOf(connection);
      if (weight <= most) continue;
      most = weight;
      heaviest = connection;
    }
    return heaviest;
  }
}
