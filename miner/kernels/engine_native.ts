/**
 * An engine around machine code: maps what an assembling kernel made of a shape, and gives it its
 * buffers.
 *
 * @module
 */
import {
  type Engine,
  STATES_SHAPE,
  type StraddleCode,
  TAIL_SHAPE,
  type TileCode,
} from "./engine.ts";
import { POOL_INPUTS, POOL_WORDS } from "./expression.ts";
import type { Assembler } from "./assembler.ts";
import {
  type GuardedBuffer,
  guardedBuffer,
  mapCode,
  nativeProcedure,
  type NativeScan,
  nativeScan,
} from "./memory_native.ts";
import type { ProvedCode } from "./proved_code.ts";
import { INPUTS, type Shape, STATE_STRIDE, STATES, TABLE_STRIDE } from "./shapes.ts";

/** Machine code for one shape. */
export interface AssembledShape {
  readonly code: Uint8Array;
  readonly lanes: number;
  /** Offset of the scan in `code`. */
  readonly scan: number;
  /** Offset of the procedure that works out a tile's constants from its inputs, in the pool. */
  readonly prologue?: number;
  /** The same in TypeScript, where there is little to do. */
  readonly prepare?: (pool: Int32Array) => void;
  /** The constant pool's literals. */
  readonly literals: readonly { readonly value: number; readonly slot: number }[];
}

/** Makes x86-64 code for a shape, with an assembler that knows what it may use. */
export type AssembleShape = (shape: Shape, asm: Assembler) => AssembledShape;
/** Makes machine code for a shape. */
export type MakeShape = (shape: Shape) => AssembledShape;

/** Words that a kernel may write after the last hit: it stores four at a time. */
export const HITS_SLACK = 4;

interface Mapped {
  readonly lanes: number;
  readonly pool: GuardedBuffer;
  readonly scan: NativeScan;
  readonly prepare: () => void;
}

function mapShape(assembled: AssembledShape): Mapped {
  const { code, lanes, literals } = assembled;
  const address = mapCode(code);
  const pool = guardedBuffer(POOL_WORDS);
  for (const { value, slot } of literals) pool.words[slot] = value;
  const { prologue, prepare } = assembled;
  const native = prologue === undefined ? undefined : nativeProcedure(address + prologue);
  return {
    lanes,
    pool,
    scan: nativeScan(address + assembled.scan),
    prepare: () => (native === undefined ? prepare?.(pool.words) : native(pool.address)),
  };
}

const inputsOf = (pool: GuardedBuffer): Int32Array =>
  pool.words.subarray(POOL_INPUTS, POOL_INPUTS + INPUTS);

const unsigned = (buffer: GuardedBuffer, words: number): Uint32Array =>
  new Uint32Array(buffer.words.buffer, buffer.words.byteOffset, words);

/** An engine that runs what `make` makes, or with `proved` only what that allows. */
export function nativeEngine(name: string, make: MakeShape, proved?: ProvedCode): Engine {
  const allowed: MakeShape = (shape) => {
    const assembled = make(shape);
    proved?.demand(assembled.code);
    return assembled;
  };
  return {
    name,
    tile: (shape) => nativeTile(allowed(shape)),
    straddle: () => nativeStraddle(allowed),
  };
}

function nativeTile(assembled: AssembledShape): TileCode {
  const { lanes, pool, scan, prepare } = mapShape(assembled);
  const table = guardedBuffer(2 * TABLE_STRIDE);
  const hits = guardedBuffer(lanes + HITS_SLACK);
  return {
    lanes,
    inputs: inputsOf(pool),
    table: table.words,
    hits: unsigned(hits, lanes),
    prepare,
    scan: (from, to, threshold) =>
      scan(pool.address, table.address, hits.address, from, to, threshold),
  };
}

function nativeStraddle(assemble: MakeShape): StraddleCode {
  const before = mapShape(assemble(STATES_SHAPE));
  const tail = mapShape(assemble(TAIL_SHAPE));
  const table = guardedBuffer(TABLE_STRIDE);
  const states = guardedBuffer(8 * STATE_STRIDE);
  const rows = guardedBuffer(64 * STATES);
  const hits = guardedBuffer(tail.lanes + HITS_SLACK);
  return {
    lanes: tail.lanes,
    inputs: inputsOf(before.pool),
    table: table.words,
    hits: unsigned(hits, tail.lanes),
    rows: rows.words,
    prepare: (from, to) => {
      before.prepare();
      before.scan(before.pool.address, table.address, states.address, from, to, 0);
    },
    scan: (row, from, to, threshold) =>
      tail.scan(rows.address + 256 * row, states.address, hits.address, from, to, threshold),
  };
}
