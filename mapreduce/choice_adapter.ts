/**
 * The application that a user names: a built-in one, or a file, which is made one module.
 *
 * @module
 */
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { oneLine } from "../base/text.ts";
import { UsageError } from "../run/errors.ts";
import { builtin } from "./builtin.ts";
import { BUILTIN_NAMES } from "./code_name.ts";
import type { ApplicationChoice } from "./job_types.ts";
import { BYTE_SPLIT_BYTES, LINE_BYTES_MAX } from "./limits.ts";
import { Runner } from "./runner_adapter.ts";

/** An application that was looked at. */
export interface Chosen {
  readonly choice: ApplicationChoice;
  /** About how large its splits are. */
  readonly splitBytes: number;
  readonly countLines: boolean;
  /** The module's text, of a user's application. */
  readonly code?: string;
}

/** How long a module may take until it says what it exports. */
const INSPECT_MS = 30_000;

/**
 * Looks at the application `name`; a user's module is written into `directory`. Throws
 * {@link UsageError} when there is none, and says what is wrong with it.
 */
export async function chooseApplication(name: string, directory: string): Promise<Chosen> {
  let known;
  try {
    known = builtin(name);
  } catch (error) {
    throw new UsageError(`the application is "${name}": ${oneLine((error as Error).message)}`);
  }
  if (known !== undefined) {
    const countLines = known.needsLines === true;
    return { choice: { builtin: name }, splitBytes: BYTE_SPLIT_BYTES, countLines };
  }
  if (!existsSync(name)) {
    const expected = `expected ${BUILTIN_NAMES} or a TypeScript file`;
    throw new UsageError(`there is no application "${name}", ${expected}`);
  }
  const code = await bundled(name);
  const module = join(directory, "application.mjs");
  writeFileSync(module, code);
  const traits = await inspect(name, module);
  const splitBytes = traits.wholeFiles
    ? Infinity
    : traits.bytes
      ? BYTE_SPLIT_BYTES
      : LINE_BYTES_MAX;
  return { choice: { module }, splitBytes, countLines: false, code };
}

async function bundled(file: string): Promise<string> {
  const result = await Bun.build({
    entrypoints: [resolve(file)],
    target: "bun",
    format: "esm",
    throw: false,
  });
  const [output, ...others] = result.outputs;
  if (result.success && output !== undefined && others.length === 0) return await output.text();
  const [log] = result.logs;
  const line = log?.position === null || log === undefined ? "" : `, line ${log.position.line}`;
  const why = log === undefined ? "it is more than one file" : oneLine(log.message);
  throw new UsageError(`cannot build the application "${file}"${line}: ${why}`);
}

async function inspect(
  name: string,
  module: string,
): Promise<{ readonly bytes: boolean; readonly wholeFiles: boolean }> {
  const runner = new Runner({ isolated: true, timeoutMs: INSPECT_MS });
  try {
    const end = await runner.run({ kind: "inspect", module });
    if (end.kind === "inspected") return end;
    const why = end.kind === "threw" || end.kind === "died" ? end.text : end.kind;
    throw new UsageError(`"${name}" is no application: ${oneLine(why.split("\n")[0]!)}`);
  } finally {
    runner.close();
  }
}
