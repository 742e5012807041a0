/**
 * Where a job's outputs go: files that get their names when all of them are complete, or stdout.
 *
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import { LineWriter, writeLines } from "./output.ts";
import { mergedRun } from "./spill.ts";

/** Less than this is not enough for any job. */
const FREE_BYTES_MIN: number = 16 << 20;

/** How many bytes of lines are made before they are printed. */
const PRINTED_BYTES: number = 1 << 18;

/** Outputs that are not final: the client's own, and those of workers. */
const TEMPORARY = /^\.mr-out-\d+(-[0-9a-f-]+)?\.part$/;

/** A directory of outputs that are not final yet. */
export class OutputDirectory {
  readonly path: string;
  readonly #reducers: number;
  readonly #isOurs: boolean;
  #isCommitted = false;

  /** Throws {@link UsageError} when the directory cannot be one for outputs. */
  constructor(path: string, reducers: number) {
    this.path = path;
    this.#reducers = reducers;
    this.#isOurs = prepare(path);
  }

  /** Where output `r` is written before it is final. */
  temporary(r: number): string {
    return join(this.path, `.mr-out-${r}.part`);
  }

  /** All outputs are complete: they get their names. Throws a {@link Failure}. */
  commit(reducers: number = this.#reducers): void {
    const final = (r: number): string => join(this.path, `mr-out-${r}`);
    let named = 0;
    try {
      for (let r = 0; r < reducers; r++) sync(this.temporary(r));
      for (; named < reducers; named++) renameSync(this.temporary(named), final(named));
    } catch (error) {
      for (let r = 0; r < named; r++) rmSync(final(r), { force: true });
      throw new Failure(`cannot write the outputs to ${this.path}: ${(error as Error).message}`);
    }
    this.#isCommitted = true;
    sweep(this.path);
  }

  /** The job failed or was given up: nothing stays. */
  discard(): void {
    if (this.#isCommitted) return;
    sweep(this.path);
    if (this.#isOurs) removeEmpty(this.path);
  }
}

/** Has an empty directory at `path`; whether it was made for that. */
function prepare(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new UsageError(`--out ${path}: there is no ${dirname(path)}`);
    if (code !== "EEXIST")
      throw new UsageError(`cannot make the directory --out ${path}: ${message}`);
  }
  let entries: string[];
  try {
    entries = readdirSync(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`--out ${path} is no directory for outputs: ${(error as Error).message}`);
  }
  if (entries.length === 0) return false;
  throw new UsageError(`--out ${path} is not empty (${entries[0]}): name a new directory`);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Somebody has put something there: it is not ours to remove.
  }
}

/** Removes what is not final; workers that share the directory may have left some of it, too. */
function sweep(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    if (TEMPORARY.test(name)) rmSync(join(directory, name), { force: true });
  }
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Throws a {@link Failure} unless the disk of `directory` has room for `bytes`. */
export function checkRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const needed = Math.max(bytes, FREE_BYTES_MIN);
  if (free >= needed) return;
  const mib = (n: number): string => `${Math.ceil(n / 2 ** 20)} MiB`;
  throw new Failure(`the disk of ${directory} has ${mib(free)} free, the job needs ${mib(needed)}`);
}

/** Writes outputs that are records, merged in the order of their keys, as lines. */
export async function printMerged(paths: readonly string[], bytes: number): Promise<void> {
  const fds = paths.map((path) => openSync(path, "r"));
  let chunks: Uint8Array[] = [];
  const print = async (): Promise<void> => {
    const whole = Buffer.concat(chunks);
    chunks = [];
    if (whole.length > 0) await printResult(whole);
  };
  try {
    const runs = fds.map((fd, i) => ({
      source: (into: Uint8Array, at: number) => readSync(fd, into, 0, into.length, at),
      from: 0,
      to: statSync(paths[i]!).size,
    }));
    const lines = new LineWriter((chunk) => void chunks.push(chunk.slice()));
    const run = mergedRun(runs, bytes);
    while (writeLines(run, lines, PRINTED_BYTES)) await print();
    lines.flush();
    await print();
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
