/** Raft message by message under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { RAFT } from "../../sim/raft/run.ts";
import { RAFT_NODES } from "../../sim/raft/whole_run.ts";
import { expectAllGood, runSim } from "../sim/shards.ts";

/** Part of the acceptance of the simulator: at least 1,000. */
const SEEDS = 1_000;
const FIRST_SEED = 3_000_000;
/** Seeds of whole nodes; more are for `bun run soak`. */
const NODE_SEEDS = 300;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 50;

describe("Raft under simulated faults", () => {
  test(`${SEEDS} seeds: what is promised holds after every event, and all is well after healing`, () =>
    expectAllGood(RAFT.name, FIRST_SEED, SEEDS));

  test("the runs do something: proposals commit and are lost, members change, snapshots go over", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 100; seed++) {
      for (const [name, value] of Object.entries(runSeed(RAFT, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const least = { committed: 3000, elections: 200, reads: 500, "told committed": 1000 };
    const few = {
      "told lost": 10,
      "told unknown": 20,
      "errands done": 40,
      "snapshots received": 100,
    };
    for (const [name, value] of Object.entries({ ...least, ...few })) {
      assert(sums[name]! >= value, `${name}: ${sums[name]}, expected at least ${value}`);
    }
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
  test(`${NODE_SEEDS} seeds: what clients were told is true, on every node, and all comes to rest`, () =>
    expectAllGood(RAFT_NODES.name, FIRST_SEED, NODE_SEEDS));

  test("the runs do something: clients are answered, nodes crash, snapshots are taken, members change", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 40; seed++) {
      for (const [name, value] of Object.entries(runSeed(RAFT_NODES, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const least = { told: 400, reads: 80, elections: 40, crashes: 60, "with snapshots": 10 };
    for (const [name, value] of Object.entries({ ...least, "grown or shrunk": 1 })) {
      assert(sums[name]! >= value, `${name}: ${sums[name]}, expected at least ${value}`);
    }
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
