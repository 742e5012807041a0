/** Map-reduce in the simulator: workers crash, freeze, are slow, and their disks damage. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { MAPREDUCE } from "../../sim/mapreduce/run.ts";
import { expectAllGood } from "../sim/shards.ts";

const SEEDS = 300;
const FIRST_SEED = 5_000_000;
/** Seeds in which a planted fault must show. */
const PLANT_SEEDS = 30;

describe("map-reduce under simulated faults", () => {
  test(`${SEEDS} seeds: outputs are those of the plainest program, no task runs for no reason`, () =>
    expectAllGood(MAPREDUCE.name, FIRST_SEED, SEEDS));

  test("the runs do something: jobs are done and fail, workers and servers are lost", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 30; seed++) {
      for (const [name, value] of Object.entries(runSeed(MAPREDUCE, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const { done = 0, failed = 0, assigned = 0, again = 0, lost = 0, direct = 0 } = sums;
    const { crashes = 0, found = 0, adopted = 0 } = sums;
    const text = JSON.stringify(sums);
    assert(done > 40 && failed > 0 && assigned > 400 && again > 75 && lost > 25, text);
    assert(direct > 200, text);
    // The server crashes, and workers come back with results and with what they still run.
    assert(crashes > 10 && found > 0 && adopted > 0, text);
  });

  for (const plant of Object.keys(MAPREDUCE.plants)) {
    test(`a planted fault is caught: ${plant}`, () => {
      const seeds = Array.from({ length: PLANT_SEEDS }, (_, i) => i + 1);
      const caught = seeds.find((seed) => runSeed(MAPREDUCE, seed, plant).failure !== undefined);
      assert(caught !== undefined);
      const again = runSeed(MAPREDUCE, caught, plant);
      assertEquals(again, runSeed(MAPREDUCE, caught, plant), "it is not deterministic");
      assertEquals(runSeed(MAPREDUCE, caught).failure, undefined, "it fails without the plant");
    });
  }
});
