/**
 * A job on a command line, from its beginning to its result.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import { Display } from "../run/progress.ts";
import { onSignal } from "../run/signals.ts";
import { EXIT_NO, EXIT_UNKNOWN } from "../run/verbs.ts";
import { idFrom, idText } from "../work/job_id.ts";
import { hexDigits, leadingZeroBits } from "../work/readable.ts";
import { type JobAnswer, type Submission, SubmitError } from "./adapter.ts";
import { Outage, showProgress } from "./show_adapter.ts";

/** How a job is followed. */
export interface FollowOptions {
  /** As typed. */
  readonly servers: readonly string[];
  readonly json: boolean;
  readonly quiet: boolean;
  /** When to give up, as it was typed and in milliseconds. */
  readonly timeout?: { readonly text: string; readonly ms: number } | undefined;
  /** As typed, of a job that was submitted before. */
  readonly id?: string;
  /** Nonces of the job; left out: as the server says. */
  readonly total?: bigint | undefined;
  /** Of a job that has one. */
  readonly target?: bigint | undefined;
  /** What becomes of the job when the user, or the time, gives up. */
  readonly end: "cancel" | "leave";
}

/** What a job that is followed is begun with. */
export interface Begun {
  readonly onWaiting: (reason: string) => void;
}

/** Begins a job, shows how it goes, and writes its result; the exit code. */
export async function follow(
  options: FollowOptions,
  begin: (begun: Begun) => Submission,
): Promise<number> {
  const { servers, json, quiet, timeout, end } = options;
  const where = { asked: servers.join(", "), now: () => job.server };
  const display = new Display({ quiet: quiet || json });
  const outage = new Outage(display, where, json);
  const job: Submission = begin({ onWaiting: (reason) => outage.began(reason) });
  const total = (): bigint | undefined =>
    options.total ?? (job.row && job.row.upper - job.row.lower + 1n);
  const shown = showProgress(job, { total, outage, where, json, display });
  onSignal(async () => {
    shown.end();
    await job[end]();
  });
  let late = false;
  if (timeout !== undefined) setTimeout(() => void ((late = true), job[end]()), timeout.ms);
  let answer: JobAnswer;
  try {
    await shown.over;
    answer = await job.answer;
  } catch (error) {
    if (late) shown.end();
    else display.clear();
    if (late) process.stderr.write(`client: no answer within ${timeout!.text} s\n`);
    if (late) return EXIT_UNKNOWN;
    if (!(error instanceof SubmitError)) throw error;
    return await fail(error, json, options.id);
  }
  display.clear();
  return await tell(answer, options.target ?? job.row?.target, json, quiet);
}

/** Has a job taken in, writes its id, and leaves it alone; the exit code. */
export async function detach(job: Submission, json: boolean): Promise<number> {
  try {
    const id = await job.id;
    const { durable } = job;
    await printResult(json ? `${JSON.stringify({ job: { id, durable } })}\n` : `${id}\n`);
    if (durable === false) {
      process.stderr.write("client: the server keeps it in memory, until the server ends\n");
    }
    await job.leave();
    return 0;
  } catch (error) {
    if (error instanceof SubmitError) return await fail(error, json);
    throw error;
  }
}

/** Writes the result; its exit code. */
async function tell(
  { hash, nonce, met }: JobAnswer,
  target: bigint | undefined,
  json: boolean,
  quiet: boolean,
): Promise<number> {
  const hex = hexDigits(hash);
  if (json)
    await printResult(`${JSON.stringify({ result: { hash: hex, nonce: `${nonce}`, met } })}\n`);
  else await printResult(`Result ${hash} ${nonce}\n`);
  if (!quiet && !json) {
    process.stderr.write(`hash ${hex}: ${leadingZeroBits(hash)} leading zero bits\n`);
  }
  if (met) return 0;
  const aim = target === undefined ? "the target" : `the target ${hexDigits(target)}`;
  process.stderr.write(`client: no hash meets ${aim}, ${hex} is the least\n`);
  return EXIT_NO;
}

/**
 * The exit code of a job without an answer; it also says what there is to say. What a server says
 * of the job `id` by name is a clean "no": that there is none, say.
 */
export async function fail(error: SubmitError, json: boolean, id?: string): Promise<number> {
  const number = id === undefined ? undefined : idFrom(id);
  if (error.code === "INVALID_JOB") throw new UsageError(error.message);
  if (number !== undefined && error.message.includes(idText(number))) {
    process.stderr.write(`client: ${oneLine(error.message)}\n`);
    return EXIT_NO;
  }
  if (error.code !== "DISCONNECTED") throw new Failure(error.message);
  await printResult(
    json ? `${JSON.stringify({ disconnected: error.message })}\n` : "Disconnected\n",
  );
  process.stderr.write(`client: ${oneLine(error.message)}\n`);
  return 1;
}
