/**
 * The engines that this processor can run, each made anew, and what was not run here.
 *
 * @module
 */
import { nativeKernel as bunKernel } from "../../miner/bun_kernel_native.ts";
import type { Kernel } from "../../miner/kernel.ts";
import { type CpuFeatures, cpuFeatures } from "../../miner/kernels/cpu_native.ts";
import type { Engine } from "../../miner/kernels/engine.ts";
import { nativeEngine } from "../../miner/kernels/engine_native.ts";
import { WasmEngine, wasmVectors } from "../../miner/kernels/wasm_engine.ts";
import type { Candidate } from "../../work/candidate.ts";
import { MACHINE_CODE, madeCode } from "./made_code.ts";

/** So slow on many processors (Intel, Zen 3) that only a fraction of the cases is run. */
const SLOW = "avx2-sha";

/** An engine under test. */
export interface Subject {
  readonly name: string;
  readonly slow: boolean;
  engine(): Engine;
}

function nativeSubjects(): { subjects: Subject[]; notRun: string[] } {
  let cpu: CpuFeatures;
  try {
    cpu = cpuFeatures();
  } catch (error) {
    const notRun = Object.keys(MACHINE_CODE).map((name) => `${name}: ${String(error)}`);
    return { subjects: [], notRun };
  }
  const subjects: Subject[] = [];
  const notRun: string[] = [];
  for (const [name, { needs }] of Object.entries(MACHINE_CODE)) {
    const missing = needs.filter((need) => !cpu[need]);
    if (missing.length > 0) notRun.push(`${name}: no ${missing.join(", ")}`);
    else {
      const make = madeCode(name);
      subjects.push({ name, slow: name === SLOW, engine: () => nativeEngine(name, make) });
    }
  }
  return { subjects, notRun };
}

const native = nativeSubjects();

const wasm: Subject = { name: "wasm", slow: false, engine: () => new WasmEngine() };
/** The engines to test here. */
export const SUBJECTS: readonly Subject[] = [...native.subjects, ...(wasmVectors() ? [wasm] : [])];
/** Why others are not tested here, a line each. */
export const NOT_RUN: readonly string[] = [
  ...native.notRun,
  ...(wasmVectors() ? [] : ["wasm: no WebAssembly SIMD"]),
];

/**
 * `KERNEL_TEST_FACTOR=50` compares fifty times as many nonces; 0.1 a tenth, on an emulated
 * processor.
 */
export const FACTOR: number = Number(Bun.env["KERNEL_TEST_FACTOR"] ?? 1);
/** Kernels that are very slow here are given this share of the work. */
const SLOW_SHARE = 1 / 40;

/** How much of `amount` to try, with a kernel that is slow here or not. */
export function scaled(amount: number, slow = false): number {
  return Math.ceil(amount * Math.min(1, FACTOR, slow ? SLOW_SHARE : 1));
}

/** Evenly spread items, `count` of them. */
export function spread<T>(items: readonly T[], count: number): readonly T[] {
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

/** One search and its right answer. */
export interface Case {
  readonly message: Uint8Array;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
  readonly expected: Candidate;
}

/** A message of `length` bytes that is not all the same byte. */
export const messageOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 0x21 + ((i * 7 + length) % 90));

/** A case whose answer Bun's own SHA-256 gives, nonce by nonce. */
export function caseOf(length: number, lower: bigint, count: number, target?: bigint): Case {
  const message = messageOf(length);
  const last = 2n ** 64n - 1n;
  const wanted = lower + BigInt(count) - 1n;
  const upper = wanted > last ? last : wanted;
  const expected = bunKernel.bind(message).search(lower, upper, target);
  return { message, lower, upper, expected, ...(target === undefined ? {} : { target }) };
}

/** What `kernel` gets wrong, a line each. */
export function mistakes(kernel: Kernel, cases: readonly Case[]): string[] {
  const wrong: string[] = [];
  for (const { message, lower, upper, target, expected } of cases) {
    const { hash, nonce } = kernel.bind(message).search(lower, upper, target);
    if (hash === expected.hash && nonce === expected.nonce) continue;
    const where = `${message.length} bytes, ${lower}..${upper}, target ${target}`;
    wrong.push(`${where}: ${nonce} (${hash}) instead of ${expected.nonce} (${expected.hash})`);
  }
  return wrong;
}
