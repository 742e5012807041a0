/**
 * How progress looks: a line that is rewritten on a terminal, and lines now and then anywhere else.
 * All of it on stderr.
 *
 * @module
 */
import type { Status } from "./mod.ts";
import { hexDigits, readableRate, readableTime } from "./readable.ts";

/** Between two lines of progress where there is no terminal. */
const LINE_MILLIS = 5000;
/** A shorter bar says too little; a longer one no more. */
const BAR_CELLS_MIN = 6;
const BAR_CELLS_MAX = 24;
/** The brackets and a blank. */
const BAR_FRAME = 3;
/** Rank of the best hash, see {@link progressLine}: it is worth more than a bar. */
const BAR_RANK = 3;

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

/** How a display is made. */
export interface DisplayOptions {
  /** Show nothing. */
  readonly quiet?: boolean;
  /** Whether lines can be rewritten; by default whether stderr is a terminal. */
  readonly terminal?: boolean;
  /** Between two lines of status where there is no terminal. */
  readonly lineMillis?: number;
  /** Where it goes, if not to stderr. */
  readonly write?: (text: string) => void;
}

/** Writes lines to stderr; on a terminal the status line stays last and is rewritten in place. */
export class Display {
  readonly #quiet: boolean;
  readonly #terminal: boolean;
  readonly #lineMillis: number;
  readonly #write: (text: string) => void;
  #status = "";
  #lineAtMs = -Infinity;

  constructor(options: DisplayOptions = {}) {
    this.#quiet = options.quiet ?? false;
    this.#terminal = options.terminal ?? process.stderr.isTTY === true;
    this.#lineMillis = options.lineMillis ?? LINE_MILLIS;
    this.#write = options.write ?? ((text) => void process.stderr.write(text));
  }

  /** Whether the status line is rewritten in place. */
  get terminal(): boolean {
    return this.#terminal;
  }

  /** Columns for a status line: one less than the terminal has, or any number. */
  get columns(): number {
    // A terminal of unknown width says 0.
    return this.#terminal ? Math.max(20, (process.stderr.columns || 80) - 1) : Infinity;
  }

  /** How a {@link progressLine} fits in here. */
  get lineOptions(): LineOptions {
    return { bar: this.#terminal, columns: this.columns };
  }

  /** A line that stays. */
  line(text: string): void {
    if (this.#quiet) return;
    this.#write(this.#terminal ? `\r\x1b[K${text}\n${this.#status}` : `${text}\n`);
  }

  /** How things stand now: replaces what was said before, or is a line if the last is old. */
  status(text: string, nowMs: number = performance.now()): void {
    if (this.#quiet) return;
    if (this.#terminal) {
      this.#status = text.slice(0, this.columns);
      this.#write(`\r\x1b[K${this.#status}`);
    } else if (nowMs - this.#lineAtMs >= this.#lineMillis) {
      this.#lineAtMs = nowMs;
      this.#write(`${text}\n`);
    }
  }

  /** Takes the status line away; to be called before the program ends or prints a result. */
  clear(): void {
    if (this.#terminal && this.#status !== "") this.#write("\r\x1b[K");
    this.#status = "";
  }
}
