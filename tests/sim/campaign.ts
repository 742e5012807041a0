/** The tests that every harness of the simulator has. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type Harness, runSeed } from "../../sim/engine/harness.ts";
import { expectAllGood, type Sums } from "./shards.ts";

/** What is tested of a harness. */
export interface CampaignTests {
  readonly harness: Harness;
  /** The first seed of the campaign, and how many; tests/sim/early.ts knows them too. */
  readonly first: number;
  readonly seeds: number;
  /** What every seed keeps, in a few words. */
  readonly promise: string;
  /** What all of them together do at least, so that there is something to check. */
  readonly least: Sums;
  /** Within so many seeds, from 1 on, every planted fault is seen. */
  readonly plantSeeds: number;
  /** What one of those seeds says of a planted fault, where that matters. */
  readonly says?: Readonly<Record<string, string>>;
}

/**
 * The campaign is good and does something; equal seeds give equal runs; and every planted fault is
 * seen, the same each time, on a seed that is good without it.
 */
export function testCampaign(tests: CampaignTests): void {
  const { harness, first, seeds, promise, least, plantSeeds, says = {} } = tests;

  test(`${seeds} seeds: ${promise}`, async () => {
    const sums = await expectAllGood(harness.name, first, seeds);
    for (const [name, value] of Object.entries(least)) {
      const count = sums[name] ?? 0;
      assert(count >= value, `${name}: ${count}, expected at least ${value}`);
    }
  });

  test("the same seed gives the same run", () => {
    assertEquals(runSeed(harness, 11), runSeed(harness, 11));
  });

  for (const plant of Object.keys(harness.plants)) {
    test(`a planted fault is seen within ${plantSeeds} seeds: ${plant}`, () => {
      const isSeen = (text: string | undefined): boolean =>
        text?.includes(says[plant] ?? "") === true;
      let failure: string | undefined;
      let seed = 0;
      while (!isSeen(failure) && seed < plantSeeds) {
        failure = runSeed(harness, ++seed, plant).failure;
      }
      assert(isSeen(failure), failure);
      assertEquals(runSeed(harness, seed, plant).failure, failure);
      assertEquals(runSeed(harness, seed).failure, undefined);
    });
  }
}
