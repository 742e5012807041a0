/**
 * What the log calls miners, and what it says of them.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import type { Join } from "../work/messages.ts";
import { readableRate } from "../work/readable.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";

/** What a miner says of itself, for people; a classic one says neither threads nor rate. */
export function described({
  threads,
  rate,
  label,
}: Pick<Join, "threads" | "rate" | "label">): string {
  const each = threads > 0 ? `, ${readablePlural(threads, "thread")}` : "";
  return `${label}${each}${rate > 0 ? `, about ${readableRate(rate)}` : ""}`;
}

/** A miner in the log: its connection's number, and its name if it has one. */
export function called({ connId, name }: Worker<Task>): string {
  return name === "" ? `miner ${connId}` : `miner ${connId} (${name})`;
}
