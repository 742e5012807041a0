/**
 * How long a small job takes on an idle, warm fleet: from submit (connecting included) to answer,
 * against the bare kernel's time for the same nonces on one thread, in turns, in medians.
 *
 * `bun run bench/latency.ts [--nonces 1000000] [--rounds 41] [--threads N]`
 *
 * @module
 */
import { submit } from "../client/mod.ts";
import { chooseKernel, mine } from "../miner/mod.ts";
import { usableCores } from "../run/machine_limits.ts";
import { serve } from "../server/mod.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";

const FIRST_NONCE = 100_000_000n;

const options = benchOptions(import.meta.path, {
  nonces: count(1_000_000, "nonces of a job"),
  rounds: count(41, "jobs"),
  threads: count(usableCores(), "hashing threads"),
});
const nonces = BigInt(options.number("nonces"));
const rounds = options.number("rounds");
const upper = FIRST_NONCE + nonces - 1n;

await using server = await serve({ port: 0 });
const { host, port } = server;
const { kernel } = await chooseKernel();
const threads = options.number("threads");
await using _miner = mine({ host, port, threads, kernel: kernel.name });
// The first jobs warm the fleet up: they wait for the miner and bring its measured rate.
for (let i = 0; i < 10; i++) {
  await submit({ host, port, message: "warm up", lower: FIRST_NONCE, upper }).answer;
}

const fleet: number[] = [];
const bare: number[] = [];
for (let round = 0; round < rounds; round++) {
  const message = `job ${round % 10}`;
  const startMs = performance.now();
  await submit({ host, port, message, lower: FIRST_NONCE, upper }).answer;
  const betweenMs = performance.now();
  kernel.bind(new TextEncoder().encode(message)).search(FIRST_NONCE, upper);
  fleet.push(betweenMs - startMs);
  bare.push(performance.now() - betweenMs);
}
const [fleetMs, bareMs] = [median(fleet), median(bare)];
console.log(
  `${nonces} nonces, ${threads} threads, kernel ${kernel.name}: submit to answer ` +
    `${fleetMs.toFixed(1)} ms, bare kernel on one thread ${bareMs.toFixed(1)} ms, ` +
    `difference ${(fleetMs - bareMs).toFixed(1)} ms (medians of ${rounds})`,
);
