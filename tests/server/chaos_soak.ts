/** Fleets of chaos.ts from ever new seeds. */
import { test } from "bun:test";
import { SOAK_SEED, soakSeeds, tellSoak } from "../support/soak.ts";
import { tellStories } from "./chaos.ts";

/** Stories that begin with one seed. */
const STORIES = 50;

test("ServerCore: whatever happens to the fleet, the books are sound and the answers right", () => {
  let seeds = 0;
  for (const seed of soakSeeds()) {
    tellStories(STORIES, seed);
    seeds++;
  }
  tellSoak(`server: ${seeds * STORIES} stories, from seed ${SOAK_SEED} on`);
});
