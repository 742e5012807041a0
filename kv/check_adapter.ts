/**
 * `kv.ts check FILE`: reads a history, and prints the verdict on it.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import type { CommandLine, Usage } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { writeWhole } from "../run/whole_file.ts";
import { HistoryError, readHistory } from "./history.ts";
import { violationHtml } from "./history_html.ts";
import { KV_MODEL, type KvOp } from "./kv_model.ts";
import { DEFAULT_BUDGET, type Operation } from "./linearize.ts";
import { checkHistory, violationText } from "./verdict.ts";

const TIMEOUT_SECONDS = "60";

export const CHECK_USAGE: Usage = {
  name: "kv",
  takes: "check FILE",
  count: [1, 1],
  about: `Says whether a history of operations on keys is linearizable. FILE (- for stdin) has an
operation a line, for example:
  {"client":0,"key":"x","op":"get","value":null,"version":0,"call":12.5,"return":13.1}
Exit 0: linearizable; 3: not linearizable; 4: unknown; 2: FILE cannot be read.`,
  flags: {
    html: { value: "FILE", help: "draw what cannot be linearized, as a page" },
    timeout: { value: "SECONDS", help: `search no longer, then say unknown (${TIMEOUT_SECONDS})` },
    json: { help: "print the verdict as JSON" },
    quiet: { help: "do not print what cannot be linearized" },
    steps: { value: "N", help: `search no further than N steps (${DEFAULT_BUDGET.stepsMax})` },
  },
};

/** Runs the verb; the exit code. */
export async function runCheck(line: CommandLine): Promise<number> {
  const operations = await historyOf(line.positionals[0]!);
  const timeoutMs = seconds("--timeout", line.flag("timeout") ?? TIMEOUT_SECONDS);
  const steps = line.flag("steps") ?? String(DEFAULT_BUDGET.stepsMax);
  const stepsMax = Number(wholeNumber("--steps", steps, 1n, 10n ** 12n));
  const endMs = performance.now() + timeoutMs;
  const isOver = (): boolean => performance.now() > endMs;
  const found = checkHistory(operations, { ...DEFAULT_BUDGET, stepsMax, isOver });
  const { verdict, violation } = found;
  const count = operations.length;
  const summary = { verdict, operations: count, steps: found.steps };
  await printResult(`${line.has("json") ? JSON.stringify(summary) : verdict}\n`);
  if (violation !== undefined) {
    const page = line.flag("html");
    if (page !== undefined) await writeWhole(page, [violationHtml(violation, KV_MODEL.describe)]);
    const text = violationText(violation, KV_MODEL.describe);
    if (!line.has("quiet")) process.stderr.write(`${text}\n`);
  } else if (verdict === "unknown" && !line.has("quiet")) {
    process.stderr.write(`kv: the search ended after ${found.steps} steps without being certain\n`);
  }
  return verdict === "linearizable" ? 0 : verdict === "unknown" ? 4 : 3;
}

async function historyOf(path: string): Promise<Operation<KvOp>[]> {
  let bytes: Uint8Array;
  try {
    bytes = path === "-" ? await Bun.stdin.bytes() : await readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return readHistory(text);
  } catch (error) {
    const why = error instanceof HistoryError ? error.message : "it is not UTF-8";
    throw new UsageError(`cannot read ${path}: ${why}`);
  }
}
