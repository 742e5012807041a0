/** The geo store under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { GEO } from "../../sim/geo/run.ts";
import { expectAllGood } from "../sim/shards.ts";

const SEEDS = 300;
const FIRST_SEED = 7_000_000;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 60;

describe("the geo store under simulated faults", () => {
  test(`${SEEDS} seeds: replicas are equal after healing, nothing is lost or doubled`, () =>
    expectAllGood(GEO.name, FIRST_SEED, SEEDS));

  test("the runs do something: puts, adds, crashes and lies", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 20; seed++) {
      for (const [name, value] of Object.entries(runSeed(GEO, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    for (const [name, least] of Object.entries({ puts: 1000, adds: 500, lives: 50, lies: 1 })) {
      assert(sums[name]! >= least, `${name}: ${sums[name]}, expected at least ${least}`);
    }
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(GEO, 11), runSeed(GEO, 11));
  });

  for (const plant of Object.keys(GEO.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(GEO, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }
});
