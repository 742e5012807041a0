/**
 * WebAssembly modules as bytes: just enough of the binary format (WebAssembly Core Specification
 * 2.0, chapter 5) for functions on numbers, vectors and one imported memory.
 *
 * @module
 */

/** Value types. */
const I32 = 0x7f;
const I64 = 0x7e;
const V128 = 0x7b;
/** The type of a block that gives no value. */
const NO_VALUE = 0x40;

/** Names of instructions without immediates. */
export type PlainName =
  | "i32Add"
  | "i32Sub"
  | "i32And"
  | "i32Or"
  | "i32Xor"
  | "i32Shl"
  | "i32ShrU"
  | "i32Rotr"
  | "i32Eqz"
  | "i32LtS"
  | "i32GeU"
  | "i32WrapI64"
  | "i64Add"
  | "i64And"
  | "i64Or"
  | "i64Xor"
  | "i64Sub"
  | "i64Mul"
  | "i64ShrU"
  | "i64Rotl"
  | "i64Ctz"
  | "i64Eqz"
  | "unreachable"
  | "return"
  | "end"
  | "splat"
  | "v128And"
  | "v128Or"
  | "v128Xor"
  | "anyTrue"
  | "i32x4LeU"
  | "i32x4Add"
  | "i32x4ShrU"
  | "i32x4Mul";

/** Instructions without immediates; 0xfd opens the vector ones. */
const PLAIN: Readonly<Record<PlainName, readonly number[]>> = {
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32And: [0x71],
  i32Or: [0x72],
  i32Xor: [0x73],
  i32Shl: [0x74],
  i32ShrU: [0x76],
  i32Rotr: [0x78],
  i32Eqz: [0x45],
  i32LtS: [0x48],
  i32GeU: [0x4f],
  i32WrapI64: [0xa7],
  i64Add: [0x7c],
  i64And: [0x83],
  i64Or: [0x84],
  i64Xor: [0x85],
  i64Sub: [0x7d],
  i64Mul: [0x7e],
  i64ShrU: [0x88],
  i64Rotl: [0x89],
  i64Ctz: [0x7a],
  i64Eqz: [0x50],
  unreachable: [0x00],
  return: [0x0f],
  end: [0x0b],
  splat: [0xfd, 17],
  v128And: [0xfd, 78],
  v128Or: [0xfd, 80],
  v128Xor: [0xfd, 81],
  anyTrue: [0xfd, 83],
  i32x4LeU: [0xfd, 62],
  i32x4Add: [0xfd, 0xae, 1],
  i32x4ShrU: [0xfd, 0xad, 1],
  i32x4Mul: [0xfd, 0xb5, 1],
};

/** Names of loads and stores. */
export type MemoryName =
  "i32Load" | "i32Store" | "i64Load" | "i64Store" | "v128Load" | "load32Splat" | "v128Store";

/** Loads and stores: opcode, and the power of two of the alignment they declare. */
const MEMORY: Readonly<Record<MemoryName, { code: readonly number[]; align: number }>> = {
  i32Load: { code: [0x28], align: 2 },
  i32Store: { code: [0x36], align: 2 },
  i64Load: { code: [0x29], align: 0 },
  i64Store: { code: [0x37], align: 0 },
  v128Load: { code: [0xfd, 0], align: 2 },
  load32Splat: { code: [0xfd, 9], align: 2 },
  v128Store: { code: [0xfd, 11], align: 2 },
};

function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest !== 0);
  return bytes;
}

function signedLeb(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const isDone = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    bytes.push(isDone ? byte : byte | 0x80);
    if (isDone) return bytes;
  }
}

/** One function's body. Locals count from 0, parameters (all i32) first. */
export class FunctionBody {
  readonly #code: number[] = [];

  /** Appends an instruction without immediates. */
  op(name: PlainName): this {
    this.#code.push(...PLAIN[name]);
    return this;
  }

  get(local: number): this {
    this.#code.push(0x20, ...unsignedLeb(local));
    return this;
  }

  set(local: number): this {
    this.#code.push(0x21, ...unsignedLeb(local));
    return this;
  }

  /** A constant of 32 bits, signed or not. */
  constant(value: number): this {
    this.#code.push(0x41, ...signedLeb(BigInt(value | 0)));
    return this;
  }

  /** A constant of 64 bits, signed or not. */
  constant64(value: bigint): this {
    this.#code.push(0x42, ...signedLeb(BigInt.asIntN(64, value)));
    return this;
  }

  /** A load or store at the address on the stack plus `offset`. */
  memory(name: MemoryName, offset: number): this {
    const { code, align } = MEMORY[name];
    this.#code.push(...code, align, ...unsignedLeb(offset));
    return this;
  }

  /** Opens a block, to be closed by `end`: a branch to it goes there. */
  block(): this {
    this.#code.push(0x02, NO_VALUE);
    return this;
  }

  /** Opens a loop, to be closed by `end`: a branch to it goes to its beginning. */
  loop(): this {
    this.#code.push(0x03, NO_VALUE);
    return this;
  }

  /** Opens a conditional block, to be closed by `end`. */
  if(): this {
    this.#code.push(0x04, NO_VALUE);
    return this;
  }

  /** Branches to the block around this place, or to the one `depth` further out. */
  branch(depth: number): this {
    this.#code.push(0x0c, depth);
    return this;
  }

  /** Branches to block `depth` if the top of the stack is not zero. */
  branchIf(depth: number): this {
    this.#code.push(0x0d, depth);
    return this;
  }

  get bytes(): readonly number[] {
    return this.#code;
  }
}

/** A function to export. */
export interface WasmFunction {
  readonly name: string;
  /** How many i32 parameters it has. */
  readonly parameters: number;
  /** Whether it returns an i32. */
  readonly returns: boolean;
  /** Further locals: that many i32, then that many i64, then that many v128. */
  readonly words: number;
  readonly longs?: number;
  readonly vectors?: number;
  readonly body: FunctionBody;
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsignedLeb(items.length),
  ...items.flat(),
];
const sized = (bytes: readonly number[]): number[] => [...unsignedLeb(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]): number[] => [id, ...sized(bytes)];
const text = (characters: string): number[] =>
  sized([...characters].map((character) => character.charCodeAt(0)));

/** "\0asm", version 1. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** A module that imports its memory as `env.memory` and exports `functions`. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, returns }) => [
    0x60,
    ...vector(Array.from({ length: parameters }, () => [I32])),
    ...vector(returns ? [[I32]] : []),
  ]);
  const bodies = functions.map(({ words, longs = 0, vectors = 0, body }) => {
    const locals = vector([
      [...unsignedLeb(words), I32],
      [...unsignedLeb(longs), I64],
      [...unsignedLeb(vectors), V128],
    ]);
    return sized([...locals, ...body.bytes]);
  });
  return Uint8Array.from([
    ...MAGIC,
    ...section(1, vector(types)),
    ...section(2, vector([[...text("env"), ...text("memory"), 0x02, 0x00, 0x01]])),
    ...section(3, vector(functions.map((_, i) => unsignedLeb(i)))),
    ...section(7, vector(functions.map(({ name }, i) => [...text(name), 0x00, ...unsignedLeb(i)]))),
    ...section(10, vector(bodies)),
  ]);
}
