/** The whole fleet in the simulator: server, miners and clients over LSP on bad networks. */
import { describe, expect, test } from "bun:test";
import type { Plant } from "../../sim/engine/plant.ts";
import { runFleetSeed } from "../../sim/fleet/run.ts";
import { expectAllGood, runSim } from "./shards.ts";

/** Part of the acceptance of the simulator: at least 300. */
const SEEDS = 600;
const FIRST_SEED = 2_000_000;

describe("the fleet under simulated faults", () => {
  test(`${SEEDS} seeds: answers are true and in time, nothing is accepted twice or unsearched`, () =>
    expectAllGood("fleet", FIRST_SEED, SEEDS));

  test("the runs do something: jobs are answered, cancelled and lost", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 30; seed++) {
      for (const [name, value] of Object.entries(runFleetSeed(seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    expect(sums["answered"]).toBeGreaterThan(90);
    expect(sums["gone"]).toBeGreaterThan(5);
    expect(sums["cancelled"]).toBeGreaterThan(1);
    expect(sums["accepted"]).toBeGreaterThan(600);
  });

  for (const plant of ["lose-chunk", "last-hash"] satisfies Plant[]) {
    test(`a planted fault is caught: ${plant}`, async () => {
      const args = ["--seed", "1", "--seeds", "10", "--only", "fleet"];
      const { code, output } = await runSim(args, { MOTHERLODE_PLANT: plant });
      expect(code).toBe(1);
      expect(output).toContain(`replay: MOTHERLODE_PLANT=${plant} bun run sim.ts --seed`);
      expect(output).toContain("drawn: ");
      expect(output).not.toContain("NOT DETERMINISTIC");
    });
  }
});
