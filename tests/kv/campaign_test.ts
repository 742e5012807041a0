/** The store under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { KV } from "../../sim/kv/run.ts";
import { testCampaign } from "../sim/campaign.ts";

/**
 * 121: a client's link compared a difference of times with its limit, and the other way round
 * when it said when to be woken; rounding made the two disagree for ever.
 */
const REGRESSIONS = [121];

describe("the store under simulated faults", () => {
  testCampaign({
    harness: KV,
    first: 7_000_000,
    // Part of the acceptance of the store: 300 in each run of the tests; the rest is soaked.
    seeds: 300,
    promise: "what clients saw is possible, and all is well after healing",
    least: {
      operations: 15_000,
      changes: 7500,
      unknown: 25,
      maybes: 10,
      leases: 500,
      "events watched": 15_000,
      snapshots: 1000,
      "snapshots restored": 25,
      compacted: 10,
    },
    plantSeeds: 50,
  });

  for (const seed of REGRESSIONS) {
    test(`seed ${seed}, which failed once, is good`, () => {
      assertEquals(runSeed(KV, seed).failure, undefined);
    });
  }
});
