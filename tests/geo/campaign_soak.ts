/** Seeds of the simulated geo store for as long as there is time. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { runSeed } from "../../sim/engine/harness.ts";
import { GEO, GEO_NODES } from "../../sim/geo/run.ts";
import { soakSeeds, tellSoak } from "../support/soak.ts";

test("replicas are equal after healing, and nothing is lost or doubled", () => {
  let ran = 0;
  for (const seed of soakSeeds()) {
    for (const harness of [GEO, GEO_NODES]) {
      assertEquals(runSeed(harness, seed).failure, undefined, `${harness.name} seed ${seed}`);
    }
    ran++;
  }
  tellSoak(`geo: ${ran} seeds, each on both networks`);
});
