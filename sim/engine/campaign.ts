/**
 * Runs many seeds and reports everything that a person needs about those that fail.
 *
 * @module
 */
import { type Harness, type RunReport, runSeed } from "./harness.ts";
import type { Transcript } from "./trace.ts";

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

/** What a campaign does besides running seeds. */
export interface CampaignOptions {
  /** A fault to plant. */
  readonly plant?: string | undefined;
  /** Ends with the first seed that fails. */
  readonly bail?: boolean;
  /** Takes the text about each failing seed. */
  readonly tell: (text: string) => void;
}

/** Runs every seed. */
export function runCampaign(
  harness: Harness,
  seeds: Iterable<number>,
  { plant, bail = false, tell }: CampaignOptions,
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
    if (failed <= TOLD_IN_FULL) tell(explain(harness, report, plant));
    else if (failed <= TOLD_AT_ALL) tell(explainBriefly(report, plant));
    if (bail) break;
  }
  return result;
}

function explainBriefly(report: RunReport, plant: string | undefined): string {
  const { harness, seed, failure } = report;
  return `${harness} seed ${seed} failed: ${failure}\nreplay: ${replayCommand(report, plant)}`;
}

/** All about a failing seed: the rule, the way to replay it, what was drawn, the last events. */
function explain(harness: Harness, report: RunReport, plant: string | undefined): string {
  const { seed, failure, drawn } = report;
  const { report: again, lines: last } = replay(harness, seed, plant, LAST_EVENTS);
  const lines = [
    explainBriefly(report, plant),
    `drawn: ${drawn}`,
    `last ${last.length} events:`,
    ...last,
  ];
  // Behind the first line there may be a stack, which is another one here.
  if (firstLine(again.failure) !== firstLine(failure)) {
    lines.push(`NOT DETERMINISTIC, second run: ${again.failure}`);
  }
  return `${lines.join("\n")}\n`;
}

function firstLine(text: string | undefined): string | undefined {
  return text?.split("\n", 1)[0];
}

/** Runs a seed with its transcript, the last `linesMax` lines of it. */
export function replay(
  harness: Harness,
  seed: number,
  plant: string | undefined,
  linesMax: number,
): { report: RunReport; lines: readonly string[] } {
  const transcript: Transcript = { lines: [], linesMax };
  return { report: runSeed(harness, seed, plant, transcript), lines: transcript.lines };
}

/** The one command that shows a seed's whole transcript. */
function replayCommand({ harness, seed }: RunReport, plant: string | undefined): string {
  const planted = plant === undefined ? "" : ` --plant ${plant}`;
  return `bun run sim.ts --only ${harness} --seed ${seed}${planted} --trace`;
}

/** One line of what a campaign did. */
export function summary({ harness, ran, failedSeeds, counts }: CampaignResult): string {
  const sums = Object.entries(counts).map(([name, value]) => `${name} ${value}`);
  return `${harness.name}: ran ${ran} seeds, ${failedSeeds.length} failed (${sums.join(", ")})`;
}
