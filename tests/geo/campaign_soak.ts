/** Seeds of the simulated geo store for as long as there is time. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { GEO } from "../../sim/geo/run.ts";
import { soakSeeds, tellSoak } from "../support/soak.ts";

test("replicas are equal after healing, and nothing is lost or doubled", () => {
  let ran = 0;
  for (const seed of soakSeeds()) {
    assertEquals(runSeed(GEO, seed).failure, undefined, `seed ${seed}`);
    ran++;
  }
  tellSoak(`geo: ${ran} seeds`);
});
