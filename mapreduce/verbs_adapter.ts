/**
 * The verbs of mapreduce.ts for jobs that are there already: status, wait, fetch, cancel.
 *
 * @module
 */
import { oneLine, readablePlural } from "../base/text.ts";
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import { typedServers } from "../peer/targets.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import { onSignal } from "../run/signals.ts";
import { EXIT_NO, type Verb, type Verbs } from "../run/verbs.ts";
import { idFrom, idText } from "../work/job_id.ts";
import type { MrAttached } from "../work/mapreduce_messages.ts";
import { askForJob } from "./client_adapter.ts";
import type { JobWish } from "./client_core.ts";
import type { JobProgress } from "./local_adapter.ts";
import { OutputDirectory } from "./outputs_adapter.ts";
import { Shown } from "./shown_adapter.ts";

const JSON_FLAG: Readonly<Record<string, Flag>> = { json: { help: "write JSON, a line each" } };
const QUIET: Readonly<Record<string, Flag>> = { quiet: { help: "show no progress" } };

/** What became of the question. */
interface Answer {
  readonly attached: MrAttached;
  readonly progress: JobProgress | undefined;
  /** What the job waits for, if it does. */
  readonly waits: string | undefined;
}

/** Asks for the job of the command line; undefined when there is none. */
async function ask(
  line: CommandLine,
  wish: JobWish,
  outputPath: (r: number) => string = () => "",
): Promise<Answer | undefined> {
  const [at, text] = line.positionals as [string, string];
  const id = idFrom(text);
  if (id === undefined) {
    throw new UsageError(`the job is "${oneLine(text)}", expected an id like lusab-babad`);
  }
  let attached: MrAttached | undefined;
  let progress: JobProgress | undefined;
  let waits: string | undefined;
  const ending = new AbortController();
  const shows = wish === "wait" || wish === "fetch";
  const shown = shows ? new Shown(line) : undefined;
  onSignal(async () => ending.abort());
  try {
    await askForJob({
      servers: typedServers(at),
      params: lspParams(line),
      id,
      wish,
      outputPath,
      signal: ending.signal,
      onAttached: (of) => (attached = of),
      onProgress: (of) => {
        progress = of;
        shown?.progress(of);
      },
      log: (note) => {
        waits = note;
        shown?.line(note);
      },
    });
  } catch (error) {
    const isNone = error instanceof Failure && error.message === `there is no job ${idText(id)}`;
    if (!isNone) throw error;
    process.stderr.write(`mapreduce: ${error.message} there\n`);
    return undefined;
  } finally {
    shown?.clear();
  }
  return attached === undefined ? undefined : { attached, progress, waits };
}

/** How a job stands, on one line. */
function statusText({ attached, progress, waits }: Answer, asJson: boolean): string {
  const { id, application, keep } = attached;
  const { maps = 0, mapsDone = 0, reduces = 0, reducesDone = 0, failures = 0 } = progress ?? {};
  const state = reducesDone === reduces ? "done" : (waits ?? "at work");
  const row = { job: idText(id), application, state, maps, mapsDone, reduces, reducesDone };
  if (asJson) return `${JSON.stringify({ ...row, failures, keep })}\n`;
  const failed = failures === 0 ? "" : `, ${readablePlural(failures, "failure")}`;
  const what = `${mapsDone}/${maps} maps, ${reducesDone}/${reduces} reduces${failed}`;
  return `${row.job} ${oneLine(application)}: ${state}, ${what}\n`;
}

/** Fetches the outputs into the directory that is named. */
async function fetchOutputs(line: CommandLine): Promise<number> {
  const out = line.flag("out");
  if (out === undefined) throw new UsageError("expected --out DIR");
  const outputs = new OutputDirectory(out, 0);
  try {
    const answer = await ask(line, "fetch", (r) => outputs.temporary(r));
    if (answer === undefined) return EXIT_NO;
    outputs.commit(answer.attached.reducers);
    return 0;
  } finally {
    outputs.discard();
  }
}

function verb(
  name: string,
  about: string,
  flags: Readonly<Record<string, Flag>>,
  run: (line: CommandLine) => Promise<number>,
): Verb {
  const takes = `${name} HOST[:PORT][,HOST[:PORT]…] ID`;
  const all = { ...flags, ...JSON_FLAG, ...LSP_FLAGS };
  return { usage: { name: "mapreduce", takes, count: [2, 2], about, flags: all }, run };
}

/** See the module. */
export const JOB_VERBS: Verbs = {
  status: verb("status", "Writes how a job stands, on one line.", {}, async (line) => {
    const answer = await ask(line, "look");
    if (answer === undefined) return EXIT_NO;
    await printResult(statusText(answer, line.has("json")));
    return 0;
  }),
  wait: verb("wait", "Waits until all outputs are made.", QUIET, async (line) => {
    return (await ask(line, "wait")) === undefined ? EXIT_NO : 0;
  }),
  fetch: verb(
    "fetch",
    "Waits until all outputs are made, and fetches them.",
    { out: { value: "DIR", help: "where they go: a directory that is new or empty" }, ...QUIET },
    fetchOutputs,
  ),
  cancel: verb("cancel", "Ends a job: its outputs go, too.", {}, async (line) => {
    return (await ask(line, "cancel")) === undefined ? EXIT_NO : 0;
  }),
};
