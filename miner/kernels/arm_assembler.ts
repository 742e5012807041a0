/**
 * A small AArch64 assembler: exactly the instructions that our kernel emits, 32 bits each (Arm
 * Architecture Reference Manual for A-profile, chapter C4). Every form is compared with the bytes
 * of GNU as in tests/miner/arm_assembler_test.ts.
 *
 * Registers are numbers 0..31: x0..x30 and the zero register, or v0..v31.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import type { Extension } from "./extensions.ts";

/** The zero register. */
export const XZR = 31;

/** target = source1 op source2, on vectors of four words (the last two: on whole digests). */
export type ArmThree = "add" | "cmhs" | "sha256h" | "sha256h2" | "sha256su1";
const THREE: Readonly<Record<ArmThree, number>> = {
  add: 0x4ea08400,
  cmhs: 0x6ea03c00,
  sha256h: 0x5e004000,
  sha256h2: 0x5e005000,
  sha256su1: 0x5e006000,
};

/** target = op source. */
export type ArmTwo = "sha256su0" | "rev32" | "umaxv" | "fmov" | "dup" | "sxtw";
const TWO: Readonly<Record<ArmTwo, number>> = {
  sha256su0: 0x5e282800,
  /** Reverses the bytes of every word. */
  rev32: 0x6e200800,
  /** The largest of four words, to a scalar. */
  umaxv: 0x6eb0a800,
  /** Scalar to general register, 32 bits. */
  fmov: 0x1e260000,
  /** General register to all four words. */
  dup: 0x4e040c00,
  /** Sign-extends 32 bits to 64. */
  sxtw: 0x93407c00,
};

/** Those that belong to FEAT_SHA256; the others are the baseline's. */
const SHA256: ReadonlySet<ArmThree | ArmTwo> = new Set([
  "sha256h",
  "sha256h2",
  "sha256su0",
  "sha256su1",
] as const);

/** A place in the code to jump to. */
export interface ArmLabel {
  position: number;
  readonly uses: number[];
}

/** Collects machine code. Every method appends one instruction. */
export class ArmAssembler {
  readonly #code: number[] = [];
  readonly #sha256: boolean;

  /** For code that may use the baseline of AArch64 and these extensions. */
  constructor(extensions: ReadonlySet<Extension>) {
    this.#sha256 = extensions.has("FEAT_SHA256");
  }

  /** The code; every label used must have been placed. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(4 * this.#code.length);
    const view = new DataView(bytes.buffer);
    this.#code.forEach((word, i) => view.setUint32(4 * i, word, true));
    return bytes;
  }

  /** Vector instruction with two sources. */
  three(op: ArmThree, target: number, source1: number, source2: number): void {
    this.#require(op);
    this.#put(THREE[op] | (source2 << 16) | (source1 << 5) | target);
  }

  /** Instruction with one source. */
  two(op: ArmTwo, target: number, source: number): void {
    this.#require(op);
    this.#put(TWO[op] | (source << 5) | target);
  }

  /** mov of a whole vector register. */
  moveVector(target: number, source: number): void {
    this.#put(0x4ea01c00 | (source << 16) | (source << 5) | target);
  }

  /** movi: zero to a vector register. */
  zeroVector(target: number): void {
    this.#put(0x4f000400 | target);
  }

  /** mov target.s[to], source.s[from]: one word of a vector. */
  moveWord(target: number, to: number, source: number, from: number): void {
    this.#put(0x6e000400 | (((to << 3) | 4) << 16) | (from << 13) | (source << 5) | target);
  }

  /** ld1 {target.s}[word], [base], #4: one word of a vector, and the pointer moves on. */
  loadWord(target: number, word: number, base: number): void {
    this.#put(0x0ddf8000 | ((word >> 1) << 30) | ((word & 1) << 12) | (base << 5) | target);
  }

  /** ldr: a vector from base + offset, a multiple of 16 below 65,536. */
  loadVector(target: number, base: number, offset: number): void {
    this.#put(0x3dc00000 | (this.#scaled(offset) << 10) | (base << 5) | target);
  }

  /** str: a vector to base + offset, a multiple of 16 below 65,536. */
  storeVector(source: number, base: number, offset: number): void {
    this.#put(0x3d800000 | (this.#scaled(offset) << 10) | (base << 5) | source);
  }

  /** add of an immediate below 4,096, or of one times 4,096. */
  addImmediate(target: number, source: number, immediate: number, times4096: 0 | 1 = 0): void {
    invariant(immediate >= 0 && immediate < 4096, `immediate out of range: ${immediate}`);
    this.#put(0x91000000 | (times4096 << 22) | (immediate << 10) | (source << 5) | target);
  }

  /** add target, source1, source2, lsl #shift. */
  addShifted(target: number, source1: number, source2: number, shift: number): void {
    this.#put(0x8b000000 | (source2 << 16) | (shift << 10) | (source1 << 5) | target);
  }

  /** mov of a general register. */
  move(target: number, source: number): void {
    this.#put(0xaa0003e0 | (source << 16) | target);
  }

  /** cmp of two general registers. */
  compare(a: number, b: number): void {
    this.#put(0xeb000000 | (b << 16) | (a << 5) | XZR);
  }

  ret(): void {
    this.#put(0xd65f03c0);
  }

  /** A label that has no place yet. */
  label(): ArmLabel {
    return { position: -1, uses: [] };
  }

  /** Gives `label` the current position, and resolves the jumps that were waiting for it. */
  place(label: ArmLabel): void {
    label.position = this.#code.length;
    for (const use of label.uses) this.#resolve(label, use);
  }

  /** b.lt: jumps when the comparison said "less", signed. */
  jumpIfLess(label: ArmLabel): void {
    this.#jump(0x5400000b, label);
  }

  /** cbnz: jumps when the lower 32 bits of a register are not zero. */
  jumpIfNotZero(register: number, label: ArmLabel): void {
    this.#jump(0x35000000 | register, label);
  }

  #require(op: ArmThree | ArmTwo): void {
    invariant(this.#sha256 || !SHA256.has(op), `${op} needs FEAT_SHA256, the code is without it`);
  }

  #jump(word: number, label: ArmLabel): void {
    const use = this.#code.length;
    this.#put(word);
    if (label.position < 0) label.uses.push(use);
    else this.#resolve(label, use);
  }

  /** Both kinds of jump have 19 bits of distance, in instructions, at bit 5. */
  #resolve(label: ArmLabel, use: number): void {
    const distance = (label.position - use) & 0x7ffff;
    this.#code[use] = (this.#code[use]! | (distance << 5)) >>> 0;
  }

  #scaled(offset: number): number {
    invariant(offset % 16 === 0 && offset >= 0 && offset < 65_536, `bad offset: ${offset}`);
    return offset / 16;
  }

  #put(word: number): void {
    this.#code.push(word >>> 0);
  }
}
