/**
 * A small x86-64 assembler: exactly the instruction forms that our kernels emit, as bytes.
 *
 * Encodings follow the Intel Software Developer's Manual, volume 2, chapter 2: legacy prefixes
 * (2.1, 2.2), VEX (2.3) and EVEX (2.7). Every form is compared with the bytes of GNU as in
 * tests/miner/assembler_test.ts.
 *
 * An assembler knows which extensions it may use, and refuses every instruction that needs another.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import type { Extension } from "./extensions.ts";
import {
  ALU,
  type Alu,
  ALU_IMMEDIATE,
  type AluImmediate,
  type Condition,
  CONDITIONS,
  type Form,
  MANDATORY_PREFIX,
  MAP_BYTES,
  type Memory,
  type Needed,
  needsEvex,
  SHIFT,
  type Shift,
  SINGLE,
  SSE,
  type Sse,
  SSE_IMMEDIATE,
  SSE_SINGLE,
  type SseImmediate,
  THREE,
  type Three,
  THREE_IMMEDIATE,
  type ThreeImmediate,
  type VectorOperand,
  type Width,
} from "./instruction_forms.ts";

export type { Memory, VectorOperand, Width };

/** General-purpose registers by their hardware numbers. */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export const R11 = 11;

/** A place in the code to jump to. */
export interface Label {
  position: number;
  readonly uses: number[];
}

/** Collects machine code. Every method appends one instruction. */
export class Assembler {
  readonly #bytes: number[] = [];
  readonly #extensions: ReadonlySet<Extension>;

  /** For code that may use the baseline of x86-64 and these extensions. */
  constructor(extensions: ReadonlySet<Extension>) {
    this.#extensions = extensions;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#bytes.length;
  }

  /** The code; every label used must have been placed. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** target = source1 op source2. VEX where that can say it, else EVEX. */
  three(op: Three, width: Width, target: number, source1: number, source2: VectorOperand): void {
    this.#vector(op, THREE[op], width, target, source1, source2);
  }

  /** target = source op immediate. */
  shift(op: Shift, width: Width, target: number, source: VectorOperand, count: number): void {
    this.#vector(op, SHIFT[op], width, SHIFT[op].opcodeExtension, target, source);
    this.#put(count);
  }

  /** target = op(source1, source2, immediate); vpternlogd also reads its target. */
  threeImmediate(
    op: ThreeImmediate,
    width: Width,
    target: number,
    source1: number,
    source2: VectorOperand,
    immediate: number,
  ): void {
    this.#vector(op, THREE_IMMEDIATE[op], width, target, source1, source2);
    this.#put(immediate);
  }

  /** Loads (or copies) a vector; no alignment needed. */
  load(width: Width, target: number, source: VectorOperand): void {
    this.#vector("vmovdqu", SINGLE["vmovdqu load"], width, target, 0, source);
  }

  /** Stores a vector; no alignment needed. */
  store(width: Width, target: Memory, source: number): void {
    this.#vector("vmovdqu", SINGLE["vmovdqu store"], width, source, 0, target);
  }

  /** vpbroadcastd: one 32-bit word from memory or from the low lane of a register. */
  broadcast(width: Width, target: number, source: VectorOperand): void {
    this.#vector("vpbroadcastd", SINGLE.vpbroadcastd, width, target, 0, source);
  }

  /** vmovd: the low 32 bits of a general register into lane 0, the rest zero. */
  moveFromGeneral(target: number, source: number): void {
    this.#vector("vmovd", SINGLE["vmovd from general"], 128, target, 0, source);
  }

  /** vmovd: stores lane 0. */
  storeLane0(target: Memory, source: number): void {
    this.#vector("vmovd", SINGLE["vmovd to memory"], 128, source, 0, target);
  }

  /** vmovq: loads 64 bits, the rest of the register zero. */
  loadQuad(target: number, source: Memory): void {
    this.#vector("vmovq", SINGLE["vmovq load"], 128, target, 0, source);
  }

  /** vpcmpud mask, source1, source2, 2: mask bit i = source1[i] <= source2[i], unsigned. */
  compareLessEqual(width: Width, mask: number, source1: number, source2: VectorOperand): void {
    this.#vector("vpcmpud", SINGLE.vpcmpud, width, mask, source1, source2);
    this.#put(2);
  }

  /** kortestw: sets ZF when both masks are zero. */
  testMask(mask: number): void {
    this.#require("kortestw", "AVX512F");
    this.#put(0xc5, 0xf8, 0x98, 0xc0 | (mask << 3) | mask);
  }

  /** vpmovmskb: the top bit of every byte of a vector register (0..15). */
  byteMask(width: 128 | 256, target: number, source: number): void {
    this.#vector("vpmovmskb", SINGLE.vpmovmskb, width, target, 0, source);
  }

  /** Clears the upper halves, so that legacy SSE code after us runs at full speed. */
  zeroUpper(): void {
    this.#require("vzeroupper", "AVX");
    this.#put(0xc5, 0xf8, 0x77);
  }

  /** A legacy SSE instruction. */
  sse(op: Sse, target: number, source: VectorOperand): void {
    this.#legacy(op, SSE[op], target, source);
  }

  /** A legacy SSE instruction with an immediate. */
  sseImmediate(op: SseImmediate, target: number, source: VectorOperand, immediate: number): void {
    this.#legacy(op, SSE_IMMEDIATE[op], target, source);
    this.#put(immediate);
  }

  /** pslldq: shifts the whole register left by `count` bytes. */
  shiftBytesLeft(target: number, count: number): void {
    const form = SSE_SINGLE.pslldq;
    this.#legacy("pslldq", form, form.opcodeExtension!, target);
    this.#put(count);
  }

  /** movdqu: stores 128 bits. */
  sseStore(target: Memory, source: number): void {
    this.#legacy("movdqu", SSE_SINGLE["movdqu store"], source, target);
  }

  /** pmovmskb: the top bit of every byte. */
  sseByteMask(target: number, source: number): void {
    this.#legacy("pmovmskb", SSE_SINGLE.pmovmskb, target, source);
  }

  /** 64-bit integer instruction on registers: target = target op source (cmp, test: flags only). */
  alu(op: Alu, target: number, source: number): void {
    this.#put(0x48 | ((source & 8) >> 1) | ((target & 8) >> 3), ALU[op]);
    this.#modrm(source, target, 1);
  }

  /** 64-bit integer instruction with a sign-extended immediate of 8 or 32 bits. */
  aluImmediate(op: AluImmediate, target: number, immediate: number): void {
    const short = immediate >= -128 && immediate <= 127;
    this.#put(0x48 | ((target & 8) >> 3), short ? 0x83 : 0x81);
    this.#modrm(ALU_IMMEDIATE[op], target, 1);
    if (short) this.#put(immediate);
    else this.#put32(immediate);
  }

  /** shl: 64-bit shift left by an immediate. */
  shiftLeft(target: number, count: number): void {
    this.#put(0x48 | ((target & 8) >> 3), 0xc1);
    this.#modrm(4, target, 1);
    this.#put(count);
  }

  /** movsxd: sign-extends 32 bits to 64. */
  signExtend(target: number, source: number): void {
    this.#put(0x48 | ((target & 8) >> 1) | ((source & 8) >> 3), 0x63);
    this.#modrm(target, source, 1);
  }

  /** lea: target = address. */
  address(target: number, source: Memory): void {
    this.#put(0x48 | this.#rexBits(target, source), 0x8d);
    this.#modrm(target, source, 1);
  }

  /** mov dword [memory], register. */
  store32(target: Memory, source: number): void {
    const rex = this.#rexBits(source, target);
    if (rex) this.#put(0x40 | rex);
    this.#put(0x89);
    this.#modrm(source, target, 1);
  }

  /** mov dword register, [memory]. */
  load32(target: number, source: Memory): void {
    const rex = this.#rexBits(target, source);
    if (rex) this.#put(0x40 | rex);
    this.#put(0x8b);
    this.#modrm(target, source, 1);
  }

  /** xchg: swaps two 64-bit registers. */
  exchange(a: number, b: number): void {
    this.#put(0x48 | ((b & 8) >> 1) | ((a & 8) >> 3), 0x87);
    this.#modrm(b, a, 1);
  }

  /** push of a register. */
  push(register: number): void {
    if (register & 8) this.#put(0x41);
    this.#put(0x50 | (register & 7));
  }

  /** pop of a register. */
  pop(register: number): void {
    if (register & 8) this.#put(0x41);
    this.#put(0x58 | (register & 7));
  }

  /** Instructions without operands. */
  plain(op: "ret" | "leave" | "cpuid" | "xgetbv"): void {
    if (op === "ret") this.#put(0xc3);
    else if (op === "leave") this.#put(0xc9);
    else if (op === "cpuid") this.#put(0x0f, 0xa2);
    else {
      this.#require(op, "XSAVE");
      this.#put(0x0f, 0x01, 0xd0);
    }
  }

  /** Fills with one-byte nops up to a multiple of `bytes`. */
  align(bytes: number): void {
    while (this.#bytes.length % bytes !== 0) this.#put(0x90);
  }

  /** A label that has no place yet. */
  label(): Label {
    return { position: -1, uses: [] };
  }

  /** Gives `label` the current position, and resolves the jumps that were waiting for it. */
  place(label: Label): void {
    label.position = this.size;
    for (const use of label.uses) this.#resolve(label, use);
  }

  /** jcc rel32, or jmp rel32 without a condition. */
  jump(label: Label, condition?: Condition): void {
    if (condition === undefined) this.#put(0xe9);
    else this.#put(0x0f, 0x80 | CONDITIONS[condition]);
    const use = this.size;
    this.#put32(0);
    if (label.position < 0) label.uses.push(use);
    else this.#resolve(label, use);
  }

  #resolve(label: Label, use: number): void {
    const distance = label.position - (use + 4);
    for (let i = 0; i < 4; i++) this.#bytes[use + i] = (distance >> (8 * i)) & 0xff;
  }

  /** Without an array for the arguments: this is most of what it takes to make code. */
  #put(first: number, second?: number, third?: number, fourth?: number): void {
    const bytes = this.#bytes;
    bytes.push(first & 0xff);
    if (second !== undefined) bytes.push(second & 0xff);
    if (third !== undefined) bytes.push(third & 0xff);
    if (fourth !== undefined) bytes.push(fourth & 0xff);
  }

  #put32(value: number): void {
    this.#put(value, value >> 8, value >> 16, value >> 24);
  }

  /** REX.R, .X and .B for a modrm.reg and a modrm.rm operand. */
  #rexBits(reg: number, operand: VectorOperand): number {
    const r = (reg & 8) >> 1;
    if (typeof operand === "number") return r | ((operand & 8) >> 3);
    return r | (((operand.index ?? 0) & 8) >> 2) | ((operand.base & 8) >> 3);
  }

  /** Throws unless this code may use what `what` needs; `undefined`: there is no such form. */
  #require(what: string, needed: Needed | undefined): void {
    if (needed === "baseline") return;
    if (needed !== undefined && this.#extensions.has(needed)) return;
    const reason =
      needed === undefined
        ? "does not exist"
        : `needs ${needed}, but the code is for ${[...this.#extensions].join(", ")}`;
    invariant(false, `${what} of this form ${reason}`);
  }

  #legacy(what: string, form: Form, reg: number, operand: VectorOperand): void {
    this.#require(what, form.legacy);
    if (needsEvex(128, reg, 0, operand)) this.#require(what, undefined);
    const rex = this.#rexBits(reg, operand);
    for (const byte of MANDATORY_PREFIX[form.prefix]) this.#put(byte);
    if (rex) this.#put(0x40 | rex);
    for (const byte of [...MAP_BYTES[form.map], form.opcode]) this.#put(byte);
    this.#modrm(reg, operand, 1);
  }

  #vector(
    what: string,
    form: Form,
    width: Width,
    reg: number,
    vvvv: number,
    operand: VectorOperand,
  ): void {
    if (form.vex === undefined || needsEvex(width, reg, vvvv, operand)) {
      this.#require(what, form.evex);
      if (width < 512 && form.scalar !== true) this.#require(what, "AVX512VL");
      this.#evex(form, width, reg, vvvv, operand);
    } else {
      this.#require(what, form.vex[width as 128 | 256]);
      this.#vex(form, width, reg, vvvv, operand);
    }
  }

  /** VEX (SDM 2.3.5): R, X, B and vvvv are stored inverted; C5 when the long form is not needed. */
  #vex(form: Form, width: Width, reg: number, vvvv: number, operand: VectorOperand): void {
    const rex = this.#rexBits(reg, operand);
    const tail = ((~vvvv & 15) << 3) | (width === 256 ? 4 : 0) | form.prefix;
    if (form.map === 1 && (rex & 3) === 0) this.#put(0xc5, (rex & 4 ? 0 : 0x80) | tail);
    else this.#put(0xc4, ((~rex & 7) << 5) | form.map, tail);
    this.#put(form.opcode);
    this.#modrm(reg, operand, 1);
  }

  /**
   * EVEX (SDM 2.7.1): as VEX, with a fifth bit for every register, and disp8 scaled by the operand.
   */
  #evex(form: Form, width: Width, reg: number, vvvv: number, operand: VectorOperand): void {
    const inRegister = typeof operand === "number";
    let rxb = ~this.#rexBits(reg, operand) & 7;
    if (inRegister && operand & 16) rxb &= 5;
    const broadcast = !inRegister && operand.broadcast === true;
    this.#put(0x62, (rxb << 5) | (reg & 16 ? 0 : 0x10) | form.map);
    this.#put(((form.wide ?? 0) << 7) | ((~vvvv & 15) << 3) | 4 | form.prefix);
    this.#put(((width >> 8) << 5) | (broadcast ? 0x10 : 0) | (vvvv & 16 ? 0 : 8), form.opcode);
    this.#modrm(reg, operand, broadcast ? 4 : (form.memoryBytes ?? width / 8));
  }

  /** ModRM, SIB and displacement (SDM 2.1.5); disp8 counts in units of `scale` bytes (EVEX). */
  #modrm(reg: number, operand: VectorOperand, scale: number): void {
    const field = (reg & 7) << 3;
    if (typeof operand === "number") return this.#put(0xc0 | field | (operand & 7));
    const { base, index, displacement = 0 } = operand;
    const short = displacement / scale;
    const fits = Number.isInteger(short) && short >= -128 && short <= 127;
    const mode = displacement === 0 && (base & 7) !== RBP ? 0 : fits ? 0x40 : 0x80;
    invariant(index !== RSP, "rsp cannot be an index");
    if (index === undefined && (base & 7) !== RSP) this.#put(mode | field | (base & 7));
    else {
      const log = 31 - Math.clz32(operand.scale ?? 1);
      this.#put(mode | field | 4, (log << 6) | (((index ?? RSP) & 7) << 3) | (base & 7));
    }
    if (mode === 0x40) this.#put(short);
    else if (mode === 0x80) this.#put32(displacement);
  }
}
