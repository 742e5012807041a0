/**
 * Machine operations into x86 instructions, for any vector width and either dialect, and the
 * prologue that works out a tile's constants.
 *
 * Register conventions of all our code (System V): rdi constant pool, rsi lane inputs, rdx hits or
 * outputs, rcx first lane, r8 end, r9 threshold.
 *
 * @module
 */
import {
  type Assembler,
  type Memory,
  RBP,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  type Width,
} from "./assembler.ts";
import type { Program } from "./expression.ts";
import { type Dialect, Lowering } from "./lowering.ts";
import { allocate, type MachineOp, type Place } from "./register_allocation.ts";

/** Where code finds things, apart from the fixed registers. */
export interface Frame {
  readonly width: Width;
  /** Hardware number of register 0 of the allocation. */
  readonly firstRegister: number;
  /** Bytes from rsp to the spilled vectors. */
  readonly spills: number;
  /** Bytes from one lane input array to the next; 1 where a load's immediate is in bytes. */
  readonly inputStride: number;
  /** Bytes from one output array to the next. */
  readonly outputStride: number;
  /** Base register of the transposing buffer. */
  readonly buffer?: number;
  /** Base register of stored states (32 bytes a lane). */
  readonly states?: number;
}

/** Appends the instructions of one operation; `result` is the kernel's own affair. */
export function emitOp(asm: Assembler, op: MachineOp, frame: Frame): void {
  const { width, firstRegister } = frame;
  const vectorBytes = width / 8;
  const to = op.to + firstRegister;
  const place = (p: Place): number | Memory => {
    if ("register" in p) return p.register + firstRegister;
    if ("slot" in p) return { base: RDI, displacement: 4 * p.slot, broadcast: true };
    return { base: RSP, displacement: frame.spills + vectorBytes * p.spill };
  };
  const register = (p: Place): number => place(p) as number;
  const lanes = (base: number, stride: number): Memory => ({
    base,
    index: RCX,
    scale: 4,
    displacement: op.immediate * stride,
  });
  const [first, second] = op.from as [Place, Place];
  switch (op.op) {
    case "add":
    case "xor":
    case "and":
    case "or": {
      const name = ({ add: "vpaddd", xor: "vpxor", and: "vpand", or: "vpor" } as const)[op.op];
      // Commutative: what lies in memory goes last.
      const [a, b] = "register" in first ? [first, second] : [second, first];
      return asm.three(name, width, to, register(a), place(b));
    }
    case "rotate":
      return asm.shift("vprord", width, to, place(first), op.immediate);
    case "shiftRight":
      return asm.shift("vpsrld", width, to, place(first), op.immediate);
    case "shiftLeft":
      return asm.shift("vpslld", width, to, place(first), op.immediate);
    case "ternary":
      return asm.threeImmediate(
        "vpternlogd",
        width,
        to,
        register(first),
        place(second),
        op.immediate,
      );
    case "load":
      return asm.load(width, to, lanes(RSI, frame.inputStride));
    case "storeOutput":
      return asm.store(width, lanes(RDX, frame.outputStride), register(first));
    case "broadcast": {
      const { slot } = first as { slot: number };
      return asm.broadcast(width, to, { base: RDI, displacement: 4 * slot });
    }
    case "storeSlot":
      return asm.storeLane0({ base: RDI, displacement: 4 * op.immediate }, register(first));
    case "spill":
      return asm.store(width, place({ spill: op.immediate }) as Memory, register(first));
    case "reload":
    case "copy":
      return asm.load(width, to, place(first));
    default:
      return emitTransposition(asm, op, frame);
  }
}

/**
 * The operations that move between lanes-in-a-vector and the lane-by-lane form of the SHA units.
 */
function emitTransposition(asm: Assembler, op: MachineOp, frame: Frame): void {
  const { width, firstRegister, buffer, states } = frame;
  const to = op.to + firstRegister;
  const register = (i: number): number =>
    (op.from[i] as { register: number }).register + firstRegister;
  const unpack = {
    unpackLow: "vpunpckldq",
    unpackHigh: "vpunpckhdq",
    unpackLowPairs: "vpunpcklqdq",
    unpackHighPairs: "vpunpckhqdq",
  } as const;
  switch (op.op) {
    case "unpackLow":
    case "unpackHigh":
    case "unpackLowPairs":
    case "unpackHighPairs":
      return asm.three(unpack[op.op], width, to, register(0), register(1));
    case "storeBuffer":
      return asm.store(width, { base: buffer!, displacement: op.immediate }, register(0));
    case "loadStateLow":
      return asm.load(128, to, { base: states!, displacement: op.immediate });
    case "insertStateHigh": {
      const memory = { base: states!, displacement: op.immediate };
      const evex = to > 15 || register(0) > 15;
      const name = evex ? "vinserti32x4" : "vinserti128";
      return asm.threeImmediate(name, 256, to, register(0), memory, 1);
    }
    default:
      throw new TypeError(`no instruction for ${op.op}`);
  }
}

/** Sets up a frame of at least `bytes` on the stack, aligned to 64; undone by `leave`. */
export function openFrame(asm: Assembler, bytes: number): void {
  asm.push(RBP);
  asm.alu("mov", RBP, RSP);
  asm.aluImmediate("sub", RSP, Math.ceil(bytes / 64) * 64);
  asm.aluImmediate("and", RSP, -64);
}

/** Returns; the result, if any, is in rax. `avx`: the code has touched AVX registers. */
export function closeFrame(asm: Assembler, avx: boolean): void {
  asm.plain("leave");
  if (avx) asm.zeroUpper();
  asm.plain("ret");
}

/**
 * A procedure (constant pool in rdi) that works out a tile's constants: the same operations on
 * vectors of which only lane 0 counts, so that a tile costs no JavaScript.
 */
export function emitPrologue(
  asm: Assembler,
  program: Program,
  dialect: Dialect,
  width: Width,
): void {
  const lowering = new Lowering(program, dialect, true);
  const byNode = new Map<number, number[]>();
  for (const { node, slot } of program.stores) {
    byNode.set(node, [...(byNode.get(node) ?? []), slot]);
  }
  const store = (node: number): void => {
    for (const slot of byNode.get(node) ?? []) {
      lowering.effect("storeSlot", [lowering.register(node)], slot);
    }
  };
  for (const node of byNode.keys()) if (lowering.has(node)) store(node);
  for (const node of program.prologue) {
    lowering.compute(node);
    store(node);
  }
  const { code, spillSlots } = allocate(lowering.ops, lowering.registers, 16);
  openFrame(asm, (spillSlots * width) / 8);
  const frame: Frame = { width, firstRegister: 0, spills: 0, inputStride: 0, outputStride: 0 };
  for (const op of code) emitOp(asm, op, frame);
  closeFrame(asm, true);
}
