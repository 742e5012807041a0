/**
 * Questions about jobs that do not wait: which there are, how one stands, and ending one.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";
import { idFrom } from "../work/job_id.ts";
import { type JobRow, ROWS_MAX } from "../work/messages.ts";
import { SubmitError } from "./adapter.ts";
import { type Ask, type InquiryOptions, withServer } from "./asking_adapter.ts";

export type { InquiryOptions } from "./asking_adapter.ts";

const QUESTION = 1;

/** All jobs that the server knows, in the order of submission. Rejects with a SubmitError. */
export function listJobs(options: InquiryOptions): Promise<JobRow[]> {
  return withServer(options, async (ask) => {
    const all: JobRow[] = [];
    for (let from = 0; ;) {
      const rows = await rowsFrom(ask, from, ROWS_MAX);
      all.push(...rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_MAX || last.id === 2 ** 32 - 1) break;
      from = last.id + 1;
    }
    return all.sort((a, b) => a.submittedMs - b.submittedMs || a.id - b.id);
  });
}

/** How the job that is called `id` stands; undefined: no such job. Rejects with a SubmitError. */
export function lookUpJob(options: InquiryOptions, id: string): Promise<JobRow | undefined> {
  const number = numberOf(id);
  return withServer(options, async (ask) => {
    const [row] = await rowsFrom(ask, number, 1);
    return row?.id === number ? row : undefined;
  });
}

/**
 * Ends the job that is called `id`: cancels one that has no answer, or forgets the answer of one
 * that has. Rejects with a SubmitError, `REFUSED` if it cannot be.
 */
export async function endJob(
  options: InquiryOptions,
  id: string,
  what: "cancel" | "forget",
): Promise<void> {
  const number = numberOf(id);
  await withServer(options, (ask) =>
    ask({ kind: "end", job: QUESTION, id: number, what }, (answer) =>
      answer.kind === "ended" ? true : undefined,
    ),
  );
}

function rowsFrom(ask: Ask, from: number, most: number): Promise<readonly JobRow[]> {
  return ask({ kind: "list", job: QUESTION, from, most }, (answer) =>
    answer.kind === "jobs" ? answer.rows : undefined,
  );
}

function numberOf(id: string): number {
  const number = idFrom(id);
  if (number !== undefined) return number;
  const text = `"${oneLine(id)}" is no job's id, expected one like lusab-babad`;
  throw new SubmitError("INVALID_JOB", text);
}
