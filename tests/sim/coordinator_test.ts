/** One server or several that crash and keep their jobs, with simulated disks. */
import { describe } from "bun:test";
import { COORDINATOR } from "../../sim/coordinator/run.ts";
import { testCampaign } from "./campaign.ts";

describe("the coordinator under crashes", () =>
  testCampaign({
    harness: COORDINATOR,
    first: 4_000_000,
    seeds: 300,
    promise: "no job is lost, runs twice or is answered wrongly",
    least: {
      crashes: 225,
      answered: 750,
      cuts: 75,
      returns: 20,
      peerCuts: 150,
      // Looks at idle threads while work waits; classic peers that stay under another leader.
      busyLooks: 1000,
      stays: 45,
    },
    plantSeeds: 40,
  }));
