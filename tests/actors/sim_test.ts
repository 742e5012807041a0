/** Actors in the simulator: connections break, machines crash, sleep and come back. */
import { describe } from "bun:test";
import { ACTORS } from "../../sim/actors/run.ts";
import { testCampaign } from "../sim/campaign.ts";

describe("actors under simulated faults", () =>
  testCampaign({
    harness: ACTORS,
    first: 6_000_000,
    seeds: 300,
    promise: "in order, at most once, in the right life; who watches is told",
    // Some of what is told is lost.
    least: { told: 80_000, got: 60_000, fired: 200, crashes: 50, unsettled: 500 },
    plantSeeds: 100,
    says: {
      overtakes: "arrived after",
      "told-twice": "arrived twice",
      "deaf-watch": "is not told that",
      "mistaken-life": "was for another life of it",
    },
  }));
