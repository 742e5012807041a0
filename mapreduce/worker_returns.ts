/**
 * A worker and its servers: what runs on while none is there, what a worker says when one is back,
 * and how it says what became of a task.
 *
 * @module
 */
import { clipped } from "../base/text.ts";
import {
  HAVE_ROWS_MAX,
  type MapReduceMessage,
  type MrAdopt,
  TROUBLE_BYTES_MAX,
} from "../work/mapreduce_messages.ts";
import type { KeptJobs } from "./kept.ts";
import { HAVE_TOTAL_MAX } from "./limits.ts";
import { invalidText, skippedText } from "./notes.ts";
import type { TaskEnd } from "./task_end.ts";
import type { WorkerTask } from "./worker_task.ts";

/** Tasks that run on although their server is gone. */
export class Orphans {
  readonly #tasks = new Set<WorkerTask>();

  [Symbol.iterator](): Iterator<WorkerTask> {
    return this.#tasks.values();
  }

  add(task: WorkerTask): void {
    this.#tasks.add(task);
  }

  /** Whether it was one. */
  delete(task: WorkerTask): boolean {
    return this.#tasks.delete(task);
  }

  /** Takes the one that does this task, if there is one. */
  take(uid: number, isMap: boolean, index: number): WorkerTask | undefined {
    for (const task of this.#tasks) {
      if (task.uid !== uid || task.isMap !== isMap || task.order.index !== index) continue;
      this.#tasks.delete(task);
      return task;
    }
    return undefined;
  }

  /** What there is of every job: what the server does not know of, it has forgotten. */
  *have(jobs: KeptJobs): Iterable<MapReduceMessage> {
    let left = HAVE_TOTAL_MAX;
    for (const [uid, rows] of jobs.rows()) {
      for (const { uid: of, isMap, order } of this.#tasks) {
        if (of === uid) rows.unshift({ isMap, index: order.index, isDone: false, hash: "" });
      }
      rows.splice(left);
      left -= rows.length;
      for (let at = 0; at === 0 || at < rows.length; at += HAVE_ROWS_MAX) {
        yield { kind: "mr-have", uid, rows: rows.slice(at, at + HAVE_ROWS_MAX) };
      }
    }
  }
}

/** The answer to an order to go on with what does not run any more. */
export function answerTo({ task, uid, isMap, index }: MrAdopt, jobs: KeptJobs): MapReduceMessage {
  const { maps, outputs } = jobs.of(uid);
  const parts = maps.get(index)?.parts;
  const output = outputs.get(index)?.part;
  if (isMap && parts !== undefined) return { kind: "mr-mapped", task, parts, note: "" };
  if (!isMap && output !== undefined) return { kind: "mr-reduced", task, output, note: "" };
  const text = "it failed while the server was away";
  return { kind: "mr-ended", task, why: "died", text, map: 0, holder: 0 };
}

/** What a run came to, if that is a result, as the server hears it. */
export function resultOf(
  { number: task, isMap, name }: WorkerTask,
  end: TaskEnd,
): MapReduceMessage | undefined {
  if (end.kind === "mapped" && isMap) {
    const notes = end.invalid > 0 ? [invalidText(name!, end.invalid)] : [];
    if (end.bad > 0) notes.push(skippedText(end.bad, end.skipped));
    const note = clipped(notes.join("; "), TROUBLE_BYTES_MAX);
    return { kind: "mr-mapped", task, parts: end.parts, note };
  }
  if (end.kind !== "reduced" || isMap) return undefined;
  const note = end.bad > 0 ? clipped(skippedText(end.bad, end.skipped), TROUBLE_BYTES_MAX) : "";
  return { kind: "mr-reduced", task, output: end.output, note };
}
