/**
 * The inner loop of counting words, in WebAssembly: it looks at eight bytes at a time, where this
 * language has numbers of 32 bits only. JavaScriptCore makes code of it that takes a third of the
 * time of a loop over bytes.
 *
 * @module
 */
import { FunctionBody, type MemoryName, type PlainName, wasmModule } from "../base/wasm_module.ts";

/** The longest run that it counts: of three times eight bytes, the last shows where it ends. */
export const RUN_BYTES_MAX = 23;
/** It reads so far behind the bytes that it is given. */
export const BEYOND_BYTES = 32;
/** A slot of the table: the run with zeros behind it, and there how often it occurs, as an i64. */
export const SLOT_BYTES = 32;
export const COUNT_AT = 24;
/** Where it keeps, as an i32, how many runs the table has. */
export const USED_AT = 0;

/**
 * Counts the runs in `at..end-1`: of letters of ASCII and of bytes above 127, as long as they go.
 * `end - 1` or `end` must be a byte that no run has. The table begins at `table`, and `mask` is its
 * size in bytes less that of a slot; where a run that is new goes is noted at `order`, four bytes
 * each. Gives `end`, or where a run begins that is longer than {@link RUN_BYTES_MAX}, or is new
 * while the table has `limit`.
 */
export type CountRuns = (
  at: number,
  end: number,
  table: number,
  mask: number,
  order: number,
  limit: number,
) => number;

/** What is here of each byte of a number of 64 bits. */
const each = (byte: number): bigint => BigInt(byte) * 0x0101_0101_0101_0101n;

/** Odd numbers that mix what they multiply: the golden ratio's, and one of SplitMix64. */
const MIX = 0x9e37_79b9_7f4a_7c15n;
const MIX_MORE = 0xbf58_476d_1ce4_e5b9n;

// Parameters and locals.
const [AT, END, TABLE, MASK, ORDER, LIMIT] = [0, 1, 2, 3, 4, 5];
const PARAMETERS = 6;
const [SLOT, LENGTH, USED] = [6, 7, 8];
const WORDS = 3;
const [BYTES, OUTSIDE, FIRST, SECOND, THIRD, FOLDED] = [9, 10, 11, 12, 13, 14];
const LONGS = 6;
/** The parts of a run, eight bytes each, in a slot one behind the other. */
const PARTS = [FIRST, SECOND, THIRD];

class KernelBody extends FunctionBody {
  /** Applies `op` to the two numbers that are on the stack, and this one, a local or a constant. */
  with(op: PlainName, operand: number | bigint): this {
    return (typeof operand === "bigint" ? this.constant64(operand) : this.get(operand)).op(op);
  }

  /** The bytes `from..from+7` behind AT go to BYTES; to OUTSIDE a bit for each that no run has. */
  look(from: number): this {
    this.get(AT).memory("i64Load", from).set(BYTES);
    // A small letter is a large one with the bit 0x20. Bytes below 128 are added without a carry.
    this.get(BYTES).with("i64Or", each(0x20)).with("i64And", each(0x7f)).set(FOLDED);
    // From "a" on, this one sets the top bit, and from behind "z" on, that one.
    this.get(FOLDED)
      .with("i64Add", each(0x80 - 0x61))
      .with("i64Xor", -1n);
    this.get(FOLDED)
      .with("i64Add", each(0x80 - 0x7b))
      .op("i64Or");
    return this.get(BYTES).with("i64Xor", -1n).with("i64And", each(0x80)).op("i64And").set(OUTSIDE);
  }

  /** The bytes of BYTES before the first one OUTSIDE: zeros stand for the rest. */
  cut(): this {
    this.constant64(0n).with("i64Sub", OUTSIDE).with("i64And", OUTSIDE);
    return this.with("i64ShrU", 7n).with("i64Sub", 1n).with("i64And", BYTES);
  }

  /** How many bytes these are, and `before`. */
  measure(before: number): this {
    this.get(OUTSIDE).op("i64Ctz").with("i64ShrU", 3n).op("i32WrapI64");
    return this.constant(before).op("i32Add").set(LENGTH);
  }

  /** Whether the run goes on behind the bytes that were looked at. */
  goesOn(): this {
    return this.get(OUTSIDE).op("i64Eqz");
  }

  /** Of the slot, the part at `from`. */
  ofSlot(name: MemoryName, from: number): this {
    return this.get(SLOT).memory(name, from);
  }
}

function countBody(): FunctionBody {
  const body = new KernelBody();
  body.loop();
  body.get(AT).get(END).op("i32GeU").if().get(END).op("return").op("end");
  body.look(0);
  // No run begins here: on to the next byte that may begin one. Behind a run there is mostly one.
  body.get(OUTSIDE).with("i64And", 0x80n).op("i64Eqz").op("i32Eqz").if();
  body.get(OUTSIDE).with("i64Xor", each(0x80)).op("i64Ctz").with("i64ShrU", 3n);
  body.op("i32WrapI64").with("i32Add", AT).set(AT).branch(1).op("end");
  // The run, up to 23 bytes.
  body.cut().set(FIRST).measure(0);
  body.constant64(0n).set(SECOND).constant64(0n).set(THIRD);
  body.goesOn().if().look(8).cut().set(SECOND).measure(8);
  body.goesOn().if().look(16).cut().set(THIRD).measure(16);
  body.goesOn().if().get(AT).op("return").op("end").op("end").op("end");
  // Where it is looked for first.
  body.get(SECOND).with("i64Mul", MIX_MORE).get(THIRD).constant64(32n).op("i64Rotl");
  body.op("i64Add").with("i64Xor", FIRST).with("i64Mul", MIX).with("i64ShrU", 32n);
  body.op("i32WrapI64").with("i32And", MASK).with("i32Add", TABLE).set(SLOT);
  body.block().loop();
  for (const [i, part] of PARTS.entries()) {
    body.ofSlot("i64Load", 8 * i).with("i64Xor", part);
    if (i > 0) body.op("i64Or");
  }
  body.op("i64Eqz").if();
  body.get(SLOT).ofSlot("i64Load", COUNT_AT).with("i64Add", 1n);
  body.memory("i64Store", COUNT_AT).branch(2).op("end");
  body.ofSlot("i64Load", 0).op("i64Eqz").if();
  insert(body);
  body.branch(2).op("end");
  body.get(SLOT).get(TABLE).op("i32Sub").constant(SLOT_BYTES).op("i32Add");
  body.with("i32And", MASK).with("i32Add", TABLE).set(SLOT).branch(0);
  body.op("end").op("end");
  // On, past the byte behind it.
  body.get(AT).get(LENGTH).op("i32Add").constant(1).op("i32Add").set(AT).branch(0);
  return body.op("end").op("unreachable").op("end");
}

/** Puts the run into the slot, which is empty, unless the table is full. */
function insert(body: KernelBody): void {
  body.constant(USED_AT).memory("i32Load", 0).set(USED);
  body.get(USED).get(LIMIT).op("i32GeU").if().get(AT).op("return").op("end");
  for (const [i, part] of PARTS.entries())
    body
      .get(SLOT)
      .get(part)
      .memory("i64Store", 8 * i);
  body.get(SLOT).constant64(1n).memory("i64Store", COUNT_AT);
  body.get(USED).constant(2).op("i32Shl").get(ORDER).op("i32Add").get(SLOT).memory("i32Store", 0);
  body.constant(USED_AT).get(USED).constant(1).op("i32Add").memory("i32Store", 0);
}

let compiled: WebAssembly.Module | undefined;

/** The kernel on that memory. */
export function countRunsIn(memory: WebAssembly.Memory): CountRuns {
  const name = "count";
  const one = { parameters: PARAMETERS, returns: true, words: WORDS, longs: LONGS };
  compiled ??= new WebAssembly.Module(wasmModule([{ name, ...one, body: countBody() }]));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return exports[name] as CountRuns;
}
