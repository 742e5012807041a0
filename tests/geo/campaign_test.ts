/** The geo store under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { GEO, GEO_NODES } from "../../sim/geo/run.ts";
import { expectAllGood } from "../sim/shards.ts";

/** Seeds of whole nodes are part of the acceptance; more of both are for `bun run soak`. */
const NODE_SEEDS = 300;
const SEEDS = 150;
const FIRST_SEED = 7_000_000;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 60;

const CAMPAIGNS = [
  { harness: GEO, seeds: SEEDS, about: "message by message" },
  { harness: GEO_NODES, seeds: NODE_SEEDS, about: "as whole nodes over LSP" },
];

describe.each(CAMPAIGNS)("the geo store under simulated faults, $about", ({ harness, seeds }) => {
  test(`${seeds} seeds: replicas are equal after healing, nothing is lost or doubled`, () =>
    expectAllGood(harness.name, FIRST_SEED, seeds));

  test("the runs do something: puts, adds, crashes, lies, and servers that are forgotten", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 20; seed++) {
      for (const [name, value] of Object.entries(runSeed(harness, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const least = { puts: 1000, adds: 500, lives: 50, lies: 1, forgotten: 2 };
    for (const [name, value] of Object.entries(least)) {
      assert(sums[name]! >= value, `${name}: ${sums[name]}, expected at least ${value}`);
    }
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(harness, 11), runSeed(harness, 11));
  });

  for (const plant of Object.keys(harness.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(harness, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }
});
