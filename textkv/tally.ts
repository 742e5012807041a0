/**
 * What happened since a server was made, counted.
 *
 * @module
 */
import type { IgnoredReason } from "./types.ts";

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
