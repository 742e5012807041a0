/** Simulated campaigns: ever new seeds of every harness, in processes of their own. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { HARNESSES } from "../../sim/harnesses.ts";
import { isSoaked, nowMs, SOAK_SEED, SOAK_SEEDS, tellSoak } from "../support/soak.ts";
import { runSim } from "./shards.ts";

/** Seeds a process, so that the time is looked at now and then. */
const BATCH = 100;
const PROCESSES = 2;

for (const { name: harness } of HARNESSES) {
  test(`${harness}: ever new seeds keep every promise`, async () => {
    const sinceMs = nowMs();
    let next = 0;
    let ran = 0;
    let failed = 0;
    const work = async (): Promise<void> => {
      while (next < SOAK_SEEDS && !isSoaked(sinceMs)) {
        const seeds = Math.min(BATCH, SOAK_SEEDS - next);
        const first = SOAK_SEED + next;
        next += seeds;
        const args = ["--seed", `${first}`, "--seeds", `${seeds}`, "--only", harness];
        const { code, output } = await runSim(args);
        ran += seeds;
        if (code === 0) continue;
        failed++;
        console.error(output);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, work));
    tellSoak(`${harness}: ran ${ran} seeds from ${SOAK_SEED} on, ${failed} batches failed`);
    assertEquals(failed, 0);
  });
}
