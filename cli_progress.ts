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
const BAR_CELLS = 16;

/** One line about a job of `total` nonces: done, rate of the fleet, time left, best so far. */
export function progressLine(status: Status, total: bigint, bar: boolean): string {
  const { done, jobRate, fleetRate, miners, best } = status;
  const permille = Number((done * 1000n) / total);
  const cells = Math.floor((permille * BAR_CELLS) / 1000);
  const left = Number(total - done) / jobRate;
  const parts = [
    `${(permille / 10).toFixed(1)} %`,
    `fleet ${readableRate(fleetRate)}`,
    `${miners} miner${miners === 1 ? "" : "s"}`,
    `ETA ${jobRate > 0 ? readableTime(left) : "unknown"}`,
    ...(best === undefined ? [] : [`best ${hexDigits(best.hash)} at ${best.nonce}`]),
  ];
  const text = parts.join("  ");
  return bar ? `[${"=".repeat(cells).padEnd(BAR_CELLS, " ")}] ${text}` : text;
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

  /** A line that stays. */
  line(text: string): void {
    if (this.#quiet) return;
    this.#write(this.#terminal ? `\r\x1b[K${text}\n${this.#status}` : `${text}\n`);
  }

  /** How things stand now: replaces what was said before, or is a line if the last is old. */
  status(text: string, nowMs: number = performance.now()): void {
    if (this.#quiet) return;
    if (this.#terminal) {
      this.#status = text.slice(0, Math.max(20, (process.stderr.columns || 80) - 1));
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
