/**
 * A miner: `bun run miner.ts [HOST:PORT]`. Joins a server and searches what it is assigned, on all
 * cores. When the server is lost it comes back, for ever, unless told `--once`.
 *
 * Tells on stderr what a person cares for; stdout stays empty.
 *
 * @module
 */
import { oneLine } from "./base/text.ts";
import { GUEST_FLAGS, guestOf } from "./mapreduce/guest_flags_adapter.ts";
import { isTaskProcess, serveTasks } from "./mapreduce/runner_worker.ts";
import {
  benchReport,
  declareGuardedMain,
  KERNEL_NAMES,
  mine,
  userCacheDirectory,
  whyNoKernel,
} from "./miner/mod.ts";
import { BOTH_WIRES_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "./peer/flags.ts";
import { typedServers } from "./peer/targets.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { Failure, UsageError } from "./run/errors.ts";
import { DEFAULT_PORT, wholeNumber } from "./run/flags.ts";
import { usableCores } from "./run/machine_limits.ts";
import { printResult } from "./run/output.ts";
import { Display } from "./run/progress.ts";
import { onSignal, runScript } from "./run/signals.ts";
import { showRate } from "./miner/show_adapter.ts";

/** More threads than any machine has cores: a slip of the finger, not a wish. */
const THREADS_MAX = 1024n;

const USAGE: Usage = {
  name: "miner",
  takes: "[HOST[:PORT][,HOST[:PORT]…]] | bench",
  count: [0, 1],
  about:
    `Searches nonces for the server at HOST:PORT (127.0.0.1:${DEFAULT_PORT}), or for the leader of\n` +
    "several. " +
    "With bench it measures this machine's kernels instead, and prints a table.",
  flags: {
    threads: { value: "N", help: `hashing threads (one a usable core, here ${usableCores()})` },
    kernel: { value: "NAME", help: `how to hash: ${KERNEL_NAMES.join(", ")} (auto)` },
    gpu: { help: "hash on a graphics processor instead (needs bun-webgpu, see docs/kernels.md)" },
    niceness: { value: "HOW", help: "low: step back for other programs, or normal (low)" },
    name: { value: "TEXT", help: "what the server calls this miner (the name of the machine)" },
    ...GUEST_FLAGS,
    once: { help: "exit with 1 when the server is lost or does not answer" },
    quiet: { help: "say nothing but warnings" },
    wire: WIRE_FLAG,
    ...BOTH_WIRES_FLAGS,
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const cacheDirectory = userCacheDirectory();
  const cache = cacheDirectory === undefined ? {} : { cacheDirectory };
  if (line.positionals[0] === "bench") {
    declareGuardedMain();
    const onWarning = (text: string): void => void process.stderr.write(`${oneLine(text)}\n`);
    await printResult(await benchReport({ ...cache, onWarning }));
    return 0;
  }
  const servers = typedServers(line.positionals[0] ?? "127.0.0.1");
  const threads = line.flag("threads");
  const kernel = line.flag("kernel");
  const whyNot = kernel === undefined ? undefined : whyNoKernel(kernel);
  if (whyNot !== undefined) throw new UsageError(`--kernel is "${kernel}": ${whyNot}`);
  const name = line.flag("name");
  const niceness = line.flag("niceness") ?? "low";
  if (niceness !== "low" && niceness !== "normal") {
    throw new UsageError(`--niceness is "${niceness}", expected low or normal`);
  }
  declareGuardedMain();
  const display = new Display({ quiet: line.has("quiet") });
  const log = (text: string, level: "info" | "warn"): void => {
    if (level === "info") return display.line(oneLine(text));
    display.clear();
    process.stderr.write(`${oneLine(text)}\n`);
  };
  const miner = mine({
    guest: guestOf(line, servers, Number(threads ?? usableCores()), log),
    servers,
    wire: wireFlag(line),
    params: lspParams(line),
    once: line.has("once"),
    ...(name !== undefined && { name }),
    niceness,
    gpu: line.has("gpu"),
    ...(threads !== undefined && {
      threads: Number(wholeNumber("--threads", threads, 1n, THREADS_MAX)),
    }),
    ...(kernel !== undefined && { kernel }),
    ...cache,
    log,
  });
  onSignal(() => miner.close());
  showRate(miner, display);
  const reason = await miner.ended;
  display.clear();
  throw new Failure(reason);
}

// In a compiled program its threads run this file too, and as its main module.
if (import.meta.main && Bun.isMainThread) {
  if (isTaskProcess()) await serveTasks();
  else await runScript(USAGE.name, main);
}
