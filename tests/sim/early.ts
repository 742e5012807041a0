/**
 * The campaigns that every run of all tests makes. Such a run starts them at once, in the
 * background, one campaign after the other; the test of each waits for what is not done by then. So
 * all cores have work while tests use one, or wait.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type Campaign, startEarly } from "./shards.ts";

/**
 * Harness, first seed, and how many, as its test says; that one runs its own if they differ. Small
 * ones come first: some rooms are tested at once.
 */
const CAMPAIGNS: readonly Campaign[] = [
  ["mud", 9_000_000, 300],
  ["actors", 6_000_000, 300],
  ["mapreduce", 5_000_000, 300],
  ["geo-messages", 7_000_000, 150],
  ["geo-nodes", 7_000_000, 300],
  ["fleet", 2_000_000, 300],
  ["coordinator", 4_000_000, 300],
  ["lsp", 1_000_000, 3000],
  ["raft-nodes", 3_000_000, 300],
  ["raft-messages", 3_000_000, 1000],
  ["kv", 7_000_000, 300],
];

/** What may follow `bun test` in a run of all tests. */
const HARMLESS = /^--(randomize|seed=\d+|bail)$/;

/** Whether this process runs all tests, and not some that were named. */
function runsAll(): boolean {
  try {
    const line = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
    const at = line.indexOf("test");
    return at > 0 && line.slice(at + 1).every((word) => HARMLESS.test(word));
  } catch {
    return false; // not Linux: every test runs its campaign itself
  }
}

/** Starts all campaigns if this process runs all tests. */
export function startCampaigns(): void {
  if (runsAll()) startEarly(CAMPAIGNS);
}
