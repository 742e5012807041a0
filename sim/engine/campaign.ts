/**
 * Runs many seeds and tells of the failing ones everything that a person needs.
 *
 * @module
 */
import { runFleetSeed } from "../fleet/run.ts";
import { runLspSeed } from "../lsp/run.ts";
import { runRaftSeed } from "../raft/run.ts";
import { type Plant, PLANT_VARIABLE } from "./plant.ts";
import type { RunReport, Transcript } from "./trace.ts";

/** What is simulated: the protocol alone, the whole fleet over it, or the replicated log. */
export type Harness = "lsp" | "fleet" | "raft";

export const HARNESSES: readonly Harness[] = ["lsp", "fleet", "raft"];

const RUNS = { lsp: runLspSeed, fleet: runFleetSeed, raft: runRaftSeed };

/** Last events of a failing run that are printed. */
const LAST_EVENTS = 40;
/** Failing seeds that are told in full, and of how many more the rule and the command. */
const TOLD_IN_FULL = 3;
const TOLD_AT_ALL = 20;

/** Sums over the seeds of one campaign. */
export interface CampaignResult {
  readonly harness: Harness;
  ran: number;
  readonly failedSeeds: number[];
  readonly counts: Record<string, number>;
}

/** Runs one seed, with a planted fault if `plant` is given. */
export function runSeed(
  harness: Harness,
  seed: number,
  plant?: Plant,
  transcript?: Transcript,
): RunReport {
  return RUNS[harness](seed, plant, transcript);
}

/** Runs every seed and passes the text about each failing one to `tell`. */
export function runCampaign(
  harness: Harness,
  seeds: Iterable<number>,
  plant: Plant | undefined,
  tell: (text: string) => void,
): CampaignResult {
  const result: CampaignResult = { harness, ran: 0, failedSeeds: [], counts: {} };
  for (const seed of seeds) {
    const report = runSeed(harness, seed, plant);
    result.ran++;
    for (const [name, value] of Object.entries(report.counts)) {
      result.counts[name] = (result.counts[name] ?? 0) + value;
    }
    if (report.failure === undefined) continue;
    result.failedSeeds.push(seed);
    const failed = result.failedSeeds.length;
    if (failed <= TOLD_IN_FULL) tell(explain(report, plant));
    else if (failed <= TOLD_AT_ALL) tell(explainBriefly(report, plant));
  }
  return result;
}

function explainBriefly({ harness, seed, failure }: RunReport, plant: Plant | undefined): string {
  const replayBy = replayCommand(harness, seed, plant);
  return `${harness} seed ${seed} failed: ${failure}\nreplay: ${replayBy}`;
}

/** All about a failing seed: the rule, the way to replay it, what was drawn, the last events. */
function explain(report: RunReport, plant: Plant | undefined): string {
  const { harness, seed, failure, drawn } = report;
  const { report: again, lines: last } = replay(harness, seed, plant, LAST_EVENTS);
  const lines = [
    `${harness} seed ${seed} failed: ${failure}`,
    `replay: ${replayCommand(harness, seed, plant)}`,
    `drawn: ${drawn}`,
    `last ${last.length} events:`,
    ...last,
  ];
  if (again.failure !== failure) lines.push(`NOT DETERMINISTIC, second run: ${again.failure}`);
  return `${lines.join("\n")}\n`;
}

/** Runs a seed with its transcript, the last `linesMax` lines of it. */
export function replay(
  harness: Harness,
  seed: number,
  plant: Plant | undefined,
  linesMax: number,
): { report: RunReport; lines: readonly string[] } {
  const transcript: Transcript = { lines: [], linesMax };
  return { report: runSeed(harness, seed, plant, transcript), lines: transcript.lines };
}

/** The one command that shows a seed's whole transcript. */
export function replayCommand(harness: Harness, seed: number, plant?: Plant): string {
  const variable = plant === undefined ? "" : `${PLANT_VARIABLE}=${plant} `;
  return `${variable}bun run sim.ts --seed ${seed} --only ${harness} --trace`;
}

/** One line of what a campaign did. */
export function summary({ harness, ran, failedSeeds, counts }: CampaignResult): string {
  const sums = Object.entries(counts).map(([name, value]) => `${name} ${value}`);
  return `${harness}: ran ${ran} seeds, ${failedSeeds.length} failed (${sums.join(", ")})`;
}
