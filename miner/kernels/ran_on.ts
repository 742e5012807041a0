/**
 * On which processors each kernel has run in tests and benchmarks of ours, and on which only under
 * emulation. docs/kernels.md says the same, and `miner.ts bench` prints it: what a user's machine
 * has is often none of them, which is why every machine proves its kernels itself.
 *
 * @module
 */

/** What a kernel has run on. */
export interface RanOn {
  /** Name of the kernel, or the flag that asks for it. */
  readonly kernel: string;
  readonly real: readonly string[];
  readonly emulated: readonly string[];
}

const ZEN_3 = "AMD Zen 3";
const ZEN_4 = "AMD Zen 4";
const SAPPHIRE_RAPIDS = "Intel Sapphire Rapids";
const EMERALD_RAPIDS = "Intel Emerald Rapids";
const NEHALEM = "Nehalem";
const HASWELL = "Haswell";
const DENVERTON = "Denverton";
const MILAN = "EPYC-Milan";
const AARCH64 = "AArch64";

const EVERY_EMULATED = [NEHALEM, HASWELL, DENVERTON, MILAN, AARCH64];

/** All of them, in the order of preference. */
export const RAN_ON: readonly RanOn[] = [
  { kernel: "avx512-sha", real: [ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS], emulated: [] },
  { kernel: "avx2-sha", real: [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS], emulated: [MILAN] },
  {
    kernel: "avx2-sha-narrow",
    real: [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS],
    emulated: [MILAN],
  },
  { kernel: "avx512", real: [ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS], emulated: [] },
  {
    kernel: "sha",
    real: [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS],
    emulated: [DENVERTON, MILAN],
  },
  { kernel: "avx2", real: [ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS], emulated: [HASWELL, MILAN] },
  { kernel: "arm-sha", real: [], emulated: [AARCH64] },
  {
    kernel: "wasm",
    real: [ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS],
    emulated: [HASWELL, MILAN, AARCH64],
  },
  {
    kernel: "bun",
    real: [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS],
    emulated: EVERY_EMULATED,
  },
  {
    kernel: "plain",
    real: [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS, EMERALD_RAPIDS],
    emulated: EVERY_EMULATED,
  },
  {
    kernel: "--gpu",
    real: ["NVIDIA H100", "NVIDIA H200"],
    emulated: ["Mesa llvmpipe, a graphics processor in software"],
  },
];

/** "real: AMD Zen 4; emulated: none". */
export function ranOnText({ real, emulated }: RanOn): string {
  const some = real.length > 0 ? `real ${real.join(", ")}` : "never run on real hardware";
  return emulated.length > 0 ? `${some}; emulated ${emulated.join(", ")}` : some;
}
