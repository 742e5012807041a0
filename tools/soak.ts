/**
 * `bun run soak [ROOM...]` runs what takes too long for the tests: campaigns of many seeds, and
 * minutes of real processes that are killed. They are the files `tests/ROOM/*_soak.ts`. Each
 * campaign goes on for `--minutes` and prints its first seed; a failure says how to see it again.
 * The last line on stdout is `soak: N passed, N failed`. Exit code 0: all passed; 1: something
 * failed; 2: wrong usage.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Glob } from "bun";

const USAGE = `usage: bun run soak [ROOM...] [--minutes N] [--seeds N] [--seed N]

  --minutes N  how long each campaign goes on (1)
  --seeds N    how many seeds a campaign runs at most; with --minutes, whichever comes first
  --seed N     the first seed (drawn)`;

const root = fileURLToPath(new URL("..", import.meta.url));

/** Wrong usage: one line for people. */
class WrongUsage extends Error {}

interface Wanted {
  readonly rooms: readonly string[];
  readonly environment: Record<string, string>;
}

function numberOf(name: string, text: string, least: number, isWhole: boolean): number {
  const value = Number(text);
  const isGood = text !== "" && value >= least && value <= Number.MAX_SAFE_INTEGER;
  if (isGood && (!isWhole || Number.isInteger(value))) return value;
  const kind = isWhole ? "a whole number" : "a number";
  throw new WrongUsage(`--${name} ${text}: expected ${kind} of at least ${least}`);
}

/** What the command line asks for; `undefined` for help. */
function readWanted(args: string[]): Wanted | undefined {
  const text = { type: "string" } as const;
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { minutes: text, seeds: text, seed: text, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  const { values, positionals: rooms } = parsed;
  if (values.help === true) return undefined;
  const seconds = 60 * numberOf("minutes", values.minutes ?? "1", 0.01, false);
  const seeds = numberOf("seeds", values.seeds ?? `${2 ** 40}`, 1, true);
  const seed = numberOf("seed", values.seed ?? `${Date.now() % 1e9}`, 0, true);
  return {
    rooms,
    environment: {
      MOTHERLODE_SOAK_SECONDS: `${seconds}`,
      MOTHERLODE_SOAK_SEEDS: `${seeds}`,
      MOTHERLODE_SOAK_SEED: `${seed}`,
      // A campaign ends by itself; what is not over long after that hangs.
      MOTHERLODE_TEST_SECONDS: `${600 + 3 * seconds}`,
    },
  };
}

/** The soak files of `rooms`, of all rooms if none is named. */
function filesOf(rooms: readonly string[]): string[] {
  const all = [...new Glob("tests/*/*_soak.ts").scanSync({ cwd: root })].toSorted();
  const roomOf = (path: string): string => path.split("/")[1]!;
  const known = [...new Set(all.map(roomOf))];
  const unknown = rooms.find((room) => !known.includes(room));
  if (unknown !== undefined) {
    throw new WrongUsage(`${unknown} has no soak; expected one of ${known.join(", ")}, or none`);
  }
  return all.filter((path) => rooms.length === 0 || rooms.includes(roomOf(path)));
}

async function main(args: string[]): Promise<number> {
  const wanted = readWanted(args);
  if (wanted === undefined) {
    console.log(USAGE);
    return 0;
  }
  let failed = 0;
  const files = filesOf(wanted.rooms);
  for (const file of files) {
    console.error(`== ${file}`);
    const run = Bun.spawn([process.execPath, "test", `./${file}`], {
      cwd: root,
      env: { ...process.env, ...wanted.environment },
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    });
    if ((await run.exited) !== 0) failed++;
  }
  console.log(`soak: ${files.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    console.error(`soak: ${error.message}`);
    process.exitCode = 2;
  }
}
