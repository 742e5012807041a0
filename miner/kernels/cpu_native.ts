/**
 * What the processor under us can do. On x86-64 by CPUID and XGETBV (Intel SDM, volume 1, chapter
 * 14; volume 2, CPUID): an instruction set counts only when the operating system saves its
 * registers. On AArch64 by what Linux says (getauxval, AT_HWCAP).
 *
 * @module
 */
import { Assembler, R8, RAX, RBX, RCX, RDI, RDX } from "./assembler.ts";
import {
  type Extension,
  type Feature,
  FEATURE_EXTENSIONS,
  type X86Extension,
} from "./extensions.ts";
import {
  guardedBuffer,
  hardwareCapabilities,
  mapCode,
  NativeMemoryError,
  nativeScan,
} from "./memory_native.ts";

/** What our kernels ask for: see {@link FEATURE_EXTENSIONS}. */
export interface CpuFeatures extends Readonly<Record<Feature, boolean>> {}

const bit = (word: number, position: number): boolean => ((word >>> position) & 1) === 1;

let known: CpuFeatures | undefined;

/**
 * Asks the processor; the answer is kept.
 *
 * @throws {NativeMemoryError} when no machine code can be run here.
 */
export function cpuFeatures(): CpuFeatures {
  return (known ??= readFeatures());
}

/** What a processor has of which nothing is known. */
export const NO_FEATURES: CpuFeatures = {
  sha: false,
  avx2: false,
  avx512: false,
  avx512vl: false,
  armSha: false,
};

/** HWCAP_SHA2 of Linux on AArch64. */
const HWCAP_SHA2 = 1 << 6;

function readFeatures(): CpuFeatures {
  const { arch, platform } = process;
  if (platform !== "linux" && platform !== "darwin") {
    throw new NativeMemoryError(`machine code is not set up for ${platform}`);
  }
  if (arch === "x64") return readX86();
  if (arch !== "arm64") throw new NativeMemoryError(`machine code is not set up for ${arch}`);
  // Every Apple processor for AArch64 has the instructions.
  const armSha = platform === "darwin" || (hardwareCapabilities() & HWCAP_SHA2) !== 0;
  return { ...NO_FEATURES, armSha };
}

/** Where CPUID says that the processor has an extension: leaf 1, ecx, or leaf 7, ebx. */
const CPUID_BITS: Readonly<Record<X86Extension, readonly ["leaf 1" | "leaf 7", number]>> = {
  SSSE3: ["leaf 1", 9],
  "SSE4.1": ["leaf 1", 19],
  // OSXSAVE, which says that the system has set it up as well.
  XSAVE: ["leaf 1", 27],
  AVX: ["leaf 1", 28],
  AVX2: ["leaf 7", 5],
  AVX512F: ["leaf 7", 16],
  SHA: ["leaf 7", 29],
  AVX512BW: ["leaf 7", 30],
  AVX512VL: ["leaf 7", 31],
};
/** The registers that the system must save (XCR0): xmm and ymm; mask registers and zmm too. */
const AVX_STATE = 0x06;
const AVX512_STATE = 0xe6;

function readX86(): CpuFeatures {
  const scan = nativeScan(mapCode(cpuidCode()));
  const answer = guardedBuffer(16);
  const cpuid = (leaf: number): Int32Array => {
    scan(answer.address, 0, 0, leaf, 0, 0);
    return answer.words.slice();
  };
  const highest = cpuid(0)[0]!;
  const words = { "leaf 1": cpuid(1)[2]!, "leaf 7": highest >= 7 ? cpuid(7)[1]! : 0 };
  const says = (extension: X86Extension): boolean => {
    const [leaf, position] = CPUID_BITS[extension];
    return bit(words[leaf], position);
  };
  // Without XSAVE the instruction that reads XCR0 would fault, and no AVX state is saved.
  const saved = says("XSAVE") ? cpuid(XCR0)[0]! : 0;
  const has = (extension: Extension): boolean => {
    if (extension === "FEAT_SHA256" || !says(extension)) return false;
    if (!extension.startsWith("AVX")) return true;
    const state = extension.startsWith("AVX512") ? AVX512_STATE : AVX_STATE;
    return (saved & state) === state;
  };
  const all = (feature: Feature): boolean => FEATURE_EXTENSIONS[feature].every(has);
  return {
    sha: all("sha"),
    avx2: all("avx2"),
    avx512: all("avx512"),
    avx512vl: all("avx512vl"),
    armSha: false,
  };
}

/** In place of a leaf of CPUID: asks for XCR0. */
export const XCR0 = -1;
/** What the code that asks the processor may use; it uses it only where CPUID says so. */
export const CPUID_EXTENSIONS: ReadonlySet<Extension> = new Set(["XSAVE"] as const);

/** {@link assembleCpuid} with an assembler of its own. */
export const cpuidCode = (): Uint8Array => assembleCpuid(new Assembler(CPUID_EXTENSIONS));

/** `f(answer, _, _, leaf)`: CPUID leaf `leaf`, subleaf 0, as four words; leaf -1 is XGETBV 0. */
export function assembleCpuid(asm: Assembler): Uint8Array {
  const xgetbv = asm.label();
  const store = asm.label();
  asm.push(RBX);
  asm.alu("mov", R8, RCX);
  asm.signExtend(RAX, R8);
  asm.alu("xor", RCX, RCX);
  asm.aluImmediate("cmp", RAX, XCR0);
  asm.jump(xgetbv, "e");
  asm.plain("cpuid");
  asm.jump(store);
  asm.place(xgetbv);
  asm.plain("xgetbv");
  asm.place(store);
  [RAX, RBX, RCX, RDX].forEach((register, i) =>
    asm.store32({ base: RDI, displacement: 4 * i }, register),
  );
  asm.pop(RBX);
  asm.plain("ret");
  return asm.finish();
}
