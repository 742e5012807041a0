/**
 * How progress looks: a line that is rewritten on a terminal, and lines now and then anywhere else.
 * All of it on stderr.
 *
 * @module
 */

import { writeSync } from "node:fs";

/** Between two lines of progress where there is no terminal. */
const LINE_MS = 5000;

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
    this.#lineMillis = options.lineMillis ?? LINE_MS;
    this.#write = options.write ?? writeNow;
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

  /** How a progress line fits in here. */
  get lineOptions(): { readonly bar: boolean; readonly columns: number } {
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

/**
 * Writes to stderr before it returns: what is written to stdout next must not come out before, on
 * the terminal that both may be.
 */
function writeNow(text: string): void {
  try {
    writeSync(process.stderr.fd, text);
  } catch {
    // A full pipe, or nobody at its end: then Bun's own way, which waits or tells.
    process.stderr.write(text);
  }
}
