/**
 * The code of one thread, made when a shape is first met. There are few shapes (two kinds of block
 * and at most 31 places for the digits), so it never has to forget.
 *
 * @module
 */
import { type Engine, HEADER_SHAPE, type StraddleCode, type TileCode } from "./engine.ts";
import { HEADER_TILE_NONCES, type Shape, shapeKey } from "./shapes.ts";
import { fillDigitTable } from "./tile_layout.ts";

/** Makes and keeps an engine's code, and fills its lane inputs. */
export class CodeCache {
  readonly #engine: Engine;
  readonly #tiles = new Map<string, TileCode>();
  readonly #filled = new Map<Int32Array, string>();
  #straddle: StraddleCode | undefined;
  #header: TileCode | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Code for a tile whose last of `digits` digits is byte `last` of the block. */
  tile(shape: Shape, last: number, digits: number): TileCode {
    const key = shapeKey(shape);
    let code = this.#tiles.get(key);
    if (code === undefined) this.#tiles.set(key, (code = this.#engine.tile(shape)));
    this.#fill(code.table, last, digits);
    return code;
  }

  /** Code for straddling nonces, `digits` digits of whose prefixes vary. */
  straddle(digits: number): StraddleCode {
    this.#straddle ??= this.#engine.straddle();
    this.#fill(this.#straddle.table, 63, digits);
    return this.#straddle;
  }

  /** Code for block headers: lane i has the nonce's low bits i. */
  header(): TileCode {
    if (this.#header !== undefined) return this.#header;
    this.#header = this.#engine.tile(HEADER_SHAPE);
    for (let i = 0; i < HEADER_TILE_NONCES; i++) this.#header.table[i] = littleEndian(i);
    return this.#header;
  }

  #fill(table: Int32Array, last: number, digits: number): void {
    const key = `${last & 3}:${digits}`;
    if (this.#filled.get(table) === key) return;
    fillDigitTable(table, last, digits);
    this.#filled.set(table, key);
  }
}

/** A 32-bit number as the big-endian word that its little-endian bytes make. */
export function littleEndian(x: number): number {
  return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}
