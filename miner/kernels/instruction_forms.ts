/**
 * The instructions that our kernels use, as the numbers of their encodings, each with the extension
 * that it belongs to (Intel SDM, volume 2, chapters 3 to 5).
 *
 * @module
 */
import type { Extension } from "./extensions.ts";

/** Width of a vector instruction in bits. */
export type Width = 128 | 256 | 512;

/** A memory operand: base + index * scale + displacement. */
export interface Memory {
  readonly base: number;
  readonly index?: number;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly displacement?: number;
  /** EVEX embedded broadcast: one 32-bit element for all lanes. */
  readonly broadcast?: boolean;
}

/** A vector register (0..31) or memory. */
export type VectorOperand = number | Memory;

/** Whether only EVEX can say this: 512 bits, a register above 15, or a broadcast operand. */
export function needsEvex(
  width: Width,
  reg: number,
  vvvv: number,
  operand: VectorOperand,
): boolean {
  if (width === 512 || reg > 15 || vvvv > 15) return true;
  return typeof operand === "number" ? operand > 15 : operand.broadcast === true;
}

/** The baseline of x86-64, which every processor has. */
export type Needed = Extension | "baseline";

/** How one instruction is encoded. */
export interface Form {
  /** Opcode map: 1 is 0F, 2 is 0F38, 3 is 0F3A. */
  readonly map: 1 | 2 | 3;
  /** Implied prefix: 0 none, 1 is 66, 2 is F3, 3 is F2. */
  readonly prefix: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** What the encoding without VEX or EVEX needs; absent where we have no use for it. */
  readonly legacy?: Needed;
  /** What the VEX encoding needs by width; a width that is absent does not exist. */
  readonly vex?: { readonly 128?: Extension; readonly 256?: Extension };
  /** What the EVEX encoding needs, apart from AVX512VL below 512 bits; absent: there is none. */
  readonly evex?: Extension;
  /** Works on one lane: the EVEX encoding needs no AVX512VL. */
  readonly scalar?: true;
  /** EVEX.W, where the EVEX form has it set. */
  readonly wide?: 1;
  /** The opcode extension of shifts by an immediate (modrm.reg); their target is in vvvv. */
  readonly opcodeExtension?: number;
  /** Bytes of the memory operand where it is not the vector's width (scales the EVEX disp8). */
  readonly memoryBytes?: number;
}

/** Integer arithmetic: in AVX for 128 bits, in AVX2 for 256. */
const INTEGER = { vex: { 128: "AVX", 256: "AVX2" } } as const;
const INTEGER_EVEX = { ...INTEGER, evex: "AVX512F" } as const;

/** target, source, source-or-memory. */
export type Three =
  | "vpaddd"
  | "vpxor"
  | "vpand"
  | "vpor"
  | "vpunpckldq"
  | "vpunpckhdq"
  | "vpunpcklqdq"
  | "vpunpckhqdq"
  | "vpminud"
  | "vpcmpeqd"
  | "vpshufb";
export const THREE: Readonly<Record<Three, Form>> = {
  vpaddd: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0xfe },
  vpxor: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0xef },
  vpand: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0xdb },
  vpor: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0xeb },
  vpunpckldq: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x62 },
  vpunpckhdq: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x6a },
  vpunpcklqdq: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x6c, wide: 1 },
  vpunpckhqdq: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x6d, wide: 1 },
  vpminud: { ...INTEGER_EVEX, map: 2, prefix: 1, opcode: 0x3b },
  /** Its EVEX form is another instruction: it writes to a mask. */
  vpcmpeqd: { ...INTEGER, map: 1, prefix: 1, opcode: 0x76 },
  vpshufb: { ...INTEGER, evex: "AVX512BW", map: 2, prefix: 1, opcode: 0x00 },
};

/** target, source-or-memory, immediate count. */
export type Shift = "vprord" | "vpsrld" | "vpslld";
export const SHIFT: Readonly<Record<Shift, Form & { readonly opcodeExtension: number }>> = {
  vprord: { evex: "AVX512F", map: 1, prefix: 1, opcode: 0x72, opcodeExtension: 0 },
  vpsrld: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x72, opcodeExtension: 2 },
  vpslld: { ...INTEGER_EVEX, map: 1, prefix: 1, opcode: 0x72, opcodeExtension: 6 },
};

/** target, source, source-or-memory, immediate. */
export type ThreeImmediate = "vpternlogd" | "vinserti32x4" | "vinserti128";
export const THREE_IMMEDIATE: Readonly<Record<ThreeImmediate, Form>> = {
  vpternlogd: { evex: "AVX512F", map: 3, prefix: 1, opcode: 0x25 },
  vinserti32x4: { evex: "AVX512F", map: 3, prefix: 1, opcode: 0x38, memoryBytes: 16 },
  vinserti128: { vex: { 256: "AVX2" }, map: 3, prefix: 1, opcode: 0x38, memoryBytes: 16 },
};

/** Moves, comparisons and the like, which have a method each. */
const MOVE = { vex: { 128: "AVX", 256: "AVX" }, evex: "AVX512F" } as const;
const ONE_LANE = { vex: { 128: "AVX" }, evex: "AVX512F", scalar: true } as const;
export type Single =
  | "vmovdqu load"
  | "vmovdqu store"
  | "vpbroadcastd"
  | "vmovd from general"
  | "vmovd to memory"
  | "vmovq load"
  | "vpcmpud"
  | "vpmovmskb";
export const SINGLE: Readonly<Record<Single, Form>> = {
  "vmovdqu load": { ...MOVE, map: 1, prefix: 2, opcode: 0x6f },
  "vmovdqu store": { ...MOVE, map: 1, prefix: 2, opcode: 0x7f },
  vpbroadcastd: {
    vex: { 128: "AVX2", 256: "AVX2" },
    evex: "AVX512F",
    map: 2,
    prefix: 1,
    opcode: 0x58,
    memoryBytes: 4,
  },
  "vmovd from general": { ...ONE_LANE, map: 1, prefix: 1, opcode: 0x6e, memoryBytes: 4 },
  "vmovd to memory": { ...ONE_LANE, map: 1, prefix: 1, opcode: 0x7e, memoryBytes: 4 },
  /** The EVEX form has EVEX.W and scales by 8. */
  "vmovq load": { ...ONE_LANE, map: 1, prefix: 2, opcode: 0x7e, wide: 1, memoryBytes: 8 },
  vpcmpud: { evex: "AVX512F", map: 3, prefix: 1, opcode: 0x1e },
  vpmovmskb: { ...INTEGER, map: 1, prefix: 1, opcode: 0xd7 },
};

/** Legacy SSE: target (also the first source), source-or-memory. Registers 0..15. */
export type Sse =
  | "paddd"
  | "pxor"
  | "por"
  | "pcmpeqd"
  | "pminud"
  | "punpckldq"
  | "punpckhdq"
  | "punpcklqdq"
  | "punpckhqdq"
  | "pshufb"
  | "movdqa"
  | "movdqu"
  | "movq"
  | "movd"
  | "sha256rnds2"
  | "sha256msg1"
  | "sha256msg2";
export const SSE: Readonly<Record<Sse, Form>> = {
  paddd: { legacy: "baseline", map: 1, prefix: 1, opcode: 0xfe },
  pxor: { legacy: "baseline", map: 1, prefix: 1, opcode: 0xef },
  por: { legacy: "baseline", map: 1, prefix: 1, opcode: 0xeb },
  pcmpeqd: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x76 },
  pminud: { legacy: "SSE4.1", map: 2, prefix: 1, opcode: 0x3b },
  punpckldq: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x62 },
  punpckhdq: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x6a },
  punpcklqdq: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x6c },
  punpckhqdq: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x6d },
  pshufb: { legacy: "SSSE3", map: 2, prefix: 1, opcode: 0x00 },
  movdqa: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x6f },
  movdqu: { legacy: "baseline", map: 1, prefix: 2, opcode: 0x6f },
  movq: { legacy: "baseline", map: 1, prefix: 2, opcode: 0x7e },
  movd: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x6e },
  sha256rnds2: { legacy: "SHA", map: 2, prefix: 0, opcode: 0xcb },
  sha256msg1: { legacy: "SHA", map: 2, prefix: 0, opcode: 0xcc },
  sha256msg2: { legacy: "SHA", map: 2, prefix: 0, opcode: 0xcd },
};

/** Legacy SSE with an immediate byte. */
export type SseImmediate = "palignr" | "pshufd";
export const SSE_IMMEDIATE: Readonly<Record<SseImmediate, Form>> = {
  palignr: { legacy: "SSSE3", map: 3, prefix: 1, opcode: 0x0f },
  pshufd: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x70 },
};

/** Legacy SSE with a method each. */
export type SseSingle = "pslldq" | "movdqu store" | "pmovmskb";
export const SSE_SINGLE: Readonly<Record<SseSingle, Form>> = {
  pslldq: { legacy: "baseline", map: 1, prefix: 1, opcode: 0x73, opcodeExtension: 7 },
  "movdqu store": { legacy: "baseline", map: 1, prefix: 2, opcode: 0x7f },
  pmovmskb: { legacy: "baseline", map: 1, prefix: 1, opcode: 0xd7 },
};

/** Condition codes of jcc. */
export type Condition = "e" | "ne" | "l" | "le";
export const CONDITIONS: Readonly<Record<Condition, number>> = { e: 4, ne: 5, l: 12, le: 14 };
/** register, register: opcode of the form `op r/m, r`. */
export type Alu = "add" | "cmp" | "test" | "mov" | "xor";
export const ALU: Readonly<Record<Alu, number>> = {
  add: 0x01,
  cmp: 0x39,
  test: 0x85,
  mov: 0x89,
  xor: 0x31,
};
/** register, immediate: the opcode extension of 81 and 83. */
export type AluImmediate = "add" | "and" | "sub" | "cmp";
export const ALU_IMMEDIATE: Readonly<Record<AluImmediate, number>> = {
  add: 0,
  and: 4,
  sub: 5,
  cmp: 7,
};

/** Bytes of an implied prefix, by its number. */
export const MANDATORY_PREFIX: readonly [number[], number[], number[], number[]] = [
  [],
  [0x66],
  [0xf3],
  [0xf2],
];
/** Bytes of an opcode map in legacy encoding, by its number. */
export const MAP_BYTES: readonly [number[], number[], number[], number[]] = [
  [],
  [0x0f],
  [0x0f, 0x38],
  [0x0f, 0x3a],
];
