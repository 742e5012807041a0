/**
 * What this machine's graphics processor does: `bun run bench/gpu.ts` (needs bun-webgpu, see
 * docs/kernels.md). Nonces and headers a second, the time until a shape's shader is made, and how
 * soon a stop is answered and other work has the device.
 *
 * @module
 */
import { openGpu } from "../miner/gpu/gpu_native.ts";
import { GpuPool } from "../miner/gpu/gpu_pool_adapter.ts";
import { firstPace, GpuSearch, selfTestGpu } from "../miner/gpu/gpu_search_native.ts";
import { headerSubject, messageSubject, type Subject } from "../miner/gpu/tiles.ts";
import { median } from "./median.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

const ROUNDS = 7;
const ROUND_MS = 500;
const STOPS = 21;

const gpu = await openGpu();
const failure = await selfTestGpu(gpu);
if (failure !== undefined) throw new Error(failure);
console.log(gpu.label);

async function rate(name: string, subject: Subject, lower: bigint, upper: bigint): Promise<void> {
  const pace = firstPace();
  const startMs = performance.now();
  const begin = (): GpuSearch =>
    new GpuSearch(gpu, subject, lower, upper, { pace, hostless: true });
  let search = begin();
  await search.step();
  const madeMs = performance.now() - startMs;
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const fromMs = performance.now();
    let nonces = 0n;
    while (performance.now() < fromMs + ROUND_MS) {
      // A fast device is soon through with the nonces of a header.
      if (search.finished) search = begin();
      const from = search.next;
      await search.step();
      nonces += search.next - from;
    }
    rates.push(Number(nonces) / (performance.now() - fromMs) / 1000);
  }
  const made = `first batch after ${madeMs.toFixed(0)} ms`;
  console.log(`${name.padEnd(32)} ${median(rates).toFixed(1).padStart(9)} M/s, ${made}`);
}

const message = (length: number): Subject => messageSubject(new Uint8Array(length).fill(0x6d));
const most = 2n ** 64n - 1n;
await rate("message, one block", message(8), 1_000_000_000n, most);
await rate("message, padding in a block", message(50), 1_000_000_000n, most);
await rate("message, digits in two blocks", message(57), 1_000_000_000n, most);
await rate("block header", headerSubject(new Uint8Array(80)), 0n, 2n ** 32n - 1n);
gpu.close();

/** Stops endless searches, each with a short one queued behind it. */
async function stops(): Promise<void> {
  const answered: number[] = [];
  const free: number[] = [];
  const done = Promise.withResolvers<void>();
  const search = { subject: "stop", lower: 1_000_000_000n };
  let [id, stopMs] = [0, 0];
  const begin = (): void => {
    id += 2;
    pool.command({ kind: "start", search: { ...search, id, upper: most } });
    pool.command({ kind: "start", search: { ...search, id: id + 1, upper: 1_000_020_000n } });
    setTimeout(
      () => {
        stopMs = performance.now();
        pool.command({ kind: "stop", id });
      },
      200 + 7 * answered.length,
    );
  };
  const pool: GpuPool = new GpuPool({
    onFailed: (reason) => done.reject(new Error(reason)),
    onEvent: ({ kind }) => {
      if (kind === "stopped") answered.push(performance.now() - stopMs);
      if (kind === "finished") free.push(performance.now() - stopMs);
      if (kind === "finished" && free.length === STOPS) done.resolve();
      else if (kind === "finished" || kind === "pool") begin();
    },
  });
  await done.promise;
  await pool.close();
  const line = (times: number[]): string =>
    `median ${median(times).toFixed(1)} ms, most ${Math.max(...times).toFixed(1)} ms`;
  console.log(`a stop is answered after: ${line(answered)}`);
  console.log(`the next search of 20,000 nonces is done after: ${line(free)}`);
}
await stops();
