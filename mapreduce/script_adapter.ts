/**
 * What the program `mapreduce.ts run` does: from its command line to the outputs.
 *
 * @module
 */
import { join } from "node:path";
import type { CommandLine, Flag } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { onSignal } from "../run/signals.ts";
import type { MrAttached } from "../work/mapreduce_messages.ts";
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
import { type JobOptions, runLocal } from "./local_adapter.ts";
import { Share } from "./share_adapter.ts";
import { Shown } from "./shown_adapter.ts";
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
  detach: { help: "print the job's id, and leave when its input is read (fetch, wait)" },
  keep: { help: "leave the outputs in the fleet as well, for a day (fetch)" },
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
  readonly detach: boolean;
  readonly keep: boolean;
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
  const detach = line.has("detach");
  for (const name of ["detach", "keep"]) {
    if (line.has("local") && line.has(name)) {
      throw new UsageError(`--${name} and --local: name one of them`);
    }
  }
  if (detach && (out !== undefined || line.has("stdout"))) {
    throw new UsageError("with --detach nothing is fetched: leave out --out and --stdout");
  }
  if (!detach && (out === undefined) === !line.has("stdout")) {
    throw new UsageError("expected one of --out DIR and --stdout");
  }
  if (line.has("json") && line.has("stdout")) {
    throw new UsageError("--json and --stdout both write to stdout: name one of them");
  }
  const workers = numberFlag(line, "workers", 1, 256);
  if (workers !== undefined && !line.has("local")) throw new UsageError("--workers needs --local");
  if (line.has("keep") && line.has("stdout")) {
    throw new UsageError("--keep and --stdout: name one of them");
  }
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
    detach,
    keep: line.has("keep"),
  };
}

/** How a job is carried out, once all about it is known. */
export type Carrier = (options: CarriedJob, directory: string) => Promise<void>;

/** A job, and what of it is for a fleet only. */
export interface CarriedJob extends JobOptions {
  readonly share: Share | undefined;
  readonly out: string | undefined;
  readonly peerHost: string | undefined;
  readonly detach: boolean;
  readonly keep: boolean;
  readonly onAttached: (attached: MrAttached) => void;
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
        asRecords: line.has("stdout"),
        onAttached: ({ id }) => shown.attached(id, want.detach),
        outputPath,
        onProgress: (progress) => shown.progress(progress),
        log: (text) => shown.line(text),
        signal: ending.signal,
      },
      directory,
    );
    ending.signal.throwIfAborted();
    if (want.detach) {
      shown.clear();
      return 0;
    }
    shown.end(bytes);
    if (outputs !== undefined) outputs.commit();
    else await printMerged(range(reducers).map(outputPath), want.sortBytes);
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

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function local({ workers }: Asked): Carrier {
  return (options, directory) =>
    runLocal({ ...options, directory, ...(workers !== undefined && { workers }) });
}
