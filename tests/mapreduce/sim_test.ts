/** Map-reduce in the simulator: workers crash, freeze, are slow, and their disks damage. */
import { describe } from "bun:test";
import { MAPREDUCE } from "../../sim/mapreduce/run.ts";
import { testCampaign } from "../sim/campaign.ts";

describe("map-reduce under simulated faults", () =>
  testCampaign({
    harness: MAPREDUCE,
    first: 5_000_000,
    seeds: 300,
    promise: "outputs are those of the plainest program, no task runs for no reason",
    least: {
      done: 400,
      failed: 10,
      assigned: 4000,
      again: 750,
      lost: 250,
      direct: 2000,
      // The server crashes, and workers come back with results and with what they still run.
      crashes: 100,
      found: 10,
      adopted: 10,
    },
    plantSeeds: 30,
  }));
