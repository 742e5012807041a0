/**
 * Every way to hash that this machine may have, and the choice among them.
 *
 * ```ts
 * const { kernel, reason } = chooseKernel();
 * const best = kernel.bind(new TextEncoder().encode("msg")).search(0n, 10_000_000n);
 * ```
 *
 * Kernels keep code and buffers of their own: every thread makes its own.
 *
 * @module
 */
import { nativeKernel as bunKernel } from "../bun_kernel_native.ts";
import type { Kernel } from "../kernel.ts";
import { plainKernel } from "../plain_kernel.ts";
import { bunHeaderSearcher } from "./bun_header_native.ts";
import { type CpuFeatures, cpuFeatures, NO_FEATURES } from "./cpu_native.ts";
import { nativeEngine } from "./engine_native.ts";
import type { Feature } from "./extensions.ts";
import { selfTest } from "./known_answers.ts";
import { ARM_CODE, type MachineCode, X86_CODE } from "./machine_code.ts";
import { plainHeaderSearcher } from "./scalar_header.ts";
import { measure } from "./measure_adapter.ts";
import { engineKernel } from "./tile_search.ts";
import { wasmEngine } from "./wasm_engine.ts";

/** A way to hash: its name for `--kernel`, what it is, and whether it runs here. */
interface Tier {
  readonly name: string;
  readonly description: string;
  /** Made of machine code. */
  readonly native: boolean;
  /** Instruction sets that are missing, by their names; empty when it runs here. */
  missing(cpu: CpuFeatures): string[];
  make(cpu: CpuFeatures): Kernel;
}

const FEATURE_NAMES: Readonly<Record<Feature, string>> = {
  sha: "SHA extensions",
  avx2: "AVX2",
  avx512: "AVX-512F",
  avx512vl: "AVX-512VL",
  armSha: "AArch64 SHA-2",
};

function nativeTier(
  name: string,
  description: string,
  codeFor: (cpu: CpuFeatures) => MachineCode,
): Tier {
  return {
    name,
    description,
    native: true,
    missing: (cpu) =>
      codeFor(cpu)
        .needs.filter((need) => !cpu[need])
        .map((need) => FEATURE_NAMES[need]),
    make: (cpu) => engineKernel(nativeEngine(name, codeFor(cpu).make)),
  };
}

function portableTier(name: string, description: string, make: () => Kernel): Tier {
  return { name, description, native: false, missing: () => [], make };
}

/** In order of preference, should two be equally fast. */
const TIERS: readonly Tier[] = [
  nativeTier("avx512-sha", "AVX-512VL schedules, SHA-NI rounds", () => X86_CODE["avx512-sha"]),
  nativeTier("avx2-sha", "AVX2 schedules, SHA-NI rounds", (cpu) =>
    cpu.intel ? X86_CODE["avx2-sha narrow"] : X86_CODE["avx2-sha wide"],
  ),
  nativeTier("avx512", "AVX-512, 16 lanes", () => X86_CODE.avx512),
  nativeTier("sha", "SHA-NI alone", () => X86_CODE.sha),
  nativeTier("avx2", "AVX2, 8 lanes", () => X86_CODE.avx2),
  nativeTier("arm-sha", "AArch64 SHA-2 instructions", () => ARM_CODE),
  portableTier("wasm", "WebAssembly SIMD, 4 lanes", () => engineKernel(wasmEngine)),
  portableTier("bun", "Bun.SHA256 in place", () => ({
    ...bunKernel,
    bindHeader: bunHeaderSearcher,
  })),
  portableTier("plain", "plain TypeScript", () => ({
    ...plainKernel,
    bindHeader: plainHeaderSearcher,
  })),
];

/** What `--kernel` may say, besides "auto"; in order of preference. */
export const kernelNames: readonly string[] = TIERS.map((tier) => tier.name);

/** Whether a kernel can be tried here, and why not. */
export interface Availability {
  readonly name: string;
  readonly description: string;
  readonly usable: boolean;
  /** One line for people; empty when usable. */
  readonly reason: string;
}

/** The processor's features, or the one line why machine code cannot be run. */
function probe(): { cpu: CpuFeatures; refusal?: string } {
  try {
    return { cpu: cpuFeatures() };
  } catch (error) {
    return { cpu: NO_FEATURES, refusal: error instanceof Error ? error.message : String(error) };
  }
}

/** Says of every kernel whether this machine can run it. Runs no kernel. */
export function detect(): readonly Availability[] {
  const { cpu, refusal } = probe();
  return TIERS.map(({ name, description, native, missing }) => {
    const lacking = missing(cpu).join(" and ");
    const reason = native && refusal !== undefined ? refusal : lacking && `no ${lacking}`;
    return { name, description, usable: reason === "", reason };
  });
}

/** Names of the usable kernels, first the likely fastest: what to begin with before measuring. */
export function likelyOrder(): readonly string[] {
  const usable = detect().flatMap((row) => (row.usable ? [row.name] : []));
  // On Intel changing between AVX and SHA instructions costs much, and 16 lanes beat the hybrids.
  const first = probe().cpu.intel ? "avx512" : usable[0];
  return usable.toSorted((a, b) => Number(b === first) - Number(a === first));
}

/** A kernel cannot be used here; the message says which and why, in one line. */
export class KernelError extends Error {
  override name = "KernelError";
}

/**
 * The kernel of that name, having passed its self-test.
 *
 * @throws {KernelError} when there is none of that name, this machine lacks what it needs, or its
 * self-test fails.
 */
export function createKernel(name: string): Kernel {
  const tier = TIERS.find((candidate) => candidate.name === name);
  if (tier === undefined) {
    throw new KernelError(`Cannot make kernel ${name}: expected one of ${kernelNames.join(", ")}`);
  }
  const { reason } = detect().find((availability) => availability.name === name)!;
  if (reason !== "") throw new KernelError(`Cannot use kernel ${name}: ${reason}`);
  let kernel: Kernel;
  try {
    kernel = tier.make(probe().cpu);
  } catch (error) {
    throw new KernelError(`Cannot make kernel ${name}: ${(error as Error).message}`);
  }
  const failure = selfTest(kernel);
  if (failure !== undefined) throw new KernelError(`Cannot trust kernel ${name}: ${failure}`);
  return kernel;
}

/** One line of the table of kernels. */
export interface Measured extends Availability {
  /** Nonces a second of one thread, 0 when not measured. */
  readonly rate: number;
}

/** The kernel to use, and how it was chosen. */
export interface Choice {
  readonly kernel: Kernel;
  /** One line for people. */
  readonly reason: string;
  /** Nonces a second of one thread; 0 when it was not measured. */
  readonly rate: number;
  /** Every kernel, in order of preference. */
  readonly table: readonly Measured[];
}

/** How to choose. */
export interface ChooseOptions {
  /** A kernel's name: no other is tried, and nothing is measured. */
  readonly forced?: string;
  /** Time to measure each candidate. Default 60. */
  readonly measureMillis?: number;
  /** Measures all kernels, not only machine code where there is some. Default false. */
  readonly all?: boolean;
}

/** The reason given for a kernel that was asked for. */
export const CHOSEN_BY_NAME = "chosen by name";
const MEASURE_MILLIS = 60;
/** A kernel further down must be this much faster to be preferred. */
const CLEARLY_FASTER = 1.03;

/**
 * The fastest kernel on this machine that passes its self-test, by a short measurement. Takes about
 * 0.2 s a candidate. Never fails unless a forced kernel cannot be used.
 *
 * @throws {KernelError} see {@link createKernel}; only for `forced`.
 */
export function chooseKernel(options: ChooseOptions = {}): Choice {
  const { forced, measureMillis = MEASURE_MILLIS, all = false } = options;
  if (forced !== undefined) {
    const table = detect().map((availability) => ({ ...availability, rate: 0 }));
    return { kernel: createKernel(forced), reason: CHOSEN_BY_NAME, rate: 0, table };
  }
  const kernels = new Map<string, Kernel>();
  let machineCode = false;
  const tried = detect().map((availability, i): Availability => {
    const skipped = machineCode && !TIERS[i]!.native && !all;
    if (!availability.usable || skipped) return availability;
    try {
      kernels.set(availability.name, createKernel(availability.name));
      machineCode ||= TIERS[i]!.native;
      return availability;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ...availability, usable: false, reason };
    }
  });
  const rates = measure([...kernels.values()], measureMillis);
  let best: { kernel: Kernel; rate: number } | undefined;
  for (const kernel of kernels.values()) {
    const rate = rates.get(kernel)!;
    if (best === undefined || rate > best.rate * CLEARLY_FASTER) best = { kernel, rate };
  }
  if (best === undefined) throw new KernelError(`No kernel works: ${tried.at(-1)!.reason}`);
  const table = tried.map((row): Measured => {
    const kernel = kernels.get(row.name);
    return { ...row, rate: kernel === undefined ? 0 : rates.get(kernel)! };
  });
  return { ...best, reason: reasonFor(best.kernel.name, table), table };
}

function reasonFor(name: string, table: readonly Measured[]): string {
  const measured = table.filter(({ rate }) => rate > 0);
  const refused = table.filter(({ usable }) => !usable);
  const compared = `fastest of ${measured.length} measured`;
  if (refused.length === 0) return compared;
  const native = TIERS.find((tier) => tier.name === name)!.native;
  const why = [...new Set(refused.map((row) => row.reason))];
  return native ? compared : `${compared}; no machine code: ${why.join("; ")}`;
}
