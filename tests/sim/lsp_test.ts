/** LSP in the simulator: the same cores as on sockets, thousands of bad networks. */
import { describe, expect, test } from "bun:test";
import { runSeed } from "../../sim/engine/harness.ts";
import type { Transcript } from "../../sim/engine/trace.ts";
import { LSP } from "../../sim/lsp/run.ts";
import { expectAllGood, runSim } from "./shards.ts";

/** Part of the acceptance of the simulator: at least 3,000. */
const SEEDS = 3000;
const FIRST_SEED = 1_000_000;

/** Seeds that once failed, and why. What they draw changes whenever the plan of a run does. */
const FAILED_ONCE: Readonly<Record<number, string>> = {
  48: "a Connect and then a Data in one turn crashed the listener",
  882: "the same",
  88: "a restarted listener's path challenges kept a client of its former life alive",
  868: "the same",
  987: "a lost connection kept the room of messages that had come ahead of their turn",
  1002611: "a flush on the classic wire was given up within the back-off of a message",
  5008450: "a sender was offered more room than unread messages have, and crept",
};

describe("LSP under simulated faults", () => {
  for (const [seed, why] of Object.entries(FAILED_ONCE)) {
    test(`seed ${seed} is good again: ${why}`, () => {
      expect(runSeed(LSP, Number(seed)).failure).toBeUndefined();
    });
  }

  test(`${SEEDS} seeds keep every promise of docs/lsp.md`, () =>
    expectAllGood(LSP.name, FIRST_SEED, SEEDS));

  test("the runs do something: both wires connect, data is read, peers are lost", () => {
    const sums: Record<string, number> = {};
    for (let seed = 1; seed <= 50; seed++) {
      for (const [name, value] of Object.entries(runSeed(LSP, seed).counts)) {
        sums[name] = (sums[name] ?? 0) + value;
      }
    }
    expect(sums["native"]).toBeGreaterThan(30);
    expect(sums["classic"]).toBeGreaterThan(30);
    expect(sums["read"]).toBeGreaterThan(500);
    expect(sums["lost"]).toBeGreaterThan(20);
    expect(sums["dropped"]).toBeGreaterThan(200);
  });

  test("equal seeds give equal runs", () => {
    const transcripts = [0, 1].map(() => {
      const transcript: Transcript = { lines: [], linesMax: 100_000 };
      runSeed(LSP, 7, undefined, transcript);
      return transcript.lines.join("\n");
    });
    expect(transcripts[0]!.length).toBeGreaterThan(1000);
    expect(transcripts[0]).toBe(transcripts[1]!);
  });

  for (const plant of Object.keys(LSP.plants)) {
    test(`a planted fault is caught: ${plant}`, async () => {
      const args = ["--seed", "1", "--seeds", "10", "--only", "lsp", "--plant", plant];
      const { code, output } = await runSim(args);
      expect(code).toBe(1);
      expect(output).toContain(`replay: bun run sim.ts --only lsp --seed`);
      expect(output).toContain("drawn: ");
      expect(output).not.toContain("NOT DETERMINISTIC");
    });
  }
});
