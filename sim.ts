/**
 * The simulator: `bun run sim.ts --seed N [--seeds K]`. Runs the protocol and the fleet, the very
 * code that runs on sockets, on a simulated network and clock, with faults drawn from the seed. A
 * failing seed prints the rule that was broken, what was drawn, the last events, and the command
 * that replays it. docs/simulator.md tells what is modelled.
 *
 * @module
 */
import { readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { runScript } from "./run/signals.ts";
import { type Harness, HARNESSES, replay, runCampaign, summary } from "./sim/engine/campaign.ts";
import { plantFrom, PLANTS } from "./sim/engine/plant.ts";

const USAGE: Usage = {
  name: "sim",
  takes: "",
  count: [0, 0],
  about:
    "Simulates LSP, the fleet and Raft under faults drawn from a seed. Exit 1: a seed failed.\n" +
    `MOTHERLODE_PLANT=${PLANTS.join("|")} plants a fault to be caught.`,
  flags: {
    seed: { value: "N", help: "the first seed, 0 or more (1)" },
    seeds: { value: "K", help: "how many seeds from there on (1)" },
    only: { value: "HARNESS", help: "lsp, fleet or raft (all)" },
    trace: { help: "print everything that happens" },
  },
};

/** Transcript lines kept with `--trace`. */
const TRACE_LINES_MAX = 200_000;

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${name} ${text}: expected a whole number of at least ${least}`);
}

function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const first = wholeNumber("seed", line.flag("seed") ?? "1", 0);
  const count = wholeNumber("seeds", line.flag("seeds") ?? "1", 1);
  const only = line.flag("only");
  const harnesses = HARNESSES.filter((name) => only === undefined || name === only);
  if (harnesses.length === 0) throw new UsageError(`--only ${only}: expected lsp, fleet or raft`);
  let plant;
  try {
    plant = plantFrom(process.env);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  let failed = 0;
  for (const harness of harnesses) {
    if (line.has("trace")) failed += replayAll(harness, seeds, plant, print);
    else {
      const result = runCampaign(harness, seeds, plant, print);
      failed += result.failedSeeds.length;
      print(summary(result));
    }
  }
  return Promise.resolve(failed === 0 ? 0 : 1);
}

function replayAll(
  harness: Harness,
  seeds: readonly number[],
  plant: ReturnType<typeof plantFrom>,
  print: (text: string) => void,
): number {
  let failed = 0;
  for (const seed of seeds) {
    const { report, lines } = replay(harness, seed, plant, TRACE_LINES_MAX);
    print(`${harness} seed ${seed}\ndrawn: ${report.drawn}`);
    for (const text of lines) print(text);
    print(report.failure === undefined ? "good" : `failed: ${report.failure}`);
    if (report.failure !== undefined) failed++;
  }
  return failed;
}

if (import.meta.main) await runScript(USAGE.name, main);
