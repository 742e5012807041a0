/** Runs shares of a simulated campaign in processes of their own, and checks that all of it ran. */
import { expect } from "bun:test";
import { setPriority } from "node:os";
import { join } from "node:path";

/** Processes that share a campaign. */
const SHARDS = 2;
/** In the background, tests that use the processor go first. */
const EARLY_NICENESS = 10;

const root = join(import.meta.dirname, "../..");

/** What one process printed at last, and all that it printed. */
interface ShardResult {
  readonly code: number;
  readonly output: string;
}

/** A share of a campaign that runs, or waits to be started. */
interface Shard {
  /** Starts it, unless it runs; what comes of it. */
  readonly result: (niceness?: number) => Promise<ShardResult>;
}

const running = new Set<Bun.Subprocess>();
let isOver = false;
/** By harness: what is run before its test asks for it. */
const early = new Map<string, { first: number; count: number; shards: readonly Shard[] }>();

/** Runs `bun run sim.ts` with these arguments. */
export async function runSim(args: readonly string[], niceness = 0): Promise<ShardResult> {
  const shard = Bun.spawn([process.execPath, "run", "sim.ts", ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  running.add(shard);
  try {
    if (niceness > 0) setPriority(shard.pid, niceness);
  } catch {
    // It runs at the usual priority, or is over.
  }
  const output = await new Response(shard.stdout).text();
  const code = await shard.exited;
  running.delete(shard);
  return { code, output };
}

function shardsOf(harness: string, first: number, count: number): Shard[] {
  const share = Math.ceil(count / SHARDS);
  return Array.from({ length: SHARDS }, (_, i) => {
    const seeds = Math.min(share, count - i * share);
    const args = ["--seed", `${first + i * share}`, "--seeds", `${seeds}`, "--only", harness];
    let result: Promise<ShardResult> | undefined;
    return { result: (niceness?: number) => (result ??= runSim(args, niceness)) };
  });
}

/** Runs these campaigns in the background: harness, first seed, and how many. */
export function startEarly(campaigns: readonly (readonly [string, number, number])[]): void {
  for (const [harness, first, count] of campaigns) {
    early.set(harness, { first, count, shards: shardsOf(harness, first, count) });
  }
  void (async () => {
    for (const { shards } of early.values()) {
      if (isOver) break;
      // What cannot be started is told by the test that waits for it.
      await Promise.all(shards.map((shard) => shard.result(EARLY_NICENESS).catch(() => {})));
    }
  })();
}

/** Ends what still runs when the tests are over. */
export async function endShards(): Promise<void> {
  isOver = true;
  const left = [...running];
  for (const shard of left) shard.kill("SIGKILL");
  await Promise.all(left.map(({ exited }) => exited));
}

/** Runs `count` seeds from `first` on and expects every one of them to have run, and to be good. */
export async function expectAllGood(harness: string, first: number, count: number): Promise<void> {
  const started = early.get(harness);
  const isStarted = started?.first === first && started.count === count;
  if (started !== undefined && !isStarted) console.log(`tests/sim/early.ts is stale: ${harness}`);
  const shards = isStarted ? started.shards : shardsOf(harness, first, count);
  let ran = 0;
  for (const { code, output } of await Promise.all(shards.map((shard) => shard.result()))) {
    if (code !== 0) console.log(output);
    expect(code).toBe(0);
    ran += Number(/ran (\d+) seeds, 0 failed/.exec(output)?.[1] ?? 0);
  }
  expect(ran).toBe(count);
}
