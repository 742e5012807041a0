/**
 * From graph nodes to vector micro-operations on an unbounded number of registers, in dialects:
 * AVX-512 has rotations and three-input logic; AVX2 and WebAssembly have neither.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import { LANE, LITERAL, type Node, type NodeId, POOL_INPUTS, type Program } from "./expression.ts";

/** A virtual register, or a word of the constant pool (the same for all lanes). */
export type Operand = { readonly value: number } | { readonly slot: number };

/** One instruction's worth of work. `to` is a virtual register, -1 where there is no result. */
export interface MicroOp {
  readonly op:
    | "add"
    | "xor"
    | "and"
    | "or"
    | "rotate"
    | "shiftRight"
    | "shiftLeft"
    | "ternary"
    /** Lane input `immediate`. */
    | "load"
    /** A pool word to all lanes. */
    | "broadcast"
    /** The low lane to pool slot `immediate`. */
    | "storeSlot"
    /** The vector to output array `immediate`. */
    | "storeOutput"
    /** Interleaves two vectors: low or high halves of each 128 bits, by words or by pairs. */
    | "unpackLow"
    | "unpackHigh"
    | "unpackLowPairs"
    | "unpackHighPairs"
    /** The vector to the transposing buffer, at byte offset `immediate`. */
    | "storeBuffer"
    /** 16 bytes of a lane's state at byte offset `immediate` into the low, or the upper half. */
    | "loadStateLow"
    | "insertStateHigh"
    /** The word to compare: the end of a scan. */
    | "result";
  readonly to: number;
  readonly from: readonly Operand[];
  /** Shift count, truth table, or what the operation says. */
  readonly immediate: number;
}

/** Truth tables of vpternlogd, its three operands being the bits 2, 1 and 0 of the index. */
export const XOR3 = 0x96;
export const CHOOSE = 0xca;
export const MAJORITY = 0xe8;
/** mask ? a : b, bit by bit, of the operands a, b, mask. */
const SELECT = 0xe4;

/** The rotation amounts of FIPS 180-4, section 4.1.2; of the small ones the third is a shift. */
export const AMOUNTS = {
  bigSigma0: [2, 13, 22],
  bigSigma1: [6, 11, 25],
  smallSigma0: [7, 18, 3],
  smallSigma1: [17, 19, 10],
} as const;

/**
 * Which instructions to use: "portable" is what AVX2 and WebAssembly have in common, "avx512-sha"
 * is AVX-512 without its three-input logic. Beside `sha256rnds2`, which reads three registers too,
 * a `vpternlogd` costs half a cycle more than the two `vpxor` that do the same (seen on Zen 4).
 */
export type Dialect = "avx512" | "avx512-sha" | "portable";

/** Lowers a program's body or prologue, and whatever the kernel adds before and after it. */
export class Lowering {
  readonly ops: MicroOp[] = [];
  readonly #program: Program;
  readonly #dialect: Dialect;
  readonly #inPrologue: boolean;
  readonly #values = new Map<NodeId, Operand>();
  readonly #xors = new Map<string, Operand>();
  #next = 0;

  constructor(program: Program, dialect: Dialect, inPrologue = false) {
    this.#program = program;
    this.#dialect = dialect;
    this.#inPrologue = inPrologue;
  }

  /** Virtual registers so far. */
  get registers(): number {
    return this.#next;
  }

  /** Appends a micro-operation; returns its result. */
  emit(op: MicroOp["op"], from: readonly Operand[], immediate = 0): Operand & { value: number } {
    const to = this.#next++;
    this.ops.push({ op, to, from, immediate });
    return { value: to };
  }

  /** Appends a micro-operation without a result. */
  effect(op: MicroOp["op"], from: readonly Operand[], immediate = 0): void {
    this.ops.push({ op, to: -1, from, immediate });
  }

  /** Says that a lane node's value is already at hand. */
  define(id: NodeId, operand: Operand): void {
    this.#values.set(id, operand);
  }

  /** Whether the node can be used as an operand now. */
  has(id: NodeId): boolean {
    return this.#values.has(id) || this.#slot(id) !== undefined;
  }

  /** Where a node's value is. */
  operand(id: NodeId): Operand {
    const value = this.#values.get(id);
    if (value !== undefined) return value;
    const slot = this.#slot(id);
    invariant(slot !== undefined, `node ${id} used before it is computed`);
    return { slot };
  }

  /** A node's value in a register. */
  register(id: NodeId): Operand {
    return this.#inRegister(this.operand(id));
  }

  /** Computes one node. */
  compute(id: NodeId): void {
    if (this.#values.has(id)) return;
    const node = this.#program.graph.nodes[id]!;
    this.#values.set(id, this.#lower(node));
  }

  #slot(id: NodeId): number | undefined {
    const { op, stage, value } = this.#program.graph.nodes[id]!;
    if (!this.#inPrologue) return stage === LANE ? undefined : this.#program.slots.get(id);
    if (op === "tileInput") return POOL_INPUTS + value;
    return stage === LITERAL ? this.#program.slots.get(id) : undefined;
  }

  #inRegister(operand: Operand): Operand {
    return "slot" in operand ? this.emit("broadcast", [operand]) : operand;
  }

  /**
   * All operands but `allowed` in registers; only AVX-512 has operands that broadcast from memory.
   */
  #limit(operands: readonly Operand[], allowed: number): Operand[] {
    let left = this.#dialect === "portable" ? 0 : allowed;
    return operands.map((o) => ("slot" in o && left-- <= 0 ? this.#inRegister(o) : o));
  }

  #lower(node: Node): Operand {
    const args = node.args.map((id) => this.operand(id));
    switch (node.op) {
      case "laneInput":
        return this.emit("load", [], node.value);
      case "add":
        return this.emit("add", this.#limit(args, 1));
      case "choose":
        return this.#choose(args);
      case "majority":
        return this.#majority(args);
      case "swapBytes":
        return this.#swapBytes(args);
      case "literal":
      case "tileInput":
        throw new TypeError(`a ${node.op} is not computed`);
      default:
        return this.#sigma(node.op, this.#inRegister(args[0]!));
    }
  }

  #xor(a: Operand, b: Operand): Operand {
    return this.emit("xor", [a, b]);
  }

  #sigma(name: keyof typeof AMOUNTS, x: Operand): Operand {
    const [first, second, third] = AMOUNTS[name];
    const shifted = name.startsWith("small");
    if (this.#dialect !== "portable") {
      const terms: Operand[] = [first, second].map((n) => this.emit("rotate", [x], n));
      terms.push(this.emit(shifted ? "shiftRight" : "rotate", [x], third));
      if (this.#dialect === "avx512") return this.emit("ternary", terms, XOR3);
      return terms.reduce((a, b) => this.#xor(a, b));
    }
    const terms: Operand[] = [first, second, third].map((n) => this.emit("shiftRight", [x], n));
    for (const n of shifted ? [first, second] : [first, second, third]) {
      terms.push(this.emit("shiftLeft", [x], 32 - n));
    }
    return terms.reduce((a, b) => this.#xor(a, b));
  }

  #choose(args: readonly Operand[]): Operand {
    const [e, f, g] = this.#limit(args, 1) as [Operand, Operand, Operand];
    if (this.#dialect === "avx512") return this.emit("ternary", [e, f, g], CHOOSE);
    return this.#xor(this.emit("and", [this.#xor(f, g), e]), g);
  }

  /** ((a ^ b) & (b ^ c)) ^ b: the next round needs a ^ b again, as its b ^ c. */
  #majority(args: readonly Operand[]): Operand {
    if (this.#dialect === "avx512") return this.emit("ternary", this.#limit(args, 1), MAJORITY);
    const known = (x: Operand, y: Operand): Operand => {
      const key = JSON.stringify([x, y]);
      const found = this.#xors.get(key);
      if (found !== undefined) return found;
      const made = this.#xor(this.#inRegister(x), this.#inRegister(y));
      this.#xors.set(key, made);
      return made;
    };
    const [a, b, c] = args as [Operand, Operand, Operand];
    const both = this.emit("and", [known(a, b), known(b, c)]);
    return this.#xor(both, this.#inRegister(b));
  }

  /** The bytes of every word reversed: two rotations, of which each has half of the bytes right. */
  #swapBytes(args: readonly Operand[]): Operand {
    const [x, mask] = args.map((operand) => this.#inRegister(operand)) as [Operand, Operand];
    if (this.#dialect === "avx512") {
      const turned = [this.emit("rotate", [x], 24), this.emit("rotate", [x], 8)];
      return this.emit("ternary", [...turned, mask], SELECT);
    }
    const rotate = (n: number) =>
      this.emit("or", [this.emit("shiftRight", [x], n), this.emit("shiftLeft", [x], 32 - n)]);
    const [left, right] = [rotate(24), rotate(8)];
    return this.#xor(this.emit("and", [this.#xor(left, right), mask]), right);
  }
}
