/** LSP in the simulator: the same cores as on sockets, thousands of bad networks. */
import { describe, expect, test } from "bun:test";
import { runSeed } from "../../sim/engine/harness.ts";
import type { Transcript } from "../../sim/engine/trace.ts";
import { LSP } from "../../sim/lsp/run.ts";
import { testCampaign } from "./campaign.ts";

/** Seeds that once failed, and why. What they draw changes whenever the plan of a run does. */
const FAILED_ONCE: Readonly<Record<number, string>> = {
  48: "a Connect and then a Data in one turn crashed the listener",
  882: "the same",
  88: "a restarted listener's path challenges kept a client of its former life alive",
  868: "the same",
  987: "a lost connection kept the room of messages that had come ahead of their turn",
  1002611: "a flush on the json wire was given up within the back-off of a message",
  5008450: "a sender was offered more room than unread messages have, and crept",
};

describe("LSP under simulated faults", () => {
  for (const [seed, why] of Object.entries(FAILED_ONCE)) {
    test(`seed ${seed} is good again: ${why}`, () => {
      expect(runSeed(LSP, Number(seed)).failure).toBeUndefined();
    });
  }

  testCampaign({
    harness: LSP,
    first: 1_000_000,
    // Part of the acceptance of the simulator: at least 3,000.
    seeds: 3000,
    promise: "both wires keep every promise of docs/lsp.md",
    least: { native: 1800, classic: 1800, read: 30_000, lost: 1200, dropped: 12_000 },
    plantSeeds: 10,
  });

  test("equal seeds give equal transcripts", () => {
    const transcripts = [0, 1].map(() => {
      const transcript: Transcript = { lines: [], linesMax: 100_000 };
      runSeed(LSP, 7, undefined, transcript);
      return transcript.lines.join("\n");
    });
    expect(transcripts[0]!.length).toBeGreaterThan(1000);
    expect(transcripts[0]).toBe(transcripts[1]!);
  });
});
