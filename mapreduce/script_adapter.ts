/**
 * What the program `mapreduce.ts run` does: from its command line to the outputs.
 *
 * @module
 */
import { join } from "node:path";
import { readableDuration, readablePlural } from "../base/text.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { Display } from "../run/progress.ts";
import { onSignal } from "../run/signals.ts";
import { chooseApplication } from "./choice_adapter.ts";
import { removeScratch, scratchDirectory } from "./scratch_adapter.ts";
import { inputFiles, splitsOf } from "./inputs_adapter.ts";
import {
  REDUCERS_MAX,
  SORT_BYTES,
  SORT_BYTES_MAX,
  SORT_BYTES_MIN,
  SPLIT_BYTES_MIN,
  TASK_BYTES,
  TASK_TIMEOUT_MS,
} from "./limits.ts";
import { type JobOptions, type JobProgress, runLocal } from "./local_adapter.ts";
import { Share } from "./share_adapter.ts";
import { checkRoom, OutputDirectory, printMerged } from "./outputs_adapter.ts";

const MIB = 2 ** 20;
/** A split is made small enough that this many are there for each worker. */
const SPLITS_PER_WORKER = 4;

/** The flags of a job, everyday ones first. */
export const JOB_FLAGS: Readonly<Record<string, Flag>> = {
  reducers: { value: "R", help: `output files, 1..${REDUCERS_MAX} (1)` },
  out: { value: "DIR", help: "where they go: a directory that is new or empty" },
  stdout: { help: "write one merged result to stdout instead" },
  local: { help: "run here alone, on all cores, without a server" },
  shared: { value: "DIR", help: "miners started with the same --shared read and write in DIR" },
  host: { value: "HOST", help: "where miners fetch from this program (loopback, else not)" },
  workers: { value: "N", help: "with --local: tasks at a time (one a core)" },
  "skip-bad": { help: "skip records that an application throws at, and report them" },
  "sort-memory": { value: "MIB", help: `memory of a task for sorting (${SORT_BYTES / MIB})` },
  "task-timeout": { value: "SECONDS", help: `longest task (${TASK_TIMEOUT_MS / 1000})` },
  "task-memory": { value: "MIB", help: `most memory of a user's code (${TASK_BYTES / MIB})` },
  json: { help: "write progress as JSON, a line each, to stdout" },
  quiet: { help: "show no progress" },
};

/** What the flags ask for. */
interface Asked {
  readonly reducers: number;
  readonly out: string | undefined;
  readonly sortBytes: number;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  readonly skipBad: boolean;
  readonly workers: number | undefined;
  readonly share: Share | undefined;
  readonly peerHost: string | undefined;
}

function numberFlag(
  line: CommandLine,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const text = line.flag(name);
  if (text === undefined) return undefined;
  return Number(wholeNumber(`--${name}`, text, BigInt(least), BigInt(most)));
}

function asked(line: CommandLine): Asked {
  const out = line.flag("out");
  if ((out === undefined) === !line.has("stdout")) {
    throw new UsageError("expected one of --out DIR and --stdout");
  }
  if (line.has("json") && line.has("stdout")) {
    throw new UsageError("--json and --stdout both write to stdout: name one of them");
  }
  const workers = numberFlag(line, "workers", 1, 256);
  if (workers !== undefined && !line.has("local")) throw new UsageError("--workers needs --local");
  for (const name of ["shared", "host"]) {
    if (line.has("local") && line.flag(name) !== undefined) {
      throw new UsageError(`--${name} and --local: name one of them`);
    }
  }
  const shared = line.flag("shared");
  const sort = numberFlag(line, "sort-memory", SORT_BYTES_MIN / MIB, SORT_BYTES_MAX / MIB);
  const timeout = line.flag("task-timeout");
  return {
    reducers: numberFlag(line, "reducers", 1, REDUCERS_MAX) ?? 1,
    out,
    sortBytes: sort === undefined ? SORT_BYTES : sort * MIB,
    timeoutMs: timeout === undefined ? TASK_TIMEOUT_MS : seconds("--task-timeout", timeout),
    memoryBytes: (numberFlag(line, "task-memory", 64, 1 << 20) ?? TASK_BYTES / MIB) * MIB,
    skipBad: line.has("skip-bad"),
    workers,
    share: shared === undefined ? undefined : new Share(shared),
    peerHost: line.flag("host"),
  };
}

/** How a job is carried out, once all about it is known. */
export type Carrier = (options: CarriedJob, directory: string) => Promise<void>;

/** A job, and what of it is for a fleet only. */
export interface CarriedJob extends JobOptions {
  readonly share: Share | undefined;
  readonly out: string | undefined;
  readonly peerHost: string | undefined;
}

/** Runs the job of the command line; `carry` sends it to a server, if it is not `--local`. */
export async function runJob(
  line: CommandLine,
  application: string,
  inputs: readonly string[],
  carry?: Carrier,
): Promise<number> {
  const want = asked(line);
  const files = inputFiles(inputs);
  const directory = scratchDirectory();
  const ending = new AbortController();
  let outputs: OutputDirectory | undefined;
  const tidy = (): void => {
    outputs?.discard();
    removeScratch(directory);
  };
  onSignal(async () => {
    ending.abort();
    tidy();
  });
  try {
    const chosen = await chooseApplication(application, directory);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    // What lies between map and reduce is about as large as the input, unless it is combined.
    checkRoom(directory, application === "sort" ? 2 * bytes : 0);
    const { reducers } = want;
    if (want.out !== undefined) outputs = new OutputDirectory(want.out, reducers);
    if (want.out !== undefined) checkRoom(want.out, application === "sort" ? bytes : 0);
    const splitBytes = Math.min(
      chosen.splitBytes,
      Math.max(SPLIT_BYTES_MIN, Math.ceil(bytes / (SPLITS_PER_WORKER * (want.workers ?? 2)))),
    );
    const cut = chosen.splitBytes === Infinity ? Infinity : splitBytes;
    const splits = splitsOf(files, { bytes: cut, countLines: chosen.countLines });
    const outputPath = (r: number): string => outputs?.temporary(r) ?? join(directory, `out-${r}`);
    const shown = new Shown(line);
    await (carry ?? local(want))(
      {
        ...want,
        chosen,
        splits,
        asRecords: outputs === undefined,
        outputPath,
        onProgress: (progress) => shown.progress(progress),
        log: (text) => shown.line(text),
        signal: ending.signal,
      },
      directory,
    );
    ending.signal.throwIfAborted();
    shown.end(bytes);
    if (outputs !== undefined) outputs.commit();
    else
      await printMerged(
        Array.from({ length: reducers }, (_, r) => outputPath(r)),
        want.sortBytes,
      );
    return 0;
  } catch (error) {
    // The error is one line; the application's stack comes before it.
    const [first, ...stack] = error instanceof Failure ? error.message.split("\n") : [];
    if (first === undefined || stack.length === 0) throw error;
    process.stderr.write(`${stack.join("\n")}\n`);
    throw new Failure(first);
  } finally {
    tidy();
  }
}

function local({ workers }: Asked): Carrier {
  return (options, directory) =>
    runLocal({ ...options, directory, ...(workers !== undefined && { workers }) });
}

/** Progress, for people or as JSON. */
class Shown {
  readonly #display: Display;
  readonly #json: boolean;
  readonly #startMs = performance.now();
  #last: JobProgress | undefined;

  constructor(line: CommandLine) {
    this.#json = line.has("json");
    this.#display = new Display({ quiet: line.has("quiet") || this.#json });
  }

  line(text: string): void {
    if (this.#json) process.stdout.write(`${JSON.stringify({ note: text })}\n`);
    else this.#display.line(text);
  }

  progress(progress: JobProgress): void {
    this.#last = progress;
    if (this.#json) return void process.stdout.write(`${JSON.stringify({ progress })}\n`);
    const { maps, mapsDone, reduces, reducesDone, bytesDone, failures } = progress;
    const failed = failures === 0 ? "" : `, ${readablePlural(failures, "failure")}`;
    this.#display.status(
      `${mapsDone}/${maps} maps, ${reducesDone}/${reduces} reduces, ${this.#rate(bytesDone)}${failed}`,
    );
  }

  /** The job is done. */
  end(bytes: number): void {
    this.#display.clear();
    const took = readableDuration((performance.now() - this.#startMs) / 1000);
    const { maps = 0, reduces = 0 } = this.#last ?? {};
    const what = `${readablePlural(maps, "map")}, ${readablePlural(reduces, "reduce")}`;
    this.line(`done after ${took}: ${what}, ${this.#rate(bytes)}`);
  }

  #rate(bytes: number): string {
    const elapsed = Math.max(0.001, (performance.now() - this.#startMs) / 1000);
    return `${(bytes / 1e6 / elapsed).toFixed(1)} MB/s`;
  }
}
