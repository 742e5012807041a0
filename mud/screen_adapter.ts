/**
 * The terminal: lines with editing and history in, what happens out, above the line that is being
 * typed. Where stdin or stdout is no terminal, plain lines.
 *
 * @module
 */
import { clearLine, createInterface, cursorTo, type Interface } from "node:readline";
import { wrapped } from "../base/text.ts";
import { printSoon } from "../run/output.ts";
import { COMMAND_NAMES, FIGHT_COMMAND_NAMES } from "./commands.ts";
import { HARDWARE_NAMES, PLACES } from "./rules.ts";
import { type Line, linesOf, type Tone } from "./text.ts";
import type { GameEvent } from "./types.ts";

/** Columns where nobody says how many there are. */
const COLUMNS = 80;
/** Narrower terminals wrap by themselves. */
const COLUMNS_MIN = 20;

const COLOURS: Readonly<Record<Tone, string>> = {
  plain: "",
  good: "\u001b[32m",
  bad: "\u001b[31m",
  quiet: "\u001b[2m",
  others: "\u001b[36m",
};
const NO_COLOUR = "\u001b[0m";

/** How a screen is made. */
export interface ScreenOptions {
  readonly name: string;
  /** Events as JSON, a line each. */
  readonly isJson: boolean;
  readonly isFighting: () => boolean;
  readonly onLine: (text: string) => void;
  /** The input has ended. */
  readonly onEnd: () => void;
  /** Ctrl-C was typed. */
  readonly onInterrupt: () => void;
}

/** What a player sees and types. */
export class Screen {
  readonly #options: ScreenOptions;
  readonly #lines: Interface;
  /** Whether a person types, and sees what is typed. */
  readonly isTerminal: boolean;
  readonly #isColoured: boolean;
  #isClosed = false;
  /** Nothing more is typed: Ctrl-D, or the end of a file. */
  #hasEnded = false;
  /** The goodbye was shown: nothing is asked for any more. */
  #isOver = false;
  #isNarrowTold = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
    const { isJson, onLine, onEnd, onInterrupt } = options;
    this.isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true && !isJson;
    const { NO_COLOR, TERM } = process.env;
    this.#isColoured = process.stdout.isTTY === true && !NO_COLOR && TERM !== "dumb";
    this.#lines = this.isTerminal
      ? createInterface({
          input: process.stdin,
          output: process.stdout,
          completer: (line: string) => this.#complete(line),
          historySize: 200,
          removeHistoryDuplicates: true,
        })
      : createInterface({ input: process.stdin, terminal: false });
    this.#lines.on("line", (text) => {
      onLine(text);
      this.prompt();
    });
    this.#lines.on("close", () => {
      this.#hasEnded = true;
      if (!this.#isClosed) onEnd();
    });
    this.#lines.on("SIGINT", onInterrupt);
  }

  /** Shows an event. */
  show(event: GameEvent): void {
    if (this.#options.isJson) this.#write(`${JSON.stringify(event)}\n`);
    else {
      this.#isOver ||= event.kind === "bye";
      this.#above(linesOf(event, this.#columns()));
    }
  }

  /** Shows the prompt, and what is typed behind it. */
  prompt(): void {
    if (!this.isTerminal || this.#isClosed || this.#hasEnded || this.#isOver) return;
    const { name, isFighting } = this.#options;
    this.#lines.setPrompt(isFighting() ? `${name} (solving)> ` : `${name}> `);
    this.#lines.prompt(true);
  }

  /** Reads and shows nothing more, and leaves the terminal as it was. */
  close(): void {
    this.#isClosed = true;
    this.#lines.close();
  }

  #above(lines: readonly Line[]): void {
    const columns = this.#columns();
    const text = lines
      .flatMap(({ tone, text: whole }) =>
        wrapped(whole, columns, 2).map((row) => this.#coloured(tone, row)),
      )
      .join("\n");
    if (this.isTerminal && !this.#isClosed) {
      cursorTo(process.stdout, 0);
      clearLine(process.stdout, 0);
    }
    this.#write(`${text}\n`);
    this.prompt();
  }

  #coloured(tone: Tone, text: string): string {
    const colour = COLOURS[tone];
    return this.#isColoured && colour !== "" ? colour + text + NO_COLOUR : text;
  }

  #columns(): number {
    const columns = process.stdout.columns;
    if (columns === undefined) return COLUMNS;
    if (columns >= COLUMNS_MIN) return columns;
    if (!this.#isNarrowTold) {
      this.#isNarrowTold = true;
      const text = `mud: the terminal has ${columns} columns, expected ${COLUMNS_MIN} at least: lines are made for ${COLUMNS}\n`;
      process.stderr.write(text);
    }
    return COLUMNS;
  }

  #write(text: string): void {
    printSoon(text);
  }

  /** Completes commands, places and hardware; what a terminal's Tab asks for. */
  #complete(line: string): [string[], string] {
    const words = line.split(" ");
    const last = words.at(-1) ?? "";
    const names = this.#options.isFighting() ? FIGHT_COMMAND_NAMES : COMMAND_NAMES;
    const second = words[0] === "move" ? PLACES : words[0] === "buy" ? HARDWARE_NAMES : [];
    const choices = words.length === 1 ? names : words.length === 2 ? second : [];
    const blank = words.length === 1 ? " " : "";
    return [choices.filter((one) => one.startsWith(last)).map((one) => one + blank), last];
  }
}
