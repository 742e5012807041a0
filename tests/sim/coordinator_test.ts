/** One server or several that crash and keep their jobs, with simulated disks. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { COORDINATOR } from "../../sim/coordinator/run.ts";
import { expectAllGood, runSim } from "./shards.ts";

const SEEDS = 300;
const FIRST_SEED = 4_000_000;

describe("the coordinator under crashes", () => {
  test(`${SEEDS} seeds: no job is lost, runs twice or is answered wrongly`, () =>
    expectAllGood(COORDINATOR.name, FIRST_SEED, SEEDS));

  test("the runs do something: servers crash and are cut off, jobs are answered, miners return", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 20; seed++) {
      for (const [name, value] of Object.entries(runSeed(COORDINATOR, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    assert(sums["crashes"]! > 15);
    assert(sums["answered"]! > 50);
    assert(sums["cuts"]! > 5);
    assert(sums["returns"]! > 3);
    assert(sums["peerCuts"]! > 10);
    // Looks at idle threads while work waits; classic peers that stay under another leader.
    assert(sums["busyLooks"]! > 50);
    assert(sums["stays"]! > 3);
  });

  for (const plant of Object.keys(COORDINATOR.plants)) {
    test(`a planted fault is caught: ${plant}`, async () => {
      const args = [
        "--seed",
        "1",
        "--seeds",
        "40",
        "--only",
        "coordinator",
        "--bail",
        "--plant",
        plant,
      ];
      const { code, output } = await runSim(args);
      assertEquals(code, 1);
      assertStringIncludes(output, "replay: bun run sim.ts --only coordinator --seed");
      assert(!output.includes("NOT DETERMINISTIC"));
    });
  }
});
