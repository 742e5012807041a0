/**
 * The simulator: `bun run sim.ts --seed N [--seeds K]`. Runs the protocol, the fleet and whatever
 * else has a harness, the very code that runs on sockets, on a simulated network and clock, with
 * faults drawn from the seed. A failing seed prints the rule that was broken, what was drawn, the
 * last events, and the command that replays it. docs/simulator.md says what is modelled.
 *
 * @module
 */
import { readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { wholeNumber } from "./run/flags.ts";
import { printSoon } from "./run/output.ts";
import { runScript } from "./run/signals.ts";
import { replay, runCampaign, summary } from "./sim/engine/campaign.ts";
import type { Harness } from "./sim/engine/harness.ts";
import { harnessesNamed, HARNESSES } from "./sim/harnesses.ts";

const USAGE: Usage = {
  name: "sim",
  takes: "",
  count: [0, 0],
  about: [
    "Simulates cores on virtual time, under faults drawn from a seed. Exit 1: a seed failed.",
    ...HARNESSES.map(({ name, about, plants }) => {
      return `  ${name}: ${about}; plants ${Object.keys(plants).join(", ")}`;
    }),
  ].join("\n"),
  flags: {
    seed: { value: "N", help: "the first seed, 0 or more (1)" },
    seeds: { value: "K", help: "how many seeds from there on (1)" },
    only: { value: "HARNESS", help: "run that one (all)" },
    plant: { value: "FAULT", help: "plant a fault, to be caught" },
    bail: { help: "end with the first seed that fails" },
    trace: { help: "print everything that happens" },
  },
};

/** Larger seeds, and more of them, are no numbers that count. */
const SEED_MAX = 2n ** 52n;
const SEEDS_MAX = 10n ** 7n;
/** Transcript lines kept with `--trace`. */
const TRACE_LINES_MAX = 200_000;

/** The harnesses that are asked for, each of which has the fault to plant. */
function chosen(only: string | undefined, plant: string | undefined): Harness[] {
  const names = HARNESSES.map(({ name }) => name).join(", ");
  const all = only === undefined ? HARNESSES : harnessesNamed(only);
  if (all.length === 0) throw new UsageError(`--only ${only}: expected one of ${names}`);
  const able = all.filter(({ plants }) => plant === undefined || Object.hasOwn(plants, plant));
  if (able.length > 0) return [...able];
  const known = all.flatMap(({ plants }) => Object.keys(plants)).join(", ");
  throw new UsageError(`--plant ${plant}: expected one of ${known}`);
}

function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const first = Number(wholeNumber("--seed", line.flag("seed") ?? "1", 0n, SEED_MAX));
  const count = Number(wholeNumber("--seeds", line.flag("seeds") ?? "1", 1n, SEEDS_MAX));
  const plant = line.flag("plant");
  const bail = line.has("bail");
  const tell = (text: string) => printSoon(`${text}\n`);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  let failed = 0;
  for (const harness of chosen(line.flag("only"), plant)) {
    if (line.has("trace")) failed += replayAll(harness, seeds, plant, tell);
    else {
      const result = runCampaign(harness, seeds, { plant, bail, tell });
      failed += result.failedSeeds.length;
      tell(summary(result));
    }
    if (bail && failed > 0) break;
  }
  return Promise.resolve(failed === 0 ? 0 : 1);
}

function replayAll(
  harness: Harness,
  seeds: readonly number[],
  plant: string | undefined,
  tell: (text: string) => void,
): number {
  let failed = 0;
  for (const seed of seeds) {
    const { report, lines } = replay(harness, seed, plant, TRACE_LINES_MAX);
    tell(`${harness.name} seed ${seed}\ndrawn: ${report.drawn}`);
    for (const text of lines) tell(text);
    tell(report.failure === undefined ? "good" : `failed: ${report.failure}`);
    if (report.failure !== undefined) failed++;
  }
  return failed;
}

if (import.meta.main) await runScript(USAGE.name, main);
