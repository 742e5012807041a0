/**
 * Programs with several verbs, `PROGRAM VERB ARGUMENTS`: which verb a command line begins with, and
 * the exit codes that they share.
 *
 * @module
 */
import { type CommandLine, readCommandLine, type Usage } from "./args.ts";

/** A clean "no": no such key or job, a condition or a target that is not met. */
export const EXIT_NO = 3;
/** It may have been done, or the time is over. */
export const EXIT_UNKNOWN = 4;

/** A verb of a program; `run` gives the exit code. */
export interface Verb {
  readonly usage: Usage;
  readonly run: (line: CommandLine) => Promise<number>;
}

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
  return verb && (await verb.run(readCommandLine(verb.usage, rest)));
}
