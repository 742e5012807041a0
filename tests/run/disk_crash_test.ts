/** A disk over many lives that end at any moment, on the simulated driver. */
import { describe, test } from "bun:test";
import { assert } from "@std/assert";
import { type DiskRun, runDiskSeed } from "../support/disk_campaign.ts";

const SEEDS = 300;

describe("a disk that crashes at any moment", () => {
  test(`holds what it acknowledged, and some first part of the rest: ${SEEDS} seeds`, () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      let run: DiskRun;
      try {
        run = runDiskSeed(seed);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      for (const [name, count] of Object.entries(run)) sums[name] = (sums[name] ?? 0) + count;
    }
    // A campaign that does not get into trouble proves nothing.
    for (const [name, count] of Object.entries(sums))
      assert(count > SEEDS / 10, `${name} ${count}`);
  });
});
