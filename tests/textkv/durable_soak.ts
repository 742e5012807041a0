/** Lives of a text server on simulated disks, while there is time: `bun run soak textkv`. */
import { test } from "bun:test";
import { soakSeeds, tellSoak } from "../support/soak.ts";
import { runLives } from "./lives.ts";

test("a text server whose disk crashes at any moment", () => {
  let [seeds, shown, snapshots] = [0, 0, 0];
  for (const seed of soakSeeds()) {
    try {
      const lives = runLives(seed);
      shown += lives.shown;
      snapshots += lives.snapshots;
    } catch (error) {
      throw new Error(`textkv seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    seeds++;
  }
  tellSoak(`textkv: ${seeds} seeds, ${shown} lines shown, ${snapshots} snapshots`);
});
