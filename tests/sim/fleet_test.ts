/** The whole fleet in the simulator: server, miners and clients over LSP on bad networks. */
import { describe } from "bun:test";
import { FLEET } from "../../sim/fleet/run.ts";
import { testCampaign } from "./campaign.ts";

describe("the fleet under simulated faults", () =>
  testCampaign({
    harness: FLEET,
    first: 2_000_000,
    // Part of the acceptance of the simulator: at least 300.
    seeds: 300,
    promise: "answers are true and in time, nothing is accepted twice or unsearched",
    least: {
      answered: 700,
      gone: 40,
      cancelled: 10,
      accepted: 4500,
      resumed: 15,
      sentAway: 5,
    },
    plantSeeds: 10,
    says: { "deaf-ear": "hashed for nobody", "lost-join": "has joined, and idles" },
  }));
