/** Runs shares of a simulated campaign in processes of their own, and checks that all of it ran. */
import { expect } from "bun:test";
import { getPriority, setPriority } from "node:os";
import { join } from "node:path";

/** Processes that share a campaign. */
const SHARDS = 2;
/** In the background of a run of all tests, those that use the processor go first. */
const EARLY_NICENESS = 10;
/** The line behind a share; how many seeds failed. */
const SUMMARY = /^[\w-]+: ran \d+ seeds, (\d+) failed .*\n/m;

const root = join(import.meta.dirname, "../..");

/**
 * Most runs are over before the most costly of the engine's compilers pays for itself: without it
 * they take a fifth less.
 */
const ENVIRONMENT = { ...process.env, BUN_JSC_useFTLJIT: "0" };

/** What came of a run, and all that it printed. */
interface ShardResult {
  readonly code: number;
  readonly output: string;
}

/** A campaign: harness, first seed, and how many. */
export type Campaign = readonly [harness: string, first: number, count: number];

type ShardProcess = Bun.Subprocess<"ignore", "pipe", "inherit">;
const running = new Set<ShardProcess>();
/** The niceness of shards that no test waits for. */
let background = getPriority();
/** What is run before its test asks for it. */
const early = new Map<string, readonly Promise<ShardResult>[]>();

function start(script: string, args: readonly string[]): ShardProcess {
  // However the tests end, it ends with them.
  const shard = Bun.spawn([process.execPath, "--no-orphans", "run", script, ...args], {
    cwd: root,
    env: ENVIRONMENT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  running.add(shard);
  void shard.exited.then(() => running.delete(shard));
  return shard;
}

/** Runs `bun run sim.ts` with these arguments. */
export async function runSim(args: readonly string[]): Promise<ShardResult> {
  const shard = start("sim.ts", args);
  const output = await new Response(shard.stdout).text();
  return { code: await shard.exited, output };
}

/** One process's share of each campaign, which it runs one after the other. */
function startShares(campaigns: readonly Campaign[], index: number): Promise<ShardResult>[] {
  const args = campaigns.flatMap(([harness, first, count]) => {
    const share = Math.ceil(count / SHARDS);
    return [harness, `${first + index * share}`, `${Math.min(share, count - index * share)}`];
  });
  const shares = campaigns.map(() => Promise.withResolvers<ShardResult>());
  const shard = start("tests/sim/shard_main.ts", args);
  void follow(shard, shares);
  return shares.map(({ promise }) => promise);
}

/** Hands each share what the process has printed of it; those it has not come to, how it ended. */
async function follow(
  shard: ShardProcess,
  shares: readonly PromiseWithResolvers<ShardResult>[],
): Promise<void> {
  let next = 0;
  let output = "";
  for await (const text of shard.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    for (let found = SUMMARY.exec(output); found !== null; found = SUMMARY.exec(output)) {
      const end = found.index + found[0].length;
      const code = found[1] === "0" ? 0 : 1;
      shares[next++]?.resolve({ code, output: output.slice(0, end) });
      output = output.slice(end);
    }
  }
  const code = await shard.exited;
  const left = `${output}\nthe process ended with ${code}`;
  for (const { resolve } of shares.slice(next))
    resolve({ code: code === 0 ? 1 : code, output: left });
}

function startAll(campaigns: readonly Campaign[]): (readonly Promise<ShardResult>[])[] {
  const byShard = Array.from({ length: SHARDS }, (_, i) => startShares(campaigns, i));
  return campaigns.map((_, i) => byShard.map((shares) => shares[i]!));
}

/**
 * Runs these campaigns in the background, one after the other. They step back for the tests only
 * where there are many: on a busy machine those that step back may get no time at all.
 */
export function startEarly(campaigns: readonly Campaign[], stepsBack: boolean): void {
  for (const [i, results] of startAll(campaigns).entries()) {
    early.set(campaigns[i]!.join(" "), results);
  }
  if (stepsBack) background = Math.max(EARLY_NICENESS, background);
  setNiceness(background);
}

/** Of all shards, where the system lets us: only the superuser may take a step back, back. */
function setNiceness(niceness: number): void {
  for (const { pid } of running) {
    try {
      setPriority(pid, niceness);
    } catch {
      // It runs on as it does, or is over.
    }
  }
}

/** Ends what still runs when the tests are over. */
export async function endShards(): Promise<void> {
  const left = [...running];
  for (const shard of left) shard.kill("SIGKILL");
  await Promise.all(left.map(({ exited }) => exited));
}

/** What a run's counts add up to, by name, as the line behind each share says. */
export type Sums = Readonly<Record<string, number>>;

/**
 * Runs `count` seeds from `first` on and expects every one of them to have run, and to be good.
 * Gives what they did.
 */
export async function expectAllGood(harness: string, first: number, count: number): Promise<Sums> {
  const campaign: Campaign = [harness, first, count];
  const started = early.get(campaign.join(" "));
  if (started === undefined && early.size > 0) {
    console.log(`tests/sim/early.ts does not know ${campaign.join(" ")}`);
  }
  setNiceness(getPriority()); // now a test waits for them
  const results = await Promise.all(started ?? startAll([campaign])[0]!);
  setNiceness(background);
  let ran = 0;
  const sums: Record<string, number> = {};
  for (const { code, output } of results) {
    if (code !== 0) console.log(output);
    expect(code).toBe(0);
    const [, seeds = "0", counts = ""] = /ran (\d+) seeds, 0 failed \((.*)\)$/m.exec(output) ?? [];
    ran += Number(seeds);
    for (const [, name, value] of counts.matchAll(/([^,]+?) (\d+)(?:, |$)/g)) {
      sums[name!] = (sums[name!] ?? 0) + Number(value);
    }
  }
  expect(ran).toBe(count);
  return sums;
}
