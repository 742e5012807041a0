/** Lives of simulated disks, as many as there is time for. `bun run soak run`. */
import { test } from "bun:test";
import { runDiskSeed } from "../support/disk_campaign.ts";
import { soakSeeds, tellSoak } from "../support/soak.ts";

test("a disk that crashes at any moment", () => {
  let seeds = 0;
  let stored = 0;
  for (const seed of soakSeeds()) {
    try {
      stored += runDiskSeed(seed).stored;
    } catch (error) {
      throw new Error(`disk seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    seeds++;
  }
  tellSoak(`disk: ${seeds} seeds, ${stored} times stored`);
});
