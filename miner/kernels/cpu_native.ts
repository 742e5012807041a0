/**
 * What the processor under us can do. On x86-64 by CPUID and XGETBV (Intel SDM, volume 1, chapter
 * 14; volume 2, CPUID): an instruction set counts only when the operating system saves its
 * registers. On AArch64 by what Linux says (getauxval, AT_HWCAP).
 *
 * @module
 */
import { Assembler, R8, RAX, RBX, RCX, RDI, RDX } from "./assembler.ts";
import {
  guardedBuffer,
  hardwareCapabilities,
  mapCode,
  NativeMemoryError,
  nativeScan,
} from "./memory_native.ts";

/** The instruction sets that our kernels ask for. */
export interface CpuFeatures {
  /** SHA extensions, with SSSE3 and SSE4.1. */
  readonly sha: boolean;
  readonly avx2: boolean;
  /** AVX-512F. */
  readonly avx512: boolean;
  /** AVX-512F on 128- and 256-bit vectors. */
  readonly avx512vl: boolean;
  /** FEAT_SHA256 of AArch64. */
  readonly armSha: boolean;
  /** Made by Intel, where changing between AVX and SHA instructions costs much. */
  readonly intel: boolean;
}

const bit = (word: number, position: number): boolean => ((word >>> position) & 1) === 1;

/** The first four letters of "GenuineIntel". */
const GENUINE = 0x756e6547;

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
  intel: false,
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

function readX86(): CpuFeatures {
  const scan = nativeScan(mapCode(assembleCpuid()));
  const answer = guardedBuffer(16);
  const cpuid = (leaf: number): Int32Array => {
    scan(answer.address, 0, 0, leaf, 0, 0);
    return answer.words.slice();
  };
  const [highest, vendor] = cpuid(0) as unknown as [number, number];
  const basic = cpuid(1)[2]!;
  const extended = highest >= 7 ? cpuid(7)[1]! : 0;
  // OSXSAVE: without it XGETBV would fault, and no AVX state is saved.
  const saved = bit(basic, 27) ? cpuid(-1)[0]! : 0;
  const avx = (saved & 0x06) === 0x06 && bit(basic, 28);
  const zmm = (saved & 0xe6) === 0xe6;
  return {
    sha: bit(extended, 29) && bit(basic, 9) && bit(basic, 19),
    avx2: avx && bit(extended, 5),
    avx512: avx && zmm && bit(extended, 16),
    avx512vl: avx && zmm && bit(extended, 16) && bit(extended, 31),
    armSha: false,
    intel: vendor === GENUINE,
  };
}

/** `f(answer, _, _, leaf)`: CPUID leaf `leaf`, subleaf 0, as four words; leaf -1 is XGETBV 0. */
export function assembleCpuid(asm: Assembler = new Assembler()): Uint8Array {
  const xgetbv = asm.label();
  const store = asm.label();
  asm.push(RBX);
  asm.alu("mov", R8, RCX);
  asm.signExtend(RAX, R8);
  asm.alu("xor", RCX, RCX);
  asm.aluImmediate("cmp", RAX, -1);
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
