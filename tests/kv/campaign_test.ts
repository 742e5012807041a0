/** The store under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { KV } from "../../sim/kv/run.ts";
import { expectAllGood } from "../sim/shards.ts";

/** Part of the acceptance of the store: 300 in each run of the tests; the rest is soaked. */
const SEEDS = 300;
const FIRST_SEED = 7_000_000;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 50;
/**
 * 224: a client's link compared a difference of times with its limit, and the other way round
 * when it said when to be woken; rounding made the two disagree for ever.
 */
const REGRESSIONS = [224];

describe("the store under simulated faults", () => {
  test(`${SEEDS} seeds: what clients saw is possible, and all is well after healing`, () =>
    expectAllGood(KV.name, FIRST_SEED, SEEDS));

  test("the runs do something: much is answered, some is unknown, snapshots go over", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 60; seed++) {
      for (const [name, value] of Object.entries(runSeed(KV, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const least = { operations: 3000, changes: 1500, unknown: 5, maybes: 1, leases: 100 };
    const few = { "events watched": 3000, snapshots: 200, "snapshots restored": 5, compacted: 1 };
    for (const [name, value] of Object.entries({ ...least, ...few })) {
      assert(sums[name]! >= value, `${name}: ${sums[name]}, expected at least ${value}`);
    }
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(KV, 11), runSeed(KV, 11));
  });

  for (const plant of Object.keys(KV.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(KV, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }

  for (const seed of REGRESSIONS) {
    test(`seed ${seed}, which failed once, is good`, () => {
      assertEquals(runSeed(KV, seed).failure, undefined);
    });
  }
});
