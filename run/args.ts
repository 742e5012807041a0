/**
 * The command line of a script: what it takes, how it is read, and its `--help`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { readablePlural, wrapped } from "../base/text.ts";
import { UsageError } from "./errors.ts";
import { invocation } from "./invocation.ts";
import { printNow } from "./output.ts";
import { checkArguments } from "./raw_arguments.ts";
import { VERSION } from "./version.ts";

/** A flag: with a `value` name it takes one, without it is a switch. */
export interface Flag {
  readonly value?: string;
  readonly help: string;
}

/** What a script is called and takes. */
export interface Usage {
  /** File name without `.ts`. */
  readonly name: string;
  /** The verb that may stand in front and changes nothing, of a program that has just one. */
  readonly verb?: string;
  /** The positional arguments as `--help` shows them. */
  readonly takes: string;
  /** How many positional arguments at least and at most. */
  readonly count: readonly [number, number];
  /** What it does, for `--help`; lines that begin with no blank are joined, and cut anew. */
  readonly about: string;
  readonly flags: Readonly<Record<string, Flag>>;
}

/** A parsed command line. */
export interface CommandLine {
  readonly positionals: readonly string[];
  /** The value of a flag that was given. */
  flag(name: string): string | undefined;
  /** Whether a switch was given. */
  has(name: string): boolean;
}

/** A terminal's width: no line of a help is longer. */
const HELP_COLUMNS = 80;

/** What every program has. */
const COMMON_FLAGS: Readonly<Record<string, Flag>> = {
  version: { help: "show the version" },
  help: { help: "show this (-h)" },
};

/**
 * Reads `argv`; with `--help` (`-h`) or `--version` prints that and ends the program.
 * Throws {@link UsageError}, or a Failure when that cannot be printed.
 */
export function readCommandLine(usage: Usage, argv: readonly string[]): CommandLine {
  const flags: Record<string, Flag> = { ...usage.flags, ...COMMON_FLAGS };
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => {
      const type = value === undefined ? ("boolean" as const) : ("string" as const);
      return [name, name === "help" ? { type, short: "h" } : { type }];
    }),
  );
  checkArguments(argv);
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(whyUnparsed((error as Error).message, argv));
  }
  const { values, positionals } = parsed;
  if (values["help"] === true) sayAndExit(helpText(usage));
  if (values["version"] === true) sayAndExit(`motherlode ${VERSION}\n`);
  const blank = Object.keys(values).find((name) => values[name] === "");
  if (blank !== undefined)
    throw new UsageError(`--${blank} is "", expected ${flags[blank]!.value}`);
  if (usage.verb !== undefined && positionals[0] === usage.verb) positionals.shift();
  const [least, most] = usage.count;
  if (positionals.length < least || positionals.length > most) {
    const got = readablePlural(positionals.length, "argument");
    throw new UsageError(`got ${got}, expected ${usage.takes || "none"}`);
  }
  const flag = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  return { positionals, flag, has: (name) => values[name] === true };
}

function sayAndExit(text: string): never {
  printNow(text);
  process.exit(0);
}

/** What `parseArgs` said, as one short line in our style. */
function whyUnparsed(text: string, argv: readonly string[]): string {
  const first = text.split(/\.\s|\n/)[0]!.replace(/\.$/, "");
  const line = first[0]!.toLowerCase() + first.slice(1);
  const flag = /^option '(--[\w-]+)\b.*' argument is ambiguous/.exec(line)?.[1];
  if (flag !== undefined) {
    const next = argv[argv.indexOf(flag) + 1];
    return `${flag} is followed by "${next}"; a value that begins with "-" is given as ${flag}=${next}`;
  }
  // The only flag of one letter is -h: such an argument was meant as a message or a number.
  const dashed = argv.find((arg) => /^-[^-]/.test(arg) && arg !== "-h");
  if (dashed === undefined || !line.startsWith("unknown option")) return line;
  return `unknown option '${dashed}'; an argument that begins with "-" goes behind "--"`;
}

/** What `--help` prints. */
export function helpText({ name, verb, takes, about, flags }: Usage): string {
  const rows = Object.entries<Flag>({ ...flags, ...COMMON_FLAGS });
  const left = rows.map(
    ([flag, { value }]) => `--${flag}${value === undefined ? "" : ` ${value}`}`,
  );
  const width = Math.max(...left.map((text) => text.length));
  const lines = rows.map(([, { help }], i) => {
    const [first, ...more] = wrapped(help, HELP_COLUMNS - width - 4, 0);
    const further = more.map((text) => `\n${" ".repeat(width + 4)}${text}`);
    return `  ${left[i]!.padEnd(width)}  ${first}${further.join("")}`;
  });
  const words = [invocation(name), ...(verb === undefined ? [] : [`[${verb}]`]), takes];
  const usage = `usage: ${words.filter((word) => word !== "").join(" ")}`;
  return `${usage}\n\n${flowed(about)}\n\n${lines.join("\n")}\n`;
}

/** Lines made paragraphs, and cut anew; what begins with a blank is a line of its own. */
function flowed(text: string): string {
  const paragraphs = text.replace(/(?<=\n|^)(\S.*)\n(?=\S)/g, "$1 ").split("\n");
  const lines = paragraphs.flatMap((one) => {
    const lead = /^ */.exec(one)![0];
    const rows = wrapped(one.slice(lead.length), HELP_COLUMNS - lead.length, lead.length);
    return rows.map((row) => lead + row);
  });
  return lines.join("\n");
}
