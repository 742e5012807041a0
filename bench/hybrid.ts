/**
 * What each choice in the AVX-512 hybrid is worth: the kernel as it is against itself with one
 * thing laid out otherwise, on one thread. The figures in docs/kernels.md come from here.
 *
 * `bun run bench/hybrid.ts [--rounds N]`: rounds are interleaved, medians are printed.
 *
 * @module
 */
import type { Kernel } from "../miner/kernel.ts";
import { nativeEngine } from "../miner/kernels/engine_native.ts";
import { hybridAvx512, type HybridVariant } from "../miner/kernels/hybrid_kernel.ts";
import { X86_CODE, x86Code } from "../miner/kernels/machine_code.ts";
import { detect } from "../miner/kernels/mod.ts";
import { engineKernel } from "../miner/kernels/tile_search.ts";
import { contestant, headers, mega, messages, race, ratio } from "./kernel_race.ts";
import { benchOptions, count } from "./options.ts";

const options = benchOptions(import.meta.path, { rounds: count(9, "rounds of each variant") });
const { usable, reason } = detect().find(({ name }) => name === "avx512-sha")!;
if (!usable) {
  console.error(`Cannot run the hybrid here: ${reason}`);
  process.exit(1);
}

const VARIANTS: Readonly<Record<string, Partial<HybridVariant>>> = {
  "as it is": {},
  "three-input logic": { dialect: "avx512" },
  "schedules not braided": { braided: false },
  "4 lanes' rounds in turn, not 6": { streams: 4 },
  "3 lanes' rounds in turn": { streams: 3 },
  "8 lanes a batch, not 16": { lanes: 8 },
  "24 lanes a batch": { lanes: 24 },
  "32 lanes a batch": { lanes: 32 },
};

const { needs } = X86_CODE["avx512-sha"];
const kernels = Object.entries(VARIANTS).map(([name, changes]) => ({
  name,
  kernel: engineKernel(nativeEngine(name, x86Code(needs, hybridAvx512(changes)).make)),
}));
const COLUMNS: Readonly<Record<string, (kernel: Kernel) => (nonces: number) => void>> = {
  "one word varies": (kernel) => messages(kernel, 3),
  "two words": (kernel) => messages(kernel, 44, 1_000_000_000n),
  padded: (kernel) => messages(kernel, 50, 1_000_000_000n),
  header: headers,
};

const rates = new Map(
  Object.entries(COLUMNS).map(([column, run]) => {
    const contestants = kernels.map(({ name, kernel }) => contestant(name, run(kernel)));
    return [column, race(contestants, options.number("rounds"))];
  }),
);
console.log(
  `M nonces/s on one thread, and how they compare; medians of ${options.text("rounds")} rounds`,
);
console.log(
  Bun.inspect.table(
    kernels.map(({ name }) => {
      const cells = [...rates].map(([column, of]) => {
        const [rate, base] = [of.get(name)!, of.get("as it is")!];
        return [column, `${mega(rate)}  ${ratio(rate, base)}`];
      });
      return { "the hybrid": name, ...Object.fromEntries(cells) };
    }),
  ),
);
