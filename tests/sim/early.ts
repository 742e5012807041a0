/**
 * The campaigns that tests make. A run of all tests, or of some rooms or files, starts those of its
 * tests at once, in the background, one campaign after the other; the test of each waits for what
 * is not done by then. So all cores have work while tests use one, or wait.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type Campaign, startEarly } from "./shards.ts";

/** The test, below tests/, that waits for a campaign: to see whether a run has that test. */
interface Early {
  readonly test: string;
  readonly campaign: Campaign;
}

/**
 * Harness, first seed, and how many, as its test says; that one runs its own if they differ. Small
 * ones come first: some rooms are tested at once.
 */
export const EARLY: readonly Early[] = [
  { test: "mud/campaign_test.ts", campaign: ["mud", 9_000_000, 300] },
  { test: "actors/sim_test.ts", campaign: ["actors", 6_000_000, 300] },
  { test: "mapreduce/sim_test.ts", campaign: ["mapreduce", 5_000_000, 300] },
  { test: "geo/campaign_test.ts", campaign: ["geo-messages", 7_000_000, 150] },
  { test: "geo/campaign_test.ts", campaign: ["geo-nodes", 7_000_000, 300] },
  { test: "sim/fleet_test.ts", campaign: ["fleet", 2_000_000, 300] },
  { test: "sim/coordinator_test.ts", campaign: ["coordinator", 4_000_000, 300] },
  { test: "sim/lsp_test.ts", campaign: ["lsp", 1_000_000, 3000] },
  { test: "raft/campaign_test.ts", campaign: ["raft-nodes", 3_000_000, 300] },
  { test: "raft/campaign_test.ts", campaign: ["raft-messages", 3_000_000, 1000] },
  { test: "kv/campaign_test.ts", campaign: ["kv", 7_000_000, 300] },
];

/** What may stand beside the names of files in a run of all their tests. */
const HARMLESS = /^--(randomize|bail|(seed|reporter|reporter-outfile)=.*)$/;

/** The words behind `bun test`; undefined where nobody knows them. */
function wordsOfRun(): string[] | undefined {
  try {
    const line = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
    const at = line.indexOf("test");
    return at > 0 ? line.slice(at + 1) : undefined;
  } catch {
    return undefined; // not Linux: every test runs its campaign itself
  }
}

/** The campaigns of a run with these words: of files that have one of the words in their path. */
export function campaignsOf(words: readonly string[]): Campaign[] {
  const names = words.filter((word) => !HARMLESS.test(word));
  if (names.some((name) => name.startsWith("-"))) return [];
  const isMeant = (path: string): boolean =>
    names.length === 0 || names.some((name) => path.includes(name.replace(/^\.\//, "")));
  return EARLY.filter(({ test }) => isMeant(`tests/${test}`)).map(({ campaign }) => campaign);
}

/** Starts those of this run. */
export function startCampaigns(): void {
  const campaigns = campaignsOf(wordsOfRun() ?? ["-"]);
  if (campaigns.length > 0) startEarly(campaigns, campaigns.length === EARLY.length);
}
