/**
 * What happened since a server was made, counted.
 *
 * @module
 */
import type { Client } from "./client.ts";
import type { Lists } from "./lists.ts";
import type { Counts, IgnoredReason } from "./types.ts";

/** Counts that only grow; `Counts` says what they mean. */
export class Tally {
  dropped = 0;
  refused = 0;
  droppedLines = 0;
  requests = 0;
  readonly ignored: Record<IgnoredReason, number> = {
    unknown: 0,
    malformed: 0,
    unfinished: 0,
    long: 0,
    full: 0,
  };
}

/** How a server stands. */
export function countsOf(
  clients: Iterable<Client>,
  tally: Tally,
  lists: Lists,
  disk: Counts["disk"],
): Counts {
  let [active, waitingLines, waitingBytes] = [0, 0, 0];
  for (const { answers } of clients) {
    active++;
    waitingLines += answers.lines;
    waitingBytes += answers.bytes;
  }
  const { keys, values, bytes } = lists;
  const ignored = { ...tally.ignored };
  return { active, ...tally, ignored, waitingLines, waitingBytes, keys, values, bytes, disk };
}
