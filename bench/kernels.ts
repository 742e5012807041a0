/**
 * Every kernel on one thread: message kind, block headers, and all places that the digits can have.
 *
 * `bun run bench/kernels.ts [--rounds N] [--against FOLDER]`: rounds are interleaved, so that a
 * noisy machine disturbs all alike; medians are printed. FOLDER holds the prototype (driver.mjs and
 * so on), which is then measured in the same rounds.
 *
 * @module
 */
import { createKernel } from "../miner/kernels/mod.ts";
import { chooseKernel } from "../miner/mod.ts";
import {
  type Contestant,
  contestant,
  headers,
  mega,
  messages,
  race,
  ratio,
} from "./kernel_race.ts";
import { benchOptions, count } from "./options.ts";

const options = benchOptions(import.meta.path, {
  rounds: count(9, "rounds, each with all contestants"),
  against: { value: "FOLDER", help: "measure the prototype of this design there too" },
});
const ROUNDS = options.number("rounds");
const against = options.text("against");

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

// A kernel that was struck off in a child process does not run here.
const { table } = await chooseKernel({ all: true, onWarning: console.error });
for (const { name, usable, reason } of table) {
  if (!usable) console.log(`not measured: ${name}: ${reason}`);
}
const kernels = table.flatMap(({ name, usable }) => (usable ? [createKernel(name)] : []));
const STRINGS = "Bun.SHA256.hash(string, out)";
const contestants = [
  ...kernels.map((kernel) => contestant(kernel.name, messages(kernel))),
  ...kernels.map((kernel) => contestant(`${kernel.name} header`, headers(kernel))),
  ...(against === undefined ? [] : await prototype(against)),
  contestant(STRINGS, strings),
];
const medians = race(contestants, ROUNDS);
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
  ROUNDS,
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
