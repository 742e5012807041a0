/** The game under simulated faults, and the proof that mistakes are seen. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { MUD } from "../../sim/mud/run.ts";
import { expectAllGood } from "../sim/shards.ts";

/** Part of the acceptance of the game. */
const SEEDS = 300;
const FIRST_SEED = 9_000_000;
/** Within so many seeds a planted mistake is seen. */
const PLANT_SEEDS = 60;

describe("the game under simulated faults", () => {
  test(`${SEEDS} seeds: every coin, piece of hardware and hit has a reason, and rises are kept`, () =>
    expectAllGood(MUD.name, FIRST_SEED, SEEDS));

  test("the runs do something: players mine, buy, hit, break, rise, and lose servers", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 40; seed++) {
      for (const [name, value] of Object.entries(runSeed(MUD, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const least = {
      mined: 150,
      bought: 20,
      hits: 250,
      broke: 40,
      risen: 5,
      beaten: 5,
      trouble: 50,
    };
    for (const [name, value] of Object.entries(least)) {
      assert(sums[name]! >= value, `${name}: ${sums[name]}, expected at least ${value}`);
    }
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(MUD, 7), runSeed(MUD, 7));
  });

  for (const plant of Object.keys(MUD.plants)) {
    test(`a planted mistake is seen within ${PLANT_SEEDS} seeds: ${plant}`, () => {
      let seed = 1;
      while (seed <= PLANT_SEEDS && runSeed(MUD, seed, plant).failure === undefined) seed++;
      assert(seed <= PLANT_SEEDS);
    });
  }
});
