/** The geo store under simulated faults, and the proof that mistakes are seen. */
import { describe } from "bun:test";
import { GEO, GEO_NODES } from "../../sim/geo/run.ts";
import { testCampaign } from "../sim/campaign.ts";

/** Seeds of whole nodes are part of the acceptance; more of both are for `bun run soak`. */
const CAMPAIGNS = [
  { harness: GEO, seeds: 150, about: "message by message" },
  { harness: GEO_NODES, seeds: 300, about: "as whole nodes over LSP" },
];

describe.each(CAMPAIGNS)("the geo store under simulated faults, $about", ({ harness, seeds }) =>
  testCampaign({
    harness,
    first: 7_000_000,
    seeds,
    promise: "replicas are equal after healing, nothing is lost or doubled",
    least: { puts: 7500, adds: 3750, lives: 375, lies: 7, forgotten: 15 },
    plantSeeds: 60,
  }),
);
