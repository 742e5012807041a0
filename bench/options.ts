/**
 * The command line of a benchmark. Its `--help` is the comment that the file opens with, so that
 * what it measures is said in one place.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { type CommandLine, type Flag, readCommandLine, type Usage } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { invocation } from "../run/invocation.ts";

/** A flag of a benchmark; with a `value` it takes one. */
export interface BenchFlag extends Flag {
  /** What holds without the flag; the help shows it. */
  readonly default?: string;
}

/** What was asked for. */
export interface BenchOptions {
  readonly positionals: readonly string[];
  /** The value of a flag, or its default; undefined if it has none. */
  text(name: string): string | undefined;
  /** The same as a number above 0; ends the program with 2 if it is not. */
  number(name: string): number;
  has(name: string): boolean;
}

/** A flag that takes a number. */
export function count(standard: number | string, help: string): BenchFlag {
  return { value: "N", default: String(standard), help };
}

/**
 * Reads the command line of the benchmark in the file `path`. `--help` and `--version` are
 * answered, and what cannot be understood is said in one line; then the program ends.
 */
export function benchOptions(
  path: string,
  flags: Readonly<Record<string, BenchFlag>> = {},
  takes: Pick<Usage, "takes" | "count"> = { takes: "", count: [0, 0] },
): BenchOptions {
  const name = `bench/${basename(path, ".ts")}`;
  const shown = Object.entries(flags).map(([flag, { default: standard, help, ...rest }]) => {
    return [flag, { ...rest, help: standard === undefined ? help : `${help} (${standard})` }];
  });
  const usage: Usage = {
    ...takes,
    name,
    about: headerOf(path),
    flags: Object.fromEntries(shown) as Record<string, Flag>,
  };
  const refuse = (text: string): never => {
    process.stderr.write(`${name}: ${text} (${invocation(name)} --help)\n`);
    process.exit(2);
  };
  let line: CommandLine;
  try {
    line = readCommandLine(usage, process.argv.slice(2));
  } catch (error) {
    if (error instanceof UsageError) refuse(error.message);
    throw error;
  }
  const text = (flag: string): string | undefined => line.flag(flag) ?? flags[flag]?.default;
  const number = (flag: string): number => {
    const value = Number(text(flag));
    if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
    return refuse(`--${flag} is "${text(flag)}", expected a number above 0`);
  };
  return { positionals: line.positionals, text, number, has: (flag) => line.has(flag) };
}

/** The comment that a file opens with, without its stars. */
function headerOf(path: string): string {
  const [, comment = ""] = /^\/\*\*\n([^]*?)\n \*\//.exec(readFileSync(path, "utf8")) ?? [];
  const lines = comment.split("\n").map((text) => text.replace(/^ \* ?/, ""));
  return lines
    .filter((text) => text !== "@module")
    .join("\n")
    .trim();
}
