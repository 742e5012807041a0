/**
 * Programs with several verbs, `PROGRAM VERB ARGUMENTS`: which verb a command line begins with, and
 * the exit codes that they share.
 *
 * @module
 */
import { type CommandLine, readCommandLine, type Usage } from "./args.ts";
import type { CodedError } from "../base/coded_error.ts";
import { nearest } from "../base/text.ts";
import { Failure, UsageError } from "./errors.ts";
import { SERVERS } from "./verb_values.ts";

/** A clean "no": no such key or job, a condition or a target that is not met. */
export const EXIT_NO = 3;
/** It may have been done, or the time is over. */
export const EXIT_UNKNOWN = 4;

/** A verb of a program; `run` gives the exit code. */
export interface Verb {
  readonly usage: Usage;
  readonly run: (line: CommandLine) => Promise<number>;
}

/**
 * The exit code of an operation on a store that failed, which a program called `name` says in a
 * line; throws a UsageError or a Failure for what has no code of its own.
 */
export function exitOf(name: string, { code, message }: CodedError<string>): number {
  if (code === "INVALID") throw new UsageError(message);
  if (code !== "UNKNOWN" && code !== "TIMED_OUT") throw new Failure(message);
  process.stderr.write(`${name}: ${message}\n`);
  return EXIT_UNKNOWN;
}

let meant: string | undefined;

/** The verb that the first argument was meant to be, perhaps: for a command line that is wrong. */
export const meantVerb = (): string | undefined => meant;

/** All verbs of a program, by name. */
export type Verbs = Readonly<Record<string, Verb>>;

/** The names of the verbs as a list in prose. */
export const verbNames = (verbs: Verbs): string => Object.keys(verbs).join(", ");

/**
 * Runs the verb that `argv` begins with, and gives its exit code; `undefined` if it begins with
 * none. Throws `UsageError` for what the verb does not take.
 */
export async function runVerb(verbs: Verbs, argv: readonly string[]): Promise<number | undefined> {
  const [name = "", ...rest] = argv;
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) {
    // Said only if the command line is wrong as it is: it may be a host.
    meant = /^[a-z]+$/.test(name) ? nearest(name, Object.keys(verbs)) : undefined;
    return undefined;
  }
  try {
    return await verb.run(readCommandLine(verb.usage, rest));
  } catch (error) {
    if (error instanceof UsageError) error.verb ??= name;
    throw error;
  }
}

/** A program whose verb `serve` may be left out in front of a port. */
export interface ServingProgram {
  readonly name: string;
  /** What it is, in one sentence. */
  readonly about: string;
  readonly verbs: Verbs & { readonly serve: Verb };
}

/** Runs the verb that `argv` names, and gives its exit code. Throws `UsageError`. */
export async function runServing(
  program: ServingProgram,
  argv: readonly string[],
): Promise<number> {
  const { name, about, verbs } = program;
  const done = await runVerb(verbs, argv);
  if (done !== undefined) return done;
  const summaries = Object.values(verbs).map(({ usage: { takes } }) => {
    return `  ${takes.replace(SERVERS, "SERVERS")}`;
  });
  const { flags } = verbs.serve.usage;
  const hint = `\`VERB --help\` says more of each verb; \`serve\`, whose flags these\nare, may be left out.`;
  const text = `${about} ${hint} SERVERS is ${SERVERS}.\n\n${summaries.join("\n")}`;
  const usage: Usage = { name, takes: "VERB …", count: [0, Infinity], about: text, flags };
  const { positionals } = readCommandLine(usage, argv);
  const isServe = positionals.every((word) => /^\d+$/.test(word));
  if (isServe) return await verbs.serve.run(readCommandLine(verbs.serve.usage, argv));
  const late = positionals.find((word) => Object.hasOwn(verbs, word));
  if (late !== undefined) throw new UsageError(`"${late}" must be the first argument`);
  throw new UsageError(`"${positionals[0]}" is no verb, expected one of ${verbNames(verbs)}`);
}
