/**
 * What the log calls miners and jobs, and what it says of them.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import type { Join } from "../work/messages.ts";
import { hexDigits, readableRate } from "../work/readable.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { nameOf } from "./askers.ts";
import type { SearchJob } from "./search_job.ts";

/** What a miner says of itself, for people; a classic one says neither threads nor rate. */
export function described({
  threads,
  rate,
  label,
}: Pick<Join, "threads" | "rate" | "label">): string {
  const each = threads > 0 ? `, ${readablePlural(threads, "thread")}` : "";
  return `${label}${each}${rate > 0 ? `, about ${readableRate(rate)}` : ""}`;
}

/** A job that is begun with, as the log has it. */
export function begunText(job: SearchJob, connId: number, address: string | undefined): string {
  const { spec, detached } = job.record;
  const size = spec.upper - spec.lower + 1n;
  const kind = spec.target === undefined ? "" : `, target ${hexDigits(spec.target)}`;
  const what = `${readablePlural(size, "nonce")}${kind}${detached ? ", detached" : ""}`;
  const from = address === undefined ? "" : `, ${address}`;
  return `job ${nameOf(job)} accepted from client ${connId}${from}: ${what}`;
}

/** A miner in the log: its connection's number, and its name if it has one. */
export function called({ connId, name }: Worker<Task>): string {
  return name === "" ? `miner ${connId}` : `miner ${connId} (${name})`;
}
