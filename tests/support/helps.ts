/**
 * What programs, tools and benchmarks say to `--help`: each is asked once, for all tests that read
 * it.
 *
 * @module
 */
import { type Ended, runScriptToEnd } from "./processes.ts";

const told = new Map<string, Promise<Ended>>();

/** What `bun FILE VERB --help` comes to; `file` is a path from the project's root. */
export function helpOf(file: string, ...verb: readonly string[]): Promise<Ended> {
  const command = [file, ...verb, "--help"];
  const key = command.join(" ");
  const help = told.get(key) ?? runScriptToEnd(file, command.slice(1));
  told.set(key, help);
  return help;
}
