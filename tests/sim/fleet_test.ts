/** The whole fleet in the simulator: server, miners and clients over LSP on bad networks. */
import { describe, expect, test } from "bun:test";
import { runSeed } from "../../sim/engine/harness.ts";
import { FLEET } from "../../sim/fleet/run.ts";
import { expectAllGood, runSim } from "./shards.ts";

/** Part of the acceptance of the simulator: at least 300. */
const SEEDS = 300;
const FIRST_SEED = 2_000_000;

describe("the fleet under simulated faults", () => {
  test(`${SEEDS} seeds: answers are true and in time, nothing is accepted twice or unsearched`, () =>
    expectAllGood(FLEET.name, FIRST_SEED, SEEDS));

  test("the runs do something: jobs are answered, cancelled and lost", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 40; seed++) {
      for (const [name, value] of Object.entries(runSeed(FLEET, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    expect(sums["answered"]).toBeGreaterThan(90);
    expect(sums["gone"]).toBeGreaterThan(5);
    expect(sums["cancelled"]).toBeGreaterThan(1);
    expect(sums["accepted"]).toBeGreaterThan(600);
    expect(sums["resumed"]).toBeGreaterThan(2);
    expect(sums["sentAway"]).toBeGreaterThan(0);
  });

  const rules: Record<string, string> = {
    "deaf-ear": "hashed for nobody",
    "lost-join": "has joined, and idles",
    "lose-chunk": "",
    "last-hash": "",
  };
  for (const plant of Object.keys(FLEET.plants)) {
    test(`a planted fault is caught: ${plant}`, async () => {
      const args = ["--seed", "1", "--seeds", "10", "--only", "fleet", "--plant", plant];
      const { code, output } = await runSim(args);
      expect(output).toContain(rules[plant]!);
      expect(code).toBe(1);
      expect(output).toContain(`replay: bun run sim.ts --only fleet --seed`);
      expect(output).toContain("drawn: ");
      expect(output).not.toContain("NOT DETERMINISTIC");
    });
  }
});
