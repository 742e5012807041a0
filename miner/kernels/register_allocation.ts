/**
 * Puts virtual registers into real ones, in one pass over straight-line code: when none is free,
 * the value whose next use is farthest goes to the stack (Belady's rule, exact knowledge of the
 * future).
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import type { MicroOp, Operand } from "./lowering.ts";

/** Where an operand finally is: a register, a pool slot, or a slot of the stack frame. */
export type Place =
  { readonly register: number } | { readonly slot: number } | { readonly spill: number };

/** A micro-operation with real registers. `spill`, `reload` and `copy` are added where needed. */
export interface MachineOp {
  readonly op: MicroOp["op"] | "spill" | "reload" | "copy";
  /** Target register; -1 for none. A `ternary` also reads its target, as its first operand. */
  readonly to: number;
  readonly from: readonly Place[];
  readonly immediate: number;
}

/** Allocated code and the stack slots (of one vector each) it needs. */
export interface Allocation {
  readonly code: readonly MachineOp[];
  readonly spillSlots: number;
}

/** Operations that can take their last operand from the stack. */
const MEMORY_ALLOWED: ReadonlySet<MicroOp["op"]> = new Set(["add", "xor", "and", "or"]);
/** A reload is put into a register when the value is used again this soon. */
const SOON = 40;

/** Allocates `ops` to registers 0..`registers`-1. */
export function allocate(
  ops: readonly MicroOp[],
  values: number,
  registers: number,
  soon: number = SOON,
): Allocation {
  return new Allocator(ops, values, registers, soon).run();
}

class Allocator {
  readonly #ops: readonly MicroOp[];
  readonly #soon: number;
  /** Positions at which each value is used, ascending. */
  readonly #uses: number[][];
  readonly #register: Int32Array;
  readonly #spill: Int32Array;
  /** The value in each register, -1 when free. */
  readonly #owner: Int32Array;
  readonly #freeSpills: number[] = [];
  /** Stack slots that the current operation may still read: free from the next one on. */
  readonly #dyingSpills: number[] = [];
  readonly #code: MachineOp[] = [];
  #spillSlots = 0;
  #turn = 0;

  constructor(ops: readonly MicroOp[], values: number, registers: number, soon: number) {
    this.#ops = ops;
    this.#soon = soon;
    this.#uses = Array.from({ length: values }, () => []);
    ops.forEach((op, i) => {
      for (const o of op.from) if ("value" in o) this.#uses[o.value]!.push(i);
    });
    this.#register = new Int32Array(values).fill(-1);
    this.#spill = new Int32Array(values).fill(-1);
    this.#owner = new Int32Array(registers).fill(-1);
  }

  run(): Allocation {
    this.#ops.forEach((op, i) => this.#step(op, i));
    return { code: this.#code, spillSlots: this.#spillSlots };
  }

  #step(op: MicroOp, i: number): void {
    this.#freeSpills.push(...this.#dyingSpills.splice(0));
    const pinned = new Set<number>();
    for (const o of op.from) {
      if ("value" in o && this.#register[o.value]! >= 0) pinned.add(this.#register[o.value]!);
    }
    let memory = op.from.some((o) => "slot" in o) || !MEMORY_ALLOWED.has(op.op);
    const from = op.from.map((o): Place => {
      if ("slot" in o) return o;
      const here = this.#register[o.value]!;
      if (here >= 0) return { register: here };
      invariant(this.#spill[o.value]! >= 0, `value ${o.value} is nowhere at ${i}`);
      if (!memory && this.#nextUse(o.value, i + 1) > i + this.#soon) {
        memory = true;
        return { spill: this.#spill[o.value]! };
      }
      return { register: this.#reload(o.value, i, pinned) };
    });
    if (op.op === "ternary") this.#ternary(op, from, i, pinned);
    else this.#plain(op, from, i, pinned);
  }

  #plain(op: MicroOp, from: readonly Place[], i: number, pinned: ReadonlySet<number>): void {
    this.#release(op.from, i);
    const to = op.to < 0 ? -1 : this.#take(op.to, i, pinned);
    this.#code.push({ op: op.op, to, from, immediate: op.immediate });
    // A value that nothing uses (the other half of a pair, say) must not keep its register.
    if (op.to >= 0 && this.#uses[op.to]!.length === 0) this.#drop(op.to);
  }

  /** The target must be an operand: one that dies here, or else a copy of one. */
  #ternary(op: MicroOp, from: readonly Place[], i: number, pinned: ReadonlySet<number>): void {
    const dies = (o: Operand): boolean =>
      "value" in o && this.#nextUse(o.value, i + 1) === Infinity;
    let first = op.from.findIndex((o, k) => "register" in from[k]! && dies(o));
    let to: number;
    if (first >= 0) {
      to = (from[first] as { register: number }).register;
      this.#release(op.from, i);
      this.#hold(op.to, to);
    } else {
      first = from.findIndex((place) => "register" in place);
      to = this.#take(op.to, i, pinned);
      this.#code.push({ op: "copy", to, from: [from[first]!], immediate: 0 });
      this.#release(op.from, i);
    }
    const others = [0, 1, 2].filter((k) => k !== first);
    // Only the last operand may be in memory.
    if (!("register" in from[others[0]!]!)) others.reverse();
    const order = [first, ...others];
    const immediate = permuteTable(op.immediate, order);
    this.#code.push({ op: "ternary", to, from: others.map((k) => from[k]!), immediate });
  }

  #nextUse(value: number, i: number): number {
    return this.#uses[value]!.find((use) => use >= i) ?? Infinity;
  }

  #hold(value: number, register: number): void {
    this.#owner[register] = value;
    this.#register[value] = register;
  }

  #drop(value: number): void {
    const register = this.#register[value]!;
    if (register >= 0) this.#owner[register] = -1;
    this.#register[value] = -1;
    if (this.#spill[value]! >= 0) this.#dyingSpills.push(this.#spill[value]!);
    this.#spill[value] = -1;
  }

  #release(operands: readonly Operand[], i: number): void {
    for (const o of operands) {
      if ("value" in o && this.#nextUse(o.value, i + 1) === Infinity) this.#drop(o.value);
    }
  }

  /** A register for `value`: the next free one in turn, or that of the value needed last. */
  #take(value: number, i: number, pinned: ReadonlySet<number>): number {
    const count = this.#owner.length;
    for (let k = 0; k < count; k++) {
      const register = (this.#turn + k) % count;
      if (this.#owner[register]! >= 0) continue;
      this.#turn = (register + 1) % count;
      this.#hold(value, register);
      return register;
    }
    let victim = -1;
    let farthest = -1;
    for (let register = 0; register < count; register++) {
      if (pinned.has(register)) continue;
      const next = this.#nextUse(this.#owner[register]!, i);
      if (next > farthest) [farthest, victim] = [next, register];
    }
    invariant(victim >= 0, "no register can be freed");
    const evicted = this.#owner[victim]!;
    if (this.#spill[evicted]! < 0) {
      const spill = this.#freeSpills.pop() ?? this.#spillSlots++;
      this.#spill[evicted] = spill;
      const from = [{ register: victim }];
      this.#code.push({ op: "spill", to: -1, from, immediate: spill });
    }
    this.#register[evicted] = -1;
    this.#hold(value, victim);
    return victim;
  }

  #reload(value: number, i: number, pinned: Set<number>): number {
    const spill = this.#spill[value]!;
    const to = this.#take(value, i, pinned);
    pinned.add(to);
    this.#code.push({ op: "reload", to, from: [{ spill }], immediate: 0 });
    return to;
  }
}

/** The truth table when operand `order[k]` of the old one becomes operand `k`. */
function permuteTable(table: number, order: readonly number[]): number {
  let permuted = 0;
  for (let index = 0; index < 8; index++) {
    let old = 0;
    order.forEach((operand, k) => {
      if (index & (4 >> k)) old |= 4 >> operand;
    });
    if (table & (1 << old)) permuted |= 1 << index;
  }
  return permuted;
}
