/** Raft message by message under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { RAFT } from "../../sim/raft/run.ts";
import { RAFT_NODES } from "../../sim/raft/whole_run.ts";
import { expectAllGood, runSim, type Sums } from "../sim/shards.ts";

/** Part of the acceptance of the simulator: at least 1,000. */
const SEEDS = 1_000;
const FIRST_SEED = 3_000_000;
/** Seeds of whole nodes; more are for `bun run soak`. */
const NODE_SEEDS = 300;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 50;

/** The runs did something: each of these so often, at least. */
function expectDone(sums: Sums, least: Sums): void {
  for (const [name, value] of Object.entries(least)) {
    const count = sums[name] ?? 0;
    assert(count >= value, `${name}: ${count}, expected at least ${value}`);
  }
}

describe("Raft under simulated faults", () => {
  test(`${SEEDS} seeds: what is promised holds after every event, and all is well after healing`, async () => {
    const sums = await expectAllGood(RAFT.name, FIRST_SEED, SEEDS);
    const often = { committed: 30_000, elections: 2000, reads: 5000, "told committed": 10_000 };
    const few = {
      "told lost": 100,
      "told unknown": 200,
      "errands done": 400,
      "snapshots received": 1000,
    };
    expectDone(sums, { ...often, ...few });
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(RAFT, 11), runSeed(RAFT, 11));
  });

  for (const plant of Object.keys(RAFT.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(RAFT, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }

  test("a failing seed says how to replay it", async () => {
    const args = [
      "--seed",
      "1",
      "--seeds",
      "3",
      "--only",
      "raft-messages",
      "--plant",
      "raft-lost-apply",
    ];
    const { code, output } = await runSim(args);
    assertEquals(code, 1);
    assertStringIncludes(output, "replay: bun run sim.ts --only raft-messages --seed ");
    assert(!output.includes("NOT DETERMINISTIC"));
  });
});

describe("whole nodes over LSP, on disks, under simulated faults", () => {
  test(`${NODE_SEEDS} seeds: what clients were told is true, on every node, and all comes to rest`, async () => {
    const sums = await expectAllGood(RAFT_NODES.name, FIRST_SEED, NODE_SEEDS);
    const often = { told: 3000, reads: 600, elections: 300, crashes: 450, "with snapshots": 75 };
    expectDone(sums, { ...often, "grown or shrunk": 10 });
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(RAFT_NODES, 11), runSeed(RAFT_NODES, 11));
  });

  for (const plant of Object.keys(RAFT_NODES.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(RAFT_NODES, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }
});
