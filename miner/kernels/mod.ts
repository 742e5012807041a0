/**
 * Every way to hash that this machine may have. Which one is used is decided by what is known of
 * them (selection.ts), and that is found out in child processes (prover_adapter.ts).
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
import type { ProvedCode } from "./proved_code.ts";
import { plainHeaderSearcher } from "./scalar_header.ts";
import { engineKernel } from "./tile_search.ts";
import { WasmEngine, wasmVectors } from "./wasm_engine.ts";

/** A way to hash: its name for `--kernel`, what it is, and whether it runs here. */
interface Tier {
  readonly name: string;
  readonly description: string;
  /** What it is made of, if that is machine code. */
  readonly code?: MachineCode;
  /** What else it needs and this machine lacks; empty where that is nothing. */
  lacks?(): string;
  /** Makes it; of machine code nothing is run that `proved` does not allow. */
  make(proved?: ProvedCode): Kernel;
}

const FEATURE_NAMES: Readonly<Record<Feature, string>> = {
  sha: "SHA extensions",
  avx2: "AVX2",
  avx512: "AVX-512F",
  avx512vl: "AVX-512VL",
  armSha: "AArch64 SHA-2",
};

function nativeTier(name: string, description: string, code: MachineCode): Tier {
  const make = (proved?: ProvedCode): Kernel => engineKernel(nativeEngine(name, code.make, proved));
  return { name, description, code, make };
}

/** In order of preference, should two be equally fast. */
const TIERS: readonly Tier[] = [
  nativeTier("avx512-sha", "AVX-512VL schedules, SHA-NI rounds", X86_CODE["avx512-sha"]),
  nativeTier("avx2-sha", "AVX2 schedules, SHA-NI rounds", X86_CODE["avx2-sha"]),
  nativeTier("avx2-sha-narrow", "the same in 128 bits", X86_CODE["avx2-sha-narrow"]),
  nativeTier("avx512", "AVX-512, 16 lanes", X86_CODE.avx512),
  nativeTier("sha", "SHA-NI alone", X86_CODE.sha),
  nativeTier("avx2", "AVX2, 8 lanes", X86_CODE.avx2),
  nativeTier("arm-sha", "AArch64 SHA-2 instructions", ARM_CODE),
  {
    name: "wasm",
    description: "WebAssembly SIMD, 4 lanes",
    lacks: () => (wasmVectors() ? "" : "WebAssembly SIMD"),
    make: () => engineKernel(new WasmEngine()),
  },
  {
    name: "bun",
    description: "Bun.SHA256 in place",
    make: () => ({ ...bunKernel, bindHeader: bunHeaderSearcher }),
  },
  {
    name: "plain",
    description: "plain TypeScript",
    make: () => ({ ...plainKernel, bindHeader: plainHeaderSearcher }),
  },
];

/** What `--kernel` may say, besides "auto"; in order of preference. */
export const kernelNames: readonly string[] = TIERS.map((tier) => tier.name);

/** The machine code of the kernel of that name; `undefined` for one that is made of none. */
export function machineCodeOf(name: string): MachineCode | undefined {
  return TIERS.find((tier) => tier.name === name)?.code;
}

/** Whether a kernel can be tried here, and why not. */
export interface Availability {
  readonly name: string;
  readonly description: string;
  /** Made of machine code. */
  readonly native: boolean;
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
  return TIERS.map(({ name, description, code, lacks }) => {
    const lacking = (code?.needs ?? []).filter((need) => !cpu[need]);
    const names = lacks?.() ?? lacking.map((need) => FEATURE_NAMES[need]).join(" and ");
    const reason = code !== undefined && refusal !== undefined ? refusal : names && `no ${names}`;
    return { name, description, native: code !== undefined, usable: reason === "", reason };
  });
}

/** A kernel cannot be used here; the message says which and why, in one line. */
export class KernelError extends Error {
  override name = "KernelError";
}

/**
 * The kernel of that name. Without `proved` it has passed its self-test in this process. With it
 * there is none, so that a thread is soon at work: machine code that a child process has not proved
 * is refused when it is first needed, with an `UnprovedCodeError`.
 *
 * @throws {KernelError} when there is none of that name, this machine lacks what it needs, or its
 * self-test fails.
 */
export function createKernel(name: string, proved?: ProvedCode): Kernel {
  const tier = TIERS.find((candidate) => candidate.name === name);
  if (tier === undefined) {
    throw new KernelError(`Cannot make kernel ${name}: expected one of ${kernelNames.join(", ")}`);
  }
  const { reason } = detect().find((availability) => availability.name === name)!;
  if (reason !== "") throw new KernelError(`Cannot use kernel ${name}: ${reason}`);
  let kernel: Kernel;
  try {
    kernel = tier.make(proved);
  } catch (error) {
    throw new KernelError(`Cannot make kernel ${name}: ${(error as Error).message}`);
  }
  const failure = proved !== undefined && tier.code !== undefined ? undefined : selfTest(kernel);
  if (failure !== undefined) throw new KernelError(`Cannot trust kernel ${name}: ${failure}`);
  return kernel;
}
