/**
 * What the scripts have in common: reading the command line, telling mistakes in one line, ending
 * cleanly on Ctrl-C.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 target not met, 130 and 143 ended by a signal.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { MAX_UINT64 } from "./hash.ts";
import type { Params, Wire } from "./mod.ts";
import { readablePlural } from "./readable.ts";

/** Port of a server unless told otherwise. */
export const DEFAULT_PORT = 6060;
/** How long a clean end may take: a peer that is gone too would otherwise be waited for. */
const GOODBYE_MILLIS = 2000;

/** A wrong command line. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A failure that was foreseen: its message is the whole story. */
export class Failure extends Error {
  override name = "Failure";
}

/** A flag: with a `value` name it takes one, without it is a switch. */
export interface Flag {
  readonly value?: string;
  readonly help: string;
}

/** What a script is called and takes. */
export interface Usage {
  /** File name without `.ts`. */
  readonly name: string;
  /** The positional arguments as `--help` shows them. */
  readonly takes: string;
  /** How many positional arguments at least and at most. */
  readonly count: readonly [number, number];
  /** What it does, for `--help`. */
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

/** Flags for the parameters of LSP (section 2 of its specification). */
const PARAMS = {
  "epoch-millis": ["epochMillis", "length of an epoch (500; json: 2000)", 1],
  "epoch-limit": ["epochLimit", "silent epochs until the peer is lost (10; json: 5)", 1],
  "window-size": ["windowSize", "messages under way, from the oldest (1024; json: 1)", 1],
  "max-unacked-messages": ["maxUnackedMessages", "messages not acknowledged (1024; json: 1)", 1],
  "max-back-off-interval": ["maxBackOffInterval", "most epochs between resends (4; json: 0)", 0],
} as const;

/** The flags that miner and client share with every speaker of LSP. */
export const LSP_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  Object.entries(PARAMS).map(([name, [, help]]) => [name, { value: "N", help }]),
);

/** The flag that chooses the wire, for those who dial. */
export const WIRE_FLAG: Flag = {
  value: "WIRE",
  help: "cbor (native), or json for a classic peer (cbor)",
};

const HELP_FLAG: Flag = { help: "show this" };

/** Reads `argv`; with `--help` prints the help and ends the program. Throws {@link UsageError}. */
export function readCommandLine(usage: Usage, argv: readonly string[]): CommandLine {
  const flags: Record<string, Flag> = { ...usage.flags, help: HELP_FLAG };
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => {
      return [name, { type: value === undefined ? ("boolean" as const) : ("string" as const) }];
    }),
  );
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(whyUnparsed((error as Error).message, argv));
  }
  const { values, positionals } = parsed;
  if (values["help"] === true) {
    process.stdout.write(helpText(usage));
    process.exit(0);
  }
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

/** What `parseArgs` said, as one short line in our style. */
function whyUnparsed(text: string, argv: readonly string[]): string {
  const first = text.split(/\.\s|\n/)[0]!.replace(/\.$/, "");
  const line = first[0]!.toLowerCase() + first.slice(1);
  // We have no flags of one letter: such an argument was meant as a message or a number.
  const dashed = argv.find((arg) => /^-[^-]/.test(arg));
  if (dashed === undefined || !line.startsWith("unknown option")) return line;
  return `unknown option '${dashed}'; an argument that begins with "-" goes behind "--"`;
}

/** What `--help` prints. */
export function helpText({ name, takes, about, flags }: Usage): string {
  const rows = Object.entries<Flag>({ ...flags, help: HELP_FLAG });
  const left = rows.map(
    ([flag, { value }]) => `--${flag}${value === undefined ? "" : ` ${value}`}`,
  );
  const width = Math.max(...left.map((text) => text.length));
  const lines = rows.map(([, { help }], i) => `  ${left[i]!.padEnd(width)}  ${help}`);
  return `usage: bun run ${name}.ts ${takes}\n\n${about}\n\n${lines.join("\n")}\n`;
}

// ---- values

/** A whole number of `name` from `least` to `most`. Throws {@link UsageError}. */
export function wholeNumber(name: string, text: string, least: bigint, most: bigint): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} is "${text}", expected a whole number ${least}..${most}`);
}

/** A nonce. Throws {@link UsageError}. */
export function nonce(name: string, text: string): bigint {
  return wholeNumber(name, text, 0n, MAX_UINT64);
}

/** A port; 0, where it is allowed, picks a free one. Throws {@link UsageError}. */
export function port(text: string, least = 1n): number {
  return Number(wholeNumber("PORT", text, least, 65_535n));
}

/** A hash as 16 hexadecimal digits. Throws {@link UsageError}. */
export function hexHash(name: string, text: string): bigint {
  if (/^[0-9a-f]{16}$/i.test(text)) return BigInt(`0x${text}`);
  throw new UsageError(`${name} is "${text}", expected 16 hexadecimal digits`);
}

/** `HOST:PORT`, HOST a name, an IPv4 or an IPv6 address in brackets. Throws {@link UsageError}. */
export function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.%\w]+)\]|([^:[\]\s]+)):(\d+)$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined) return { host, port: port(match![3]!) };
  throw new UsageError(`the server is "${text}", expected HOST:PORT (an IPv6 HOST as [HOST])`);
}

/** The wire that `--wire` asks for. Throws {@link UsageError}. */
export function wireFlag(line: CommandLine): Wire {
  const wire = line.flag("wire") ?? "cbor";
  if (wire === "cbor" || wire === "json") return wire;
  throw new UsageError(`--wire is "${wire}", expected cbor or json`);
}

/** The parameters of LSP that were given. Throws {@link UsageError}. */
export function lspParams(line: CommandLine): Params {
  const given: Record<string, number> = {};
  for (const [flag, [field, , least]] of Object.entries(PARAMS)) {
    const text = line.flag(flag);
    if (text === undefined) continue;
    given[field] = Number(wholeNumber(`--${flag}`, text, BigInt(least), 1_000_000_000n));
  }
  const { windowSize, maxUnackedMessages } = given;
  if (windowSize !== undefined && maxUnackedMessages! > windowSize) {
    throw new UsageError(`--max-unacked-messages is above --window-size ${windowSize}`);
  }
  return given;
}

// ---- running and ending

/** Whether a signal has come: then it decides when and how the program exits. */
let ending = false;

/** Set for a script that is to end when the program that started it is gone, however it went. */
export const WITH_PARENT = "MOTHERLODE_WITH_PARENT";
/** How often such a script looks. */
const PARENT_MILLIS = 500;

/** Ends this program when its parent is gone: an orphan is given another one. */
function endWithParent(): void {
  const parent = process.ppid;
  const look = (): void => void (process.ppid === parent || process.exit(1));
  setInterval(look, PARENT_MILLIS).unref();
}

/** Runs a script's main function; what it throws becomes one line and an exit code. */
export async function runScript(name: string, main: () => Promise<number>): Promise<never> {
  let code = 1;
  if (process.env[WITH_PARENT] !== undefined) endWithParent();
  try {
    code = await main();
    if (ending) return await new Promise<never>(() => {});
  } catch (error) {
    if (ending) return await new Promise<never>(() => {});
    const hint = error instanceof UsageError ? ` (bun run ${name}.ts --help)` : "";
    process.stderr.write(`${name}: ${oneLine((error as Error).message)}${hint}\n`);
    if (error instanceof UsageError) code = 2;
  }
  process.exit(code);
}

/**
 * On Ctrl-C or SIGTERM runs `goodbye` and exits with 130 or 143, at the latest after two seconds;
 * a second signal ends the program at once.
 */
export function onSignal(goodbye: () => Promise<unknown>): void {
  for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
    process.on(signal, () => {
      if (ending) process.exit(code);
      ending = true;
      setTimeout(() => process.exit(code), GOODBYE_MILLIS);
      const exit = (): never => process.exit(code);
      goodbye().then(exit, exit);
    });
  }
}

/** `text` without control characters: what a stranger wrote must not steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ").trim();
}
