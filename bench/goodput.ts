/**
 * LSP on a bad path: 20 ms, 50 Mbit/s, a queue of 64 KiB, random loss both ways. In virtual time by
 * default; `--real` sends the same through bench/relay.ts, in processes of their own.
 *
 *   bun run bench/goodput.ts [--real] [--seeds 100] [--baseline tests/data/stream_baseline.json]
 *
 * With `--baseline FILE` it writes there what tests/lsp/congestion_test.ts compares with.
 *
 * @module
 */
import { NewReno } from "../lsp/congestion.ts";
import { runReal } from "./goodput_real.ts";
import { benchOptions, count } from "./options.ts";
import {
  type Goodput,
  type GoodputOptions,
  PATH,
  runGoodput,
  runOneLoss,
  runStream,
} from "./virtual_runs.ts";

const LOSSES = [0.01, 0.05, 0.2];
const STREAM_LOSSES = [0, 0.1, 0.2, 0.3, 0.35, 0.5];
/** Seeds that the test runs again. */
const BASELINE_SEEDS = 10;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const mean = (numbers: readonly number[]): number =>
  numbers.reduce((a, b) => a + b, 0) / numbers.length;
const show = (rows: object[]): void => console.log(Bun.inspect.table(rows, { colors: false }));

function goodputRow(what: string, loss: number, run: Goodput): object {
  const { mbits, ratio, jain, overflow, duplicates } = run;
  const range = [Math.min(...mbits), Math.max(...mbits)].map((rate) => rate.toFixed(1));
  return {
    what,
    loss: percent(loss),
    "Mbit/s each": [...new Set(range)].join(" .. "),
    "of link less loss": ratio.toFixed(3),
    "Jain index": jain.toFixed(3),
    overflow: percent(overflow),
    "came twice": Number.isNaN(duplicates) ? "" : percent(duplicates),
  };
}

function printGoodput(): void {
  const rows: object[] = [];
  const add = (what: string, options: GoodputOptions): number =>
    rows.push(goodputRow(what, options.loss, runGoodput(options)));
  for (const loss of LOSSES) add("1 flow", { loss });
  for (const loss of [0.01]) add("1 flow, NewReno", { loss, congestion: () => new NewReno() });
  const long = { flows: 2, measuredMs: 20_000 };
  for (const loss of [0, ...LOSSES]) add("2 flows", { loss, ...long });
  for (const loss of LOSSES)
    add("2 flows, one 1.9 s later", { loss, ...long, startsMs: [0, 1900] });
  add("20 flows", { loss: 0.01, flows: 20, measuredMs: 20_000 });
  add("5 flows, 1 Mbit/s", { ...long, loss: 0.01, flows: 5, bitsPerSecond: 1e6 });
  add("1 flow, 1 Gbit/s, 1 ms", { loss: 0, bitsPerSecond: 1e9, rttMs: 1, queueBytes: 262_144 });
  show(rows);
}

function printOneLoss(): void {
  const rows = [1, 5].map((everyMs) => {
    const { smoothMs, lossyMs } = runOneLoss(everyMs);
    const addedMs = lossyMs - smoothMs;
    return {
      "a message every": `${everyMs} ms`,
      "added by one loss": `${addedMs.toFixed(1)} ms`,
      "in round trips": (addedMs / PATH.rttMs).toFixed(2),
    };
  });
  show(rows);
}

/** The table of streams; answers what the test compares with. */
function printStreams(seeds: number): object {
  const baseline: Record<string, number> = {};
  const rows = STREAM_LOSSES.map((loss) => {
    const runs = Array.from({ length: seeds }, (_, seed) => runStream(loss, seed));
    const tooks = runs.map(({ tookMs }) => tookMs).filter((tookMs) => tookMs !== undefined);
    tooks.sort((a, b) => a - b);
    const first = runs.slice(0, BASELINE_SEEDS).map(({ tookMs }) => tookMs ?? Infinity);
    baseline[String(loss)] = Math.round(mean(first) * 10) / 10;
    return {
      loss: percent(loss),
      complete: `${tooks.length} of ${seeds}`,
      "wrong messages": runs.reduce((sum, { wrong }) => sum + wrong, 0),
      "median ms": Math.round(tooks[tooks.length >> 1]!),
      "mean ms": Math.round(mean(tooks)),
      "longest ms": Math.round(tooks.at(-1)!),
    };
  });
  show(rows);
  return { seeds: BASELINE_SEEDS, meanMsByLoss: baseline };
}

async function printReal(): Promise<void> {
  const rows: object[] = [];
  for (const flows of [1, 2]) {
    for (const loss of LOSSES) {
      const run = await runReal(loss, flows, flows === 1 ? 10_000 : 20_000);
      rows.push(goodputRow(`${flows === 1 ? "1 flow" : "2 flows"}, real UDP`, loss, run));
    }
  }
  show(rows);
}

async function main(): Promise<void> {
  const options = benchOptions(import.meta.path, {
    real: { help: "over real UDP, each end in its own process" },
    seeds: count(100, "runs of each stream"),
    baseline: { value: "FILE", help: "write the medians of the streams there" },
  });
  if (options.has("real")) return printReal();
  console.log("Goodput of 1,000-byte messages, virtual time");
  printGoodput();
  console.log("What one lost datagram adds");
  printOneLoss();
  console.log("1,000 messages of 1,000 bytes, connecting included, K = 20");
  const baseline = printStreams(options.number("seeds"));
  const file = options.text("baseline");
  if (file !== undefined) {
    await Bun.write(file, `${JSON.stringify(baseline, null, 2)}\n`);
  }
}

if (import.meta.main) await main();
