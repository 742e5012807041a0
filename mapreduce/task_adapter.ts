/**
 * Runs one task, map or reduce, from files to files.
 *
 * @module
 */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BadRecordError, type Application } from "./application.ts";
import { builtin } from "./builtin.ts";
import type {
  ApplicationChoice,
  FilePart,
  MapOrder,
  ReduceOrder,
  TaskOrder,
  TaskReport,
} from "./job_types.ts";
import { CHUNK_BYTES } from "./limits.ts";
import { groupsOf } from "./merge.ts";
import { LineWriter, RecordOutput } from "./output.ts";
import { writeAll } from "../run/write_all.ts";
import { mappedBefore, noteMapped, writeParts } from "./parts_adapter.ts";
import { DamagedRunError, type Source } from "./records.ts";
import { fewerRuns, MapOutput, mergedRun, type RunPlace, type RunStore } from "./spill.ts";
import {
  checkApplication,
  traitsOf,
  type UserApplication,
  userCombiner,
  userMap,
  userPartition,
  userReduce,
} from "./user_adapter.ts";

/** Skipped records that are named; the rest are counted. */
const SKIPPED_MAX = 10;
/** An error with its stack is cut there. */
const ERROR_CHARACTERS_MAX = 4_000;
/** Between two reports of progress. */
const PROGRESS_MS = 250;
/** The part of the memory for sorting that records are collected in: sorting takes some, too. */
const BUFFER_PART = 0.75;
/** What a table of words may take of the memory for sorting. */
const TABLE_PART = 0.25;

const NEWLINE = 10;
/** Of our own files: what an application throws is a {@link LocatedError}. */
const DISK_FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

type Report = (report: TaskReport) => void;
type Loaded = { readonly builtin: Application } | { readonly user: UserApplication };

/** Runs `order` and reports; never rejects because of the application. */
export async function runTask(order: TaskOrder, report: Report): Promise<void> {
  try {
    if (order.kind === "map") await runMap(order, report);
    else if (order.kind === "reduce") await runReduce(order, report);
    else {
      const application = checkApplication(await import(order.module));
      report({ kind: "inspected", ...traitsOf(application) });
    }
  } catch (error) {
    if (error instanceof DamagedRunError || error instanceof InputError) {
      return report({ kind: "damaged", text: error.message });
    }
    const { code = "" } = error as NodeJS.ErrnoException;
    const isFull = DISK_FULL.has(code);
    report({
      kind: "threw",
      text: isFull ? `a worker's disk is full (${code})` : errorText(error),
    });
  } finally {
    // What one task leaves behind would stand beside what the next one takes.
    Bun.gc(true);
  }
}

/** An input file that cannot be read as it was. */
class InputError extends Error {
  override name = "InputError";
}

/** An error of an application, and where it was thrown. */
class LocatedError extends Error {
  override name = "LocatedError";
  readonly where: string;

  constructor(where: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.where = where;
  }
}

/** The error in one line, and its stack in those below. */
function errorText(thrown: unknown): string {
  const where = thrown instanceof LocatedError ? `${thrown.where}: ` : "";
  const error = thrown instanceof LocatedError ? thrown.cause : thrown;
  if (!(error instanceof Error)) return `${where}${String(error)}`.slice(0, ERROR_CHARACTERS_MAX);
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const lines = [`${where}${error.name}: ${error.message}`, ...frames];
  return lines.join("\n").slice(0, ERROR_CHARACTERS_MAX);
}

async function load(choice: ApplicationChoice): Promise<Loaded> {
  if ("module" in choice) return { user: checkApplication(await import(choice.module)) };
  const application = builtin(choice.builtin);
  if (application === undefined) throw new Error(`no application is called ${choice.builtin}`);
  return { builtin: application };
}

/** Counts bad records: the first ends the task unless they are to be skipped. */
class BadRecords {
  count = 0;
  readonly skipped: string[] = [];
  readonly #skip: boolean;

  constructor(skip: boolean) {
    this.#skip = skip;
  }

  add(where: string, error: unknown): void {
    if (!this.#skip) throw error;
    this.count++;
    const why = error instanceof Error ? error.message : String(error);
    if (this.skipped.length < SKIPPED_MAX) this.skipped.push(`${where}: ${why}`.slice(0, 200));
  }
}

let sortMemory = new ArrayBuffer();

/** Memory for sorting, the same for every map: tasks of a thread run one after the other. */
function memoryOf(bytes: number): ArrayBuffer {
  if (sortMemory.byteLength !== bytes) sortMemory = new ArrayBuffer(bytes);
  return sortMemory;
}

async function runMap(order: MapOrder, report: Report): Promise<void> {
  const { reducers, sortBytes, name, firstLine, directory } = order;
  const shared = typeof order.output === "string" ? undefined : order.output;
  const before = shared && mappedBefore(shared, reducers);
  if (before !== undefined) return report(before);
  const loaded = await load(order.application);
  const store = new FileStore(directory);
  const bad = new BadRecords(order.skipBad);
  const split = { name, firstLine };
  const isUser = "user" in loaded;
  const output = new MapOutput({
    reducers,
    memory: memoryOf(sortBytes * BUFFER_PART),
    store,
    combine: isUser ? userCombiner(loaded.user) : loaded.builtin.combine,
    partition: isUser ? userPartition(loaded.user, reducers) : undefined,
    asJson: order.asJson,
  });
  const context = {
    split,
    output,
    bytes: sortBytes * TABLE_PART,
    bad: (why: string) => bad.add(name, new BadRecordError(`${name}: ${why}`)),
  };
  let invalid = 0;
  try {
    const pieces = piecesOf(order.input, report, isUser);
    if (isUser) {
      try {
        ({ invalid } = await userMap(loaded.user, pieces, context));
      } catch (error) {
        if (error instanceof InputError) throw error;
        const { from, to } = order.input;
        bad.add(`${name}, bytes ${from} to ${to}`, new LocatedError(name, error));
      }
    } else {
      const mapping = loaded.builtin.map(context);
      for (const piece of pieces) mapping.read(piece);
      mapping.end();
    }
    const parts = writeParts(output, order.output);
    const { records } = output;
    const found = { bad: bad.count, skipped: bad.skipped };
    const mapped = { kind: "mapped", parts, records, invalid, ...found } as const;
    if (shared === undefined) return report(mapped);
    const seen = { ...mapped, isShared: true };
    noteMapped(shared, seen);
    report(seen);
  } finally {
    store.close();
  }
}

async function runReduce(order: ReduceOrder, report: Report): Promise<void> {
  const loaded = await load(order.application);
  const store = new FileStore(order.directory);
  const bad = new BadRecords(order.skipBad);
  const beat = heartbeat(report);
  const fd = openSync(order.output, "w");
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    const sink = (bytes: Uint8Array): void => {
      hasher.update(bytes);
      writeAll(fd, bytes);
    };
    const out = order.asRecords ? new RecordOutput(sink) : new LineWriter(sink);
    let read = 0;
    const runs = order.inputs
      .filter(({ from, to }) => to > from)
      .map(({ path, from, to }) => {
        const source = store.open(path);
        const counted: Source = (into, at) => {
          const got = source(into, at);
          beat((read += got));
          return got;
        };
        return { source: counted, from, to, asJson: order.asJson };
      });
    const isUser = "user" in loaded;
    const combine = isUser ? userCombiner(loaded.user) : loaded.builtin.combine;
    const { sortBytes } = order;
    const few = fewerRuns(runs, store, sortBytes, combine);
    const groups = groupsOf(mergedRun(few.runs, sortBytes));
    if (isUser) {
      await userReduce(loaded.user, groups, out, (key, error) =>
        bad.add(`key "${key}"`, new LocatedError(`key "${key}"`, error)),
      );
    } else for (const { key, values } of groups) loaded.builtin.reduce(key, values, out);
    out.flush();
    const output = { bytes: out.bytes, hash: hasher.digest("hex") };
    const { lines } = out;
    report({ kind: "reduced", output, lines, bad: bad.count, skipped: bad.skipped });
  } finally {
    closeSync(fd);
    store.close();
  }
}

/** Reports progress, but not too often. */
function heartbeat(report: Report): (bytes: number) => void {
  let nextMs = performance.now() + PROGRESS_MS;
  return (bytes) => {
    const nowMs = performance.now();
    if (nowMs < nextMs) return;
    nextMs = nowMs + PROGRESS_MS;
    report({ kind: "progress", bytes });
  };
}

/**
 * The part of a file in pieces that end with a line, where lines are not longer than a piece.
 * `isKept`: the application may keep them, so that each has memory of its own.
 */
function* piecesOf(
  { path, from, to }: FilePart,
  report: Report,
  isKept: boolean,
): Iterable<Uint8Array> {
  const beat = heartbeat(report);
  const fd = openInput(path);
  try {
    let rest = 0;
    let at = from;
    let buffer = new Uint8Array(Math.min(CHUNK_BYTES, to - from));
    while (at < to) {
      const most = Math.min(buffer.length - rest, to - at);
      const got = readSync(fd, buffer, rest, most, at);
      if (got === 0) throw new InputError(`${path} became shorter while it was read`);
      at += got;
      beat(at - from);
      const filled = rest + got;
      const end = at === to ? filled : buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
      const cut = end === 0 ? filled : end;
      yield buffer.subarray(0, cut);
      rest = filled - cut;
      if (isKept) {
        const next = new Uint8Array(Math.min(CHUNK_BYTES, rest + to - at));
        next.set(buffer.subarray(cut, filled));
        buffer = next;
      } else buffer.copyWithin(0, cut, filled);
    }
  } finally {
    closeSync(fd);
  }
}

function openInput(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new InputError(`cannot open ${path}: ${(error as Error).message}`);
  }
}

/** Runs as files of one directory. */
class FileStore implements RunStore {
  readonly #directory: string;
  readonly #open = new Map<string, number>();
  readonly #made = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  create(): RunPlace {
    // Memory is full, or was: what nobody uses any more goes first.
    Bun.gc(true);
    // Tasks of several threads and processes share the directory.
    const path = join(this.#directory, `run-${crypto.randomUUID()}`);
    this.#made.add(path);
    const fd = openSync(path, "w+");
    this.#open.set(path, fd);
    return {
      sink: (bytes) => writeAll(fd, bytes),
      source: (into, at) => readFully(fd, into, at),
      remove: () => {
        closeSync(fd);
        this.#open.delete(path);
        this.#made.delete(path);
        rmSync(path, { force: true });
      },
    };
  }

  /** A file that is there, to be read. */
  open(path: string): Source {
    const known = this.#open.get(path);
    const fd = known ?? openInput(path);
    this.#open.set(path, fd);
    return (into, at) => readFully(fd, into, at);
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    for (const path of this.#made) rmSync(path, { force: true });
    this.#made.clear();
  }
}

function readFully(fd: number, into: Uint8Array, at: number): number {
  let done = 0;
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, at + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
