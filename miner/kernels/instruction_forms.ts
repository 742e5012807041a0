/**
 * The instructions that our kernels use, as the numbers of their encodings (Intel SDM, volume 2,
 * chapters 3 to 5).
 *
 * @module
 */

/** How one instruction is encoded. */
export interface Form {
  /** Opcode map: 1 is 0F, 2 is 0F38, 3 is 0F3A. */
  readonly map: 1 | 2 | 3;
  /** Implied prefix: 0 none, 1 is 66, 2 is F3, 3 is F2. */
  readonly prefix: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** EVEX.W, where the EVEX form has it set. */
  readonly wide?: 1;
  /** The opcode extension of shifts by an immediate (modrm.reg); their target is in vvvv. */
  readonly extension?: number;
  /** Has no VEX form. */
  readonly evexOnly?: true;
  /** Bytes of the memory operand where it is not the vector's width (scales the EVEX disp8). */
  readonly memoryBytes?: number;
}

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
  vpaddd: { map: 1, prefix: 1, opcode: 0xfe },
  vpxor: { map: 1, prefix: 1, opcode: 0xef },
  vpand: { map: 1, prefix: 1, opcode: 0xdb },
  vpor: { map: 1, prefix: 1, opcode: 0xeb },
  vpunpckldq: { map: 1, prefix: 1, opcode: 0x62 },
  vpunpckhdq: { map: 1, prefix: 1, opcode: 0x6a },
  vpunpcklqdq: { map: 1, prefix: 1, opcode: 0x6c, wide: 1 },
  vpunpckhqdq: { map: 1, prefix: 1, opcode: 0x6d, wide: 1 },
  vpminud: { map: 2, prefix: 1, opcode: 0x3b },
  vpcmpeqd: { map: 1, prefix: 1, opcode: 0x76 },
  vpshufb: { map: 2, prefix: 1, opcode: 0x00 },
};

/** target, source-or-memory, immediate count. */
export type Shift = "vprord" | "vpsrld" | "vpslld";
export const SHIFT: Readonly<Record<Shift, Form & { readonly extension: number }>> = {
  vprord: { map: 1, prefix: 1, opcode: 0x72, extension: 0, evexOnly: true },
  vpsrld: { map: 1, prefix: 1, opcode: 0x72, extension: 2 },
  vpslld: { map: 1, prefix: 1, opcode: 0x72, extension: 6 },
};

/** target, source, source-or-memory, immediate. */
export type ThreeImmediate = "vpternlogd" | "vinserti32x4" | "vinserti128";
export const THREE_IMMEDIATE: Readonly<Record<ThreeImmediate, Form>> = {
  vpternlogd: { map: 3, prefix: 1, opcode: 0x25, evexOnly: true },
  vinserti32x4: { map: 3, prefix: 1, opcode: 0x38, evexOnly: true, memoryBytes: 16 },
  vinserti128: { map: 3, prefix: 1, opcode: 0x38, memoryBytes: 16 },
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
  paddd: { map: 1, prefix: 1, opcode: 0xfe },
  pxor: { map: 1, prefix: 1, opcode: 0xef },
  por: { map: 1, prefix: 1, opcode: 0xeb },
  pcmpeqd: { map: 1, prefix: 1, opcode: 0x76 },
  pminud: { map: 2, prefix: 1, opcode: 0x3b },
  punpckldq: { map: 1, prefix: 1, opcode: 0x62 },
  punpckhdq: { map: 1, prefix: 1, opcode: 0x6a },
  punpcklqdq: { map: 1, prefix: 1, opcode: 0x6c },
  punpckhqdq: { map: 1, prefix: 1, opcode: 0x6d },
  pshufb: { map: 2, prefix: 1, opcode: 0x00 },
  movdqa: { map: 1, prefix: 1, opcode: 0x6f },
  movdqu: { map: 1, prefix: 2, opcode: 0x6f },
  movq: { map: 1, prefix: 2, opcode: 0x7e },
  movd: { map: 1, prefix: 1, opcode: 0x6e },
  sha256rnds2: { map: 2, prefix: 0, opcode: 0xcb },
  sha256msg1: { map: 2, prefix: 0, opcode: 0xcc },
  sha256msg2: { map: 2, prefix: 0, opcode: 0xcd },
};

/** Legacy SSE with an immediate byte. */
export type SseImmediate = "palignr" | "pshufd";
export const SSE_IMMEDIATE: Readonly<Record<SseImmediate, Form>> = {
  palignr: { map: 3, prefix: 1, opcode: 0x0f },
  pshufd: { map: 1, prefix: 1, opcode: 0x70 },
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
