/** Runs shares of a simulated campaign in processes of their own, and checks that all of it ran. */
import { expect } from "bun:test";
import { join } from "node:path";

/** Processes at the same time. */
const SHARDS = 2;

const root = join(import.meta.dirname, "../..");

/** What one process printed at last, and all that it printed. */
interface ShardResult {
  readonly code: number;
  readonly output: string;
}

/** Runs `bun run sim.ts` with these arguments. */
export async function runSim(args: readonly string[]): Promise<ShardResult> {
  const shard = Bun.spawn([process.execPath, "run", "sim.ts", ...args], {
    cwd: root,
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = await new Response(shard.stdout).text();
  return { code: await shard.exited, output };
}

/** Runs `count` seeds from `first` on and expects every one of them to have run, and to be good. */
export async function expectAllGood(harness: string, first: number, count: number): Promise<void> {
  const share = Math.ceil(count / SHARDS);
  const shards = Array.from({ length: SHARDS }, (_, i) => {
    const seeds = Math.min(share, count - i * share);
    const from = first + i * share;
    return runSim(["--seed", `${from}`, "--seeds", `${seeds}`, "--only", harness]);
  });
  let ran = 0;
  for (const { code, output } of await Promise.all(shards)) {
    if (code !== 0) console.log(output);
    expect(code).toBe(0);
    ran += Number(/ran (\d+) seeds, 0 failed/.exec(output)?.[1] ?? 0);
  }
  expect(ran).toBe(count);
}
