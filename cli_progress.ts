/**
 * How progress looks: rates and times for people, a line that is rewritten on a terminal, and lines
 * now and then anywhere else. All of it on stderr.
 *
 * @module
 */
import type { Status } from "./mod.ts";

/** Between two lines of progress where there is no terminal. */
const LINE_MILLIS = 5000;
const BAR_CELLS = 16;
const SI = ["", "k", "M", "G", "T", "P", "E"];

/** A rate with an SI prefix: `1.23 GH/s`. */
export function readableRate(noncesPerSecond: number): string {
  let [value, prefix] = [noncesPerSecond, 0];
  // 999.95 would be printed as 1000.
  while (value >= 999.95 && prefix < SI.length - 1) [value, prefix] = [value / 1000, prefix + 1];
  const digits = prefix === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${SI[prefix]}H/s`;
}

/** A time with its two largest units: `42 s`, `3 min 5 s`, `2 h 7 min`, `12 days`. */
export function readableTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172_800)
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  const days = Math.floor(whole / 86_400);
  return days < 1000 ? `${days} days` : `${Math.floor(days / 365).toLocaleString("en")} years`;
}

/** A hash as 16 hexadecimal digits, as `--target` takes it. */
export function hexDigits(hash: bigint): string {
  return hash.toString(16).padStart(16, "0");
}

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
