/**
 * Every kernel on one thread: message kind, block headers, and all places that the digits can have.
 *
 * `bun run bench/kernels.ts [--rounds N] [--against FOLDER]`: rounds are interleaved, so that a
 * noisy machine disturbs all alike; medians are printed. FOLDER holds the prototype (driver.mjs and
 * so on), which is then measured in the same rounds.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { Kernel } from "../miner/kernel.ts";
import { createKernel, detect } from "../miner/kernels/mod.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, against: { type: "string" } },
});
const ROUNDS = Number(values.rounds);
/** Length of a run: short enough that many are undisturbed. */
const RUN_MILLIS = 60;
const HEADER = Uint8Array.fromHex(
  "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d75" +
    "0423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
);

/** Something to measure: searches `nonces` nonces. */
interface Contestant {
  readonly name: string;
  run(nonces: number): void;
  nonces: number;
  readonly rates: number[];
}

function contestant(name: string, run: (nonces: number) => void): Contestant {
  return { name, run, nonces: 10_000, rates: [] };
}

/** Nonces a second, by growing the run until it is long enough. */
function measure(one: Contestant): void {
  for (;;) {
    const start = performance.now();
    one.run(one.nonces);
    const elapsed = performance.now() - start;
    if (elapsed > RUN_MILLIS / 2) return void one.rates.push((one.nonces / elapsed) * 1000);
    one.nonces = Math.ceil(one.nonces * Math.min(10, (1.2 * RUN_MILLIS) / Math.max(elapsed, 1)));
  }
}

function median(rates: readonly number[]): number {
  return rates.toSorted((a, b) => a - b)[rates.length >> 1]!;
}

/** Measures all in turn, a few rounds; the first two only warm up. Gives the medians by name. */
function race(contestants: readonly Contestant[]): Map<string, number> {
  for (let round = 0; round < ROUNDS + 2; round++) {
    for (const one of contestants) {
      if (round === 2) one.rates.length = 0;
      measure(one);
    }
  }
  return new Map(contestants.map(({ name, rates }) => [name, median(rates)]));
}

/** Searches 8-digit nonces behind `message`, as the prototype does. */
function messages(kernel: Kernel, length = 3, lower = 10_000_000n): (nonces: number) => void {
  const searcher = kernel.bind(new Uint8Array(length).fill(0x6d));
  return (nonces) => void searcher.search(lower, lower + BigInt(nonces) - 1n);
}

function headers(kernel: Kernel): (nonces: number) => void {
  const searcher = kernel.bindHeader!(HEADER);
  return (nonces) => void searcher.search(0n, BigInt(nonces) - 1n);
}

/** The plain way: a string for every nonce, and its score compared with the best. */
function strings(nonces: number): void {
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  let best = 2n ** 64n;
  for (let nonce = 10_000_000; nonce < 10_000_000 + nonces; nonce++) {
    Bun.SHA256.hash(`mmm ${nonce}`, digest);
    const hash = view.getBigUint64(0);
    if (hash < best) best = hash;
  }
}

/** The prototype's kernels, from where it lies. */
async function prototype(folder: string): Promise<Contestant[]> {
  const load = (file: string) =>
    import(new URL(`${folder}/${file}`, `file://${process.cwd()}/`).href);
  const [{ Miner }, { avx512, hyb }, { nmem }] = await Promise.all(
    ["driver.mjs", "native.mjs", "nmem.mjs"].map(load),
  );
  return [
    ["prototype avx512-sha", hyb],
    ["prototype avx512", avx512],
  ].map(([name, factory]) => {
    const miner = new Miner(factory, nmem());
    return contestant(name, (nonces) => miner.mine("mmm", 10_000_000, 9_999_999 + nonces));
  });
}

const mega = (rate: number): string => (rate / 1e6).toFixed(1);
const ratio = (a: number, b: number): string => (a / b).toFixed(2);

const usable = detect().filter((kernel) => kernel.usable);
for (const { name, usable: here, reason } of detect()) {
  if (!here) console.log(`not measured: ${name}: ${reason}`);
}
const kernels = usable.map(({ name }) => createKernel(name));
const STRINGS = "Bun.SHA256.hash(string, out)";
const contestants = [
  ...kernels.map((kernel) => contestant(kernel.name, messages(kernel))),
  ...kernels.map((kernel) => contestant(`${kernel.name} header`, headers(kernel))),
  ...(values.against === undefined ? [] : await prototype(values.against)),
  contestant(STRINGS, strings),
];
const medians = race(contestants);
const rates = kernels.map(({ name }) => medians.get(name)!);
const best = Math.max(...rates);
const bestKernel = kernels[rates.indexOf(best)]!;

console.log(`\n8-digit nonces behind 3 bytes, one thread, medians of ${ROUNDS} interleaved rounds`);
const rows = [...medians].filter(([name]) => !name.endsWith(" header"));
console.log(
  Bun.inspect.table(
    rows.map(([name, rate]) => {
      const header = medians.get(`${name} header`);
      return {
        kernel: name,
        "M nonces/s": mega(rate),
        "of best": ratio(rate, best),
        "x strings": ratio(rate, medians.get(STRINGS)!),
        "M headers/s": header === undefined ? "" : mega(header),
        "header/message": header === undefined ? "" : ratio(header, rate),
      };
    }),
  ),
);

const LENGTHS = [0, 3, 10, 20, 30, 40, 44, 45, 50, 53, 54, 55, 56, 57, 60, 63, 100, 117, 118, 119];
console.log(`10-digit nonces behind messages of any length, kernel ${bestKernel.name}`);
const shapes = race(
  LENGTHS.map((length) => contestant(String(length), messages(bestKernel, length, 1_000_000_000n))),
);
const single = shapes.get("3")!;
console.log(
  Bun.inspect.table(
    [...shapes].map(([length, rate]) => {
      const bytes = Number(length) + 11;
      const tail = bytes & 63;
      const kind =
        tail > 55 || tail === 0
          ? "padding has its own block"
          : tail < 4 && bytes > 64
            ? "digits straddle blocks"
            : "single";
      return { length, kind, "M nonces/s": mega(rate), "of 3 bytes": ratio(rate, single) };
    }),
  ),
);
