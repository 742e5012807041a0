/**
 * What the fleet makes of its kernels: nonces a second of a whole fleet (server, LSP, one miner,
 * all as processes) against the sum of the bare kernels on as many threads, taken in turns so that
 * both meet the same machine.
 *
 * `bun run bench/fleet.ts [--rounds 7] [--seconds 10] [--threads N] [--kernel NAME]`
 *
 * @module
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { submit } from "../client/mod.ts";
import { chooseKernel, kernelNamed } from "../miner/mod.ts";
import { usableCores } from "../run/machine_limits.ts";
import { hostAndPort } from "../run/flags.ts";
import { readableRate } from "../work/readable.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { withUs } from "./processes.ts";

const MESSAGE = "motherlode bench";
/** Large enough for the longest run, and all of one length. */
const FIRST_NONCE = 10n ** 15n;
const BARE_BLOCK = 1n << 18n;

interface BareTask {
  readonly kernel: string;
  /** Raised to begin, and to stop. */
  readonly flag: Int32Array;
}

/** Searches with nothing around the kernel from the flag's 1 to its 2; reports the rate. */
function runBare({ kernel, flag }: BareTask): void {
  const searcher = kernelNamed(kernel)!.bind(new TextEncoder().encode(MESSAGE));
  searcher.search(FIRST_NONCE, FIRST_NONCE + BARE_BLOCK);
  parentPort!.postMessage("ready");
  Atomics.wait(flag, 0, 0);
  const startMs = performance.now();
  let next = FIRST_NONCE;
  while (Atomics.load(flag, 0) === 1) {
    searcher.search(next, next + BARE_BLOCK - 1n);
    next += BARE_BLOCK;
  }
  const seconds = (performance.now() - startMs) / 1000;
  parentPort!.postMessage(Number(next - FIRST_NONCE) / seconds);
}

/** Nonces a second of the bare kernel on `threads` threads at once. */
async function bareRate(kernel: string, threads: number, seconds: number): Promise<number> {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: threads }, () => {
    return new Worker(new URL(import.meta.url), { workerData: { kernel, flag } });
  });
  const next = (worker: Worker) => new Promise((resolve) => worker.once("message", resolve));
  await Promise.all(workers.map(next));
  const rates = Promise.all(workers.map(next));
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  await Bun.sleep(seconds * 1000);
  Atomics.store(flag, 0, 2);
  return ((await rates) as number[]).reduce((sum, rate) => sum + rate, 0);
}

async function fleetRate(host: string, port: number, nonces: bigint): Promise<number> {
  const [lower, upper] = [FIRST_NONCE, FIRST_NONCE + nonces - 1n];
  const startMs = performance.now();
  await submit({ host, port, message: MESSAGE, lower, upper }).answer;
  return Number(nonces) / ((performance.now() - startMs) / 1000);
}

function start(script: string, args: string[]): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const command = [process.execPath, path, ...args, "--quiet"];
  return Bun.spawn(withUs(command), { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
}

async function main(): Promise<void> {
  const options = benchOptions(import.meta.path, {
    rounds: count(7, "rounds, each with both contestants"),
    seconds: count(10, "how long a contestant runs in a round"),
    threads: count(usableCores(), "hashing threads"),
    kernel: { value: "NAME", help: "the kernel of both (the one that auto takes)" },
  });
  const [rounds, seconds, threads] = ["rounds", "seconds", "threads"].map(options.number) as [
    number,
    number,
    number,
  ];
  // The one that the miner would come to by itself, proved before it runs in this process.
  const kernel = options.text("kernel") ?? (await chooseKernel()).kernel.name;
  const server = start("server.ts", ["0"]);
  const { value } = await server.stdout.getReader().read();
  const { host, port } = hostAndPort(new TextDecoder().decode(value).trim().split(" ").at(-1)!);
  const chosen = ["--threads", String(threads), "--kernel", kernel];
  const miner = start("miner.ts", [`${host}:${port}`, ...chosen]);
  try {
    let expected = await bareRate(kernel, threads, 1);
    await fleetRate(host, port, BigInt(Math.round(expected)));
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const bare = await bareRate(kernel, threads, seconds);
      const fleet = await fleetRate(host, port, BigInt(Math.round(expected * seconds)));
      expected = bare;
      ratios.push(fleet / bare);
      const of = `fleet ${readableRate(fleet)}, bare kernels ${readableRate(bare)}`;
      console.log(`round ${round}: ${of}, ratio ${(fleet / bare).toFixed(3)}`);
    }
    console.log(`median ratio ${median(ratios).toFixed(3)} (${threads} threads, kernel ${kernel})`);
  } finally {
    miner.kill();
    server.kill();
  }
}

if (isMainThread) await main();
else runBare(workerData as BareTask);
