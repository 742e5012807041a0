/** Actors in the simulator: connections break, machines crash, sleep and come back. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ACTORS } from "../../sim/actors/run.ts";
import { runSeed } from "../../sim/engine/harness.ts";
import { expectAllGood } from "../sim/shards.ts";

const SEEDS = 300;
const FIRST_SEED = 6_000_000;

describe("actors under simulated faults", () => {
  test(`${SEEDS} seeds: in order, at most once, in the right life; who watches is told`, () =>
    expectAllGood(ACTORS.name, FIRST_SEED, SEEDS));

  test("the runs do something: machines crash, watches fire, messages are lost and got", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 30; seed++) {
      for (const [name, value] of Object.entries(runSeed(ACTORS, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    const { told = 0, got = 0, fired = 0, crashes = 0, unsettled = 0 } = sums;
    const isBusy = got > 5000 && told > got && fired > 20 && crashes > 5 && unsettled > 50;
    assert(isBusy, JSON.stringify(sums));
  });

  const caught: Readonly<Record<string, string>> = {
    overtakes: "arrived after",
    "told-twice": "arrived twice",
    "deaf-watch": "is not told that",
    "mistaken-life": "was for another life of it",
  };
  for (const plant of Object.keys(ACTORS.plants)) {
    test(`a planted fault is caught: ${plant}`, () => {
      let failure: string | undefined;
      let seed = 0;
      while (failure === undefined && seed < 100) failure = runSeed(ACTORS, ++seed, plant).failure;
      assertStringIncludes(failure ?? "nothing failed", caught[plant]!);
      assertEquals(runSeed(ACTORS, seed, plant).failure, failure);
      assertEquals(runSeed(ACTORS, seed).failure, undefined);
    });
  }
});
