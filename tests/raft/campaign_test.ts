/** Raft message by message under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RAFT } from "../../sim/raft/run.ts";
import { RAFT_NODES } from "../../sim/raft/whole_run.ts";
import { testCampaign } from "../sim/campaign.ts";
import { runSim } from "../sim/shards.ts";

const FIRST_SEED = 3_000_000;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 50;

describe("Raft under simulated faults", () => {
  testCampaign({
    harness: RAFT,
    first: FIRST_SEED,
    // Part of the acceptance of the simulator: at least 1,000.
    seeds: 1000,
    promise: "what is promised holds after every event, and all is well after healing",
    least: {
      committed: 30_000,
      elections: 2000,
      reads: 5000,
      "told committed": 10_000,
      "told lost": 100,
      "told unknown": 200,
      "errands done": 400,
      "snapshots received": 1000,
    },
    plantSeeds: PLANT_SEEDS,
  });

  test("a failing seed says how to replay it", async () => {
    const args = ["--seed", "1", "--seeds", "3", "--only", "raft-messages"];
    const { code, output } = await runSim([...args, "--plant", "raft-lost-apply"]);
    assertEquals(code, 1);
    assertStringIncludes(output, "replay: bun run sim.ts --only raft-messages --seed ");
    assertStringIncludes(output, "drawn: ");
    assert(!output.includes("NOT DETERMINISTIC"));
  });
});

describe("whole nodes over LSP, on disks, under simulated faults", () =>
  testCampaign({
    harness: RAFT_NODES,
    first: FIRST_SEED,
    // More are for `bun run soak`.
    seeds: 300,
    promise: "what clients were told is true, on every node, and all comes to rest",
    least: {
      told: 3000,
      reads: 600,
      elections: 300,
      crashes: 450,
      "with snapshots": 75,
      "grown or shrunk": 10,
    },
    plantSeeds: PLANT_SEEDS,
  }));
