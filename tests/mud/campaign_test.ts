/** The game under simulated faults, and the proof that mistakes are seen. */
import { describe } from "bun:test";
import { MUD } from "../../sim/mud/run.ts";
import { testCampaign } from "../sim/campaign.ts";

describe("the game under simulated faults", () =>
  testCampaign({
    harness: MUD,
    first: 9_000_000,
    seeds: 300,
    promise: "every coin, piece of hardware and hit has a reason, and rises are kept",
    least: {
      mined: 1200,
      bought: 150,
      hits: 2000,
      broke: 300,
      risen: 40,
      beaten: 40,
      trouble: 400,
      "lives of servers": 600,
    },
    plantSeeds: 60,
  }));
