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

/** Whether the message is one of these; `knows` says whether a task is known by its number. */
export function isToWorker(
  message: Message,
  knows: (task: number) => boolean,
): message is ToWorker {
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
      return knows(message.chunk);
    default:
      return false;
  }
}
