/**
 * Which messages are for a worker's map-reduce side.
 *
 * @module
 */
import type { MapReduceMessage } from "../work/mapreduce_messages.ts";
import type { Message, Stop } from "../work/messages.ts";

/** Messages from the server to a worker; `stop` is shared with nonce search. */
export type ToWorker =
  | Stop
  | Extract<
      MapReduceMessage,
      {
        kind:
          | "mr-map"
          | "mr-reduce"
          | "mr-peers"
          | "mr-adopt"
          | "mr-sources"
          | "mr-forget"
          | "mr-asked"
          | "mr-piece";
      }
    >;

/** Tasks that ended, of which a stop may still be on its way here. */
const ENDED_MAX = 64;

/** Tells apart what the server says to this side of a miner, and what to nonce search. */
export class Ours {
  readonly #isLive: (task: number) => boolean;
  /** In the order in which they ended. */
  readonly #ended = new Set<number>();

  /** `isLive` says whether a task of that number is in hand. */
  constructor(isLive: (task: number) => boolean) {
    this.#isLive = isLive;
  }

  /** The task is over here; the server does not know that yet. */
  end(task: number): void {
    this.#ended.add(task);
    const [oldest] = this.#ended;
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(oldest!);
  }

  /** Another server numbers anew. */
  forget(): void {
    this.#ended.clear();
  }

  has(message: Message): message is ToWorker {
    switch (message.kind) {
      case "mr-map":
      case "mr-reduce":
      case "mr-peers":
      case "mr-adopt":
      case "mr-sources":
      case "mr-forget":
      case "mr-asked":
      case "mr-piece":
        return true;
      case "stop":
        return this.#isLive(message.chunk) || this.#ended.has(message.chunk);
      default:
        return false;
    }
  }
}
