/**
 * How a job stands, as one line for people.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { readableTime } from "../base/text.ts";
import type { Status } from "../work/messages.ts";
import { hexDigits, readableRate } from "../work/readable.ts";

/** A shorter bar says too little; a longer one no more. */
const BAR_CELLS_MIN = 6;
const BAR_CELLS_MAX = 24;
/** The brackets and a blank. */
const BAR_FRAME = 3;
/** Rank of the best hash, see {@link progressLine}: it is worth more than a bar. */
const BAR_RANK = 3;

/** How long a job gets nothing of a fleet at work before that is said. */
const WAITING_MS: Millis = 1000;

/** Where a progress line is shown. */
export interface LineOptions {
  /** Whether to draw a bar; it takes what is left of the columns. */
  readonly bar: boolean;
  /** Columns there are. What matters least is left out first. */
  readonly columns?: number;
}

/** One line about a job of `total` nonces: done, rate of the fleet, time left, best so far. */
export function progressLine(status: Status, total: bigint, options: LineOptions): string {
  const { done, jobRate, fleetRate, miners, best } = status;
  const { bar, columns = Infinity } = options;
  const permille = Number((done * 1000n) / total);
  const left = Number(total - done) / jobRate;
  // With the rank in which they go when it gets narrow; rank 0 always stays. A bar goes before
  // what has BAR_RANK or less.
  const parts: { readonly text: string; readonly rank: number }[] = [
    { text: `${(permille / 10).toFixed(1)} %`, rank: 0 },
    { text: `ETA ${jobRate > 0 ? readableTime(left) : "unknown"}`, rank: 1 },
    { text: `fleet ${readableRate(fleetRate)}`, rank: 2 },
    { text: `${miners} miner${miners === 1 ? "" : "s"}`, rank: 4 },
  ];
  if (best !== undefined) {
    parts.push({ text: `best ${hexDigits(best.hash)}`, rank: 3 });
    parts.push({ text: `at ${best.nonce}`, rank: 5 });
  }
  const upTo = (rank: number): string =>
    parts.flatMap((part) => (part.rank <= rank ? [part.text] : [])).join("  ");
  const needs = (rank: number): number =>
    upTo(rank).length + (bar && rank > BAR_RANK ? BAR_CELLS_MIN + BAR_FRAME : 0);
  let rank = 5;
  while (rank > 0 && needs(rank) > columns) rank--;
  const text = upTo(rank);
  const cells = Math.min(BAR_CELLS_MAX, columns - text.length - BAR_FRAME);
  if (!bar || cells < BAR_CELLS_MIN) return text;
  const full = Math.floor((permille * cells) / 1000);
  return `[${"=".repeat(full).padEnd(cells, " ")}] ${text}`;
}

/** Why nothing moves, for people; "" while something does. `stillMs`: for how long nothing has. */
export function whyWaiting({ miners, jobRate, fleetRate }: Status, stillMs: Millis): string {
  if (miners === 0) return "no miner is connected: the job waits for miners";
  // A job that is alone has the whole fleet: if that is still, a miner was lost, and no other job
  // is to blame.
  if (stillMs < WAITING_MS || jobRate >= fleetRate) return "";
  return "the fleet is at work on other jobs: this one waits behind them";
}
