/**
 * Proves somebody's squarer: `bun run channels/check.ts FILE`. FILE exports `class Squarer` with
 * the two methods of a `SquarerLike`, and gets its channels from channels/mod.ts.
 *
 * Prints a line a property on stdout; exit code 0 if all hold, 1 if one does not, 2 if FILE cannot
 * be used.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { oneLine } from "../base/text.ts";
import { readCommandLine, type Usage } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { onSignal, runScript } from "../run/signals.ts";
import { Channel } from "./adapter.ts";
import type { CheckNews, CheckOrder } from "./check_worker.ts";
import { PROPERTIES, type Verdict } from "./suite_adapter.ts";

/** A thread that yields gives a sign of life many times in this time. */
const SILENCE_MS = 8000;
const STUCK = `gave no sign of life for ${SILENCE_MS / 1000} s: it blocks its thread`;

const USAGE: Usage = {
  name: "channels/check",
  takes: "FILE",
  count: [1, 1],
  about: "Checks that the class Squarer of FILE keeps what a squarer promises (docs/channels.md).",
  flags: {
    times: { value: "N", help: "run the suite N times (1)" },
    seed: { value: "N", help: "of the numbers and pauses of the first run (1)" },
    json: { help: "print a JSON object a line" },
    quiet: { help: "print only what fails" },
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const file = line.positionals[0]!;
  if (!existsSync(file)) throw new UsageError(`FILE is "${oneLine(file)}": there is no such file`);
  const times = Number(wholeNumber("--times", line.flag("times") ?? "1", 1n, 1_000_000n));
  const seed = Number(wholeNumber("--seed", line.flag("seed") ?? "1", 0n, 2n ** 52n));
  onSignal(() => Promise.resolve());
  const print = async (round: number, verdict: Verdict): Promise<void> => {
    if (verdict.why === undefined && line.has("quiet")) return;
    await printResult(`${verdictLine(verdict, seed + round, line.has("json"))}\n`);
  };
  const order = { module: pathToFileURL(resolve(file)).href, seed, times };
  return (await judge(order, file, print)) ? 0 : 1;
}

function verdictLine({ property, why }: Verdict, seed: number, json: boolean): string {
  if (json) return JSON.stringify({ property, holds: why === undefined, seed, why });
  return why === undefined ? `holds   ${property}` : `broken  ${property}: ${oneLine(why)}`;
}

/** Runs the suite in a thread, printing each verdict; whether all properties held. */
async function judge(
  order: CheckOrder,
  file: string,
  print: (round: number, verdict: Verdict) => Promise<void>,
): Promise<boolean> {
  const worker = new Worker(new URL("./check_worker.ts", import.meta.url));
  const all = new Channel<CheckNews>(Infinity);
  const take = (news: CheckNews): void => {
    if (news.kind === "alive") silence.refresh();
    else all.trySend(news);
  };
  const silence = setTimeout(() => take({ kind: "stuck", why: STUCK }), SILENCE_MS);
  worker.addEventListener("message", ({ data }: MessageEvent<CheckNews>) => take(data));
  worker.addEventListener("error", ({ message }) => {
    take({ kind: "stuck", why: `threw where nobody catches: ${message}` });
  });
  worker.postMessage(order);
  let held = true;
  let told = 0;
  for await (const news of all) {
    if (news.kind === "done") return held;
    if (news.kind === "unusable") throw new UsageError(`cannot use ${oneLine(file)}: ${news.why}`);
    if (news.kind === "alive") continue;
    const { verdict, round } = news.kind === "verdict" ? news : stuckAt(told, news.why);
    await print(round, verdict);
    if (news.kind === "stuck") return false;
    told++;
    held &&= verdict.why === undefined;
  }
  return false;
}

/** The verdict on the property after `told` others, which did not come to an end. */
function stuckAt(told: number, why: string): { round: number; verdict: Verdict } {
  const property = PROPERTIES[told % PROPERTIES.length]!;
  return { round: Math.floor(told / PROPERTIES.length), verdict: { property, why } };
}

if (import.meta.main && Bun.isMainThread) await runScript(USAGE.name, main);
