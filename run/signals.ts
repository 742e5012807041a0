/**
 * How a script runs and ends: what it throws becomes one line and an exit code, and a signal a
 * clean goodbye.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a clean "no", 4 unknown or timed out; 129, 130,
 * 143 ended by SIGHUP, SIGINT, SIGTERM.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { OptionError } from "../base/options.ts";
import { oneLine } from "../base/text.ts";
import { UsageError } from "./errors.ts";
import { invocation } from "./invocation.ts";
import { allPrinted, whenUnprinted } from "./output.ts";
import { meantVerb } from "./verbs.ts";
import { whyTooOld } from "./version.ts";

/** How long a clean end may take: a peer that is gone too would otherwise be waited for. */
const GOODBYE_MS = 2000;

/** Characters of an error's line. */
const LINE_MAX = 4000;

/** The signals that end a program, with their exit codes. */
const SIGNALS = [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const;

/** Whether a signal has come: then it decides when and how the program exits. */
let ending = false;
/** What the program is called in its own lines, and how it says goodbye. */
let called = "";
let leave = (): Promise<unknown> => Promise.resolve();

/** Set for a script that is to end when the program that started it is gone, however it went. */
export const WITH_PARENT = "MOTHERLODE_WITH_PARENT";
/** How often such a script looks. */
const PARENT_MS = 500;

/** Ends this program when its parent is gone: an orphan is given another one. */
function endWithParent(): void {
  const parent = process.ppid;
  const look = (): void => void (process.ppid === parent || process.exit(1));
  setInterval(look, PARENT_MS).unref();
}

/** Runs a script's main function; what it throws becomes one line and an exit code. */
export async function runScript(name: string, main: () => Promise<number>): Promise<never> {
  let code = 1;
  called = name;
  const old = whyTooOld();
  if (old !== undefined) {
    process.stderr.write(`${name}: ${old}\n`);
    process.exit(1);
  }
  if (process.env[WITH_PARENT] !== undefined) endWithParent();
  try {
    whenUnprinted(endFailed);
    code = await main();
    await allPrinted();
    if (ending) return await new Promise<never>(() => {});
  } catch (error) {
    if (ending) return await new Promise<never>(() => {});
    const isUsage = error instanceof UsageError || error instanceof OptionError;
    const verb = error instanceof UsageError ? error.verb : undefined;
    const meant = isUsage && verb === undefined ? meantVerb() : undefined;
    const maybe = meant === undefined ? "" : `; did you mean ${meant}?`;
    const words = isUsage ? [invocation(name), verb, "--help"] : [];
    const hint = words.length === 0 ? "" : ` (${words.filter(Boolean).join(" ")})`;
    process.stderr.write(`${name}: ${lineOf(error as Error)}${maybe}${hint}\n`);
    if (isUsage) code = 2;
  }
  process.exit(code);
}

/** Whether SIGHUP was ignored at the start, as `nohup` has it; known on Linux only. */
function hangUpIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return mask !== null && (BigInt(`0x${mask[1]!}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

/**
 * On SIGHUP, SIGINT or SIGTERM runs `goodbye` and exits with 129, 130 or 143, at the latest after
 * two seconds; a second signal ends the program at once. Under `nohup` SIGHUP stays ignored.
 */
export function onSignal(goodbye: () => Promise<unknown>): void {
  leave = goodbye;
  for (const [signal, code] of SIGNALS) {
    if (signal === "SIGHUP" && hangUpIgnored()) continue;
    process.on(signal, () => {
      if (ending) process.exit(code);
      end(code);
    });
  }
}

/** Ends the program as a signal does, but with one line and exit code 1. */
function endFailed(error: Error): void {
  if (ending) return;
  process.stderr.write(`${called}: ${lineOf(error)}\n`);
  end(1);
}

/** The message of an error as a line; what a user typed, and it repeats, may be very long. */
function lineOf({ message }: Error): string {
  const line = oneLine(message);
  return line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX)} ...`;
}

function end(code: number): void {
  ending = true;
  setTimeout(() => process.exit(code), GOODBYE_MS);
  const exit = (): never => process.exit(code);
  leave().then(exit, exit);
}
