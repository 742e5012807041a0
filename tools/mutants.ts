/**
 * Tests the tests: plants the faults that `tests/ROOM/mutants.ts` lists, one at a time, in a copy
 * of the tree, and runs the room's tests on it, and then 300 seeds where the simulator runs the
 * room. A fault that neither notices has survived. One that names a harness is left to that alone.
 * A fault with which they do not end is noticed, too: they have a few times what they take without
 * one, and then they and all their processes are killed.
 *
 *   bun run mutants [ROOM ...] [--only TEXT] [--jobs N]
 *
 * Prints a line a fault ("killed" and "hung" are good), and a room's sum; exit code 1 if one
 * survived of which that was not known, or if a line to change is not there.
 *
 * @module
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCommandLine, type Usage } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import { onSignal, runScript } from "../run/signals.ts";
import { killRunning, type Outcome, runWithin } from "./run_within.ts";

/** A test that takes longer hangs, which is a way to notice. */
const TEST_SECONDS = 60;
/** All tests and seeds with a fault may take so many times what they take without one, ... */
const HANG_FACTOR = 5;
/** ... and always so long, for what takes next to no time. */
const HANG_MS_MIN = 60_000;
/** More than any machine has cores. */
const JOBS_MAX = 256n;
/** The harness of the simulator that runs a room, and how many of its seeds are run. */
const SIMULATED: Readonly<Record<string, string>> = {
  lsp: "lsp",
  server: "fleet",
  miner: "fleet",
  client: "fleet",
  raft: "raft-messages",
  actors: "actors",
  geo: "geo-messages",
  mud: "mud",
};
const SEEDS = 300;
/** Not copied. */
const LEFT_OUT = /^(?:node_modules|dist|\.git)$/;

const root = join(import.meta.dir, "..");

const USAGE: Usage = {
  name: "tools/mutants",
  takes: "[ROOM ...]",
  count: [0, 100],
  about: "Plants the faults of tests/ROOM/mutants.ts and sees whether the room's tests notice.",
  flags: {
    only: { value: "TEXT", help: "only faults that name TEXT" },
    jobs: { value: "N", help: "faults planted at a time, each in a copy of its own (1)" },
  },
};

/** One fault. */
export interface Mutant {
  /** Path from the project's root. */
  readonly file: string;
  /** A line of it without its indentation, of which there is exactly one. */
  readonly line: string;
  /** What that line becomes. */
  readonly becomes: string;
  /** What no longer holds then. */
  readonly breaks: string;
  /** The harness of the simulator that is to notice it, by its seeds and nothing else. */
  readonly harness?: string;
  /** Why it is known to survive. */
  readonly survives?: string;
}

const tableOf = (room: string): string => join(root, "tests", room, "mutants.ts");

/** The rooms that have a table of faults. */
export function roomsWithMutants(): string[] {
  const rooms = readdirSync(join(root, "tests"));
  return rooms.filter((room) => existsSync(tableOf(room))).toSorted();
}

/** The table of a room. */
export async function mutantsOf(room: string): Promise<readonly Mutant[]> {
  return ((await import(tableOf(room))) as { MUTANTS: Mutant[] }).MUTANTS;
}

/** `source` with the fault in it; undefined unless there is exactly one such line. */
export function plant(source: string, { line, becomes }: Mutant): string | undefined {
  const lines = source.split("\n");
  const places = lines.flatMap((text, i) => (text.trim() === line ? [i] : []));
  if (places.length !== 1) return undefined;
  const indent = /^\s*/.exec(lines[places[0]!]!)![0];
  return lines.with(places[0]!, indent + becomes).join("\n");
}

type Fate = "killed" | "hung" | "survives" | "SURVIVED" | "NOT FOUND";

/** What is tested with faults in it: a room, or one harness of the simulator alone. */
interface Tested {
  readonly room: string;
  readonly harness: string | undefined;
}

/** Plants one fault in the copy at `directory`, runs the tests, takes it out again. */
async function fateOf(
  mutant: Mutant,
  room: string,
  directory: string,
  limitMs: number,
): Promise<Fate> {
  const path = join(directory, mutant.file);
  const source = await Bun.file(path).text();
  const faulty = plant(source, mutant);
  if (faulty === undefined) return "NOT FOUND";
  await Bun.write(path, faulty);
  const outcome = await outcomeOf({ room, harness: mutant.harness }, directory, limitMs);
  await Bun.write(path, source);
  if (outcome === "failed") return "killed";
  if (outcome === "hung") return "hung";
  return mutant.survives === undefined ? "SURVIVED" : "survives";
}

/** How the room's tests, and its seeds, come out in the copy; or the seeds of one harness alone. */
async function outcomeOf(tested: Tested, directory: string, limitMs: number): Promise<Outcome> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isLate = new Promise((resolve) => (timer = setTimeout(resolve, limitMs, "late")));
  try {
    for (const argv of commandsOf(tested)) {
      const env = { MOTHERLODE_TEST_SECONDS: String(TEST_SECONDS) };
      const outcome = await runWithin([process.execPath, ...argv], directory, isLate, env);
      if (outcome !== "passed") return outcome;
    }
    return "passed";
  } finally {
    clearTimeout(timer);
  }
}

/** What is run, one after the other: the room's tests, and its seeds. */
function commandsOf({ room, harness }: Tested): string[][] {
  const seeds = ["--seed", "1", "--seeds", String(SEEDS), "--bail"];
  const simulated = harness ?? SIMULATED[room];
  const commands =
    simulated === undefined ? [] : [["run", "sim.ts", "--only", simulated, ...seeds]];
  if (harness === undefined) commands.unshift(["test", "--bail", `tests/${room}/`]);
  return commands;
}

/**
 * Runs everything without a fault in all copies at once, as it is with one later; gives how long it
 * may take then, in milliseconds.
 */
async function limitMsOf(tested: Tested, copies: readonly string[]): Promise<number> {
  const sinceMs = performance.now();
  const outcomes = await Promise.all(copies.map((copy) => outcomeOf(tested, copy, 2 ** 31 - 1)));
  if (outcomes.some((outcome) => outcome !== "passed")) {
    throw new Failure(`the tests of ${tested.harness ?? tested.room} fail with no fault planted`);
  }
  return Math.max(HANG_MS_MIN, HANG_FACTOR * (performance.now() - sinceMs));
}

/** A copy of the tree to plant faults in. */
function copyTree(): string {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-mutants-"));
  for (const name of readdirSync(root)) {
    if (!LEFT_OUT.test(name)) cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return directory;
}

/** Plants the faults that `only` names, one in each copy at a time; how many were not noticed. */
async function plantAll(room: string, only: string, copies: readonly string[]): Promise<number> {
  const textOf = ({ file, line, becomes }: Mutant): string =>
    `${file}: ${line} -> ${becomes || "(nothing)"}`;
  const left = (await mutantsOf(room)).filter((mutant) => textOf(mutant).includes(only));
  const limitsMs = new Map<string | undefined, number>();
  for (const harness of new Set(left.map((mutant) => mutant.harness))) {
    limitsMs.set(harness, await limitMsOf({ room, harness }, copies));
  }
  let wrong = 0;
  let known = 0;
  const work = async (directory: string): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const fate = await fateOf(mutant, room, directory, limitsMs.get(mutant.harness)!);
      if (fate === "survives") known++;
      else if (fate !== "killed" && fate !== "hung") wrong++;
      process.stdout.write(`${fate.padEnd(9)} ${textOf(mutant)}\n`);
    }
  };
  const planted = left.length;
  await Promise.all(copies.map(work));
  process.stdout.write(`${room}: killed ${planted - wrong - known} of ${planted}\n`);
  return wrong;
}

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const known = roomsWithMutants();
  const rooms = line.positionals.length > 0 ? line.positionals : known;
  const unknown = rooms.find((room) => !known.includes(room));
  if (unknown !== undefined) {
    throw new UsageError(`no tests/${unknown}/mutants.ts, expected of ${known.join(", ")}`);
  }
  const jobs = Number(wholeNumber("--jobs", line.flag("jobs") ?? "1", 1n, JOBS_MAX));
  const copies = Array.from({ length: jobs }, copyTree);
  const remove = (): void => copies.forEach((copy) => rmSync(copy, { recursive: true }));
  onSignal(async () => {
    killRunning();
    remove();
  });
  let wrong = 0;
  try {
    for (const room of rooms) wrong += await plantAll(room, line.flag("only") ?? "", copies);
  } finally {
    remove();
  }
  return wrong === 0 ? 0 : 1;
}

if (import.meta.main) await runScript(USAGE.name, main);
