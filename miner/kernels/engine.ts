/**
 * What the search asks of a way to hash many lanes at once. An engine makes code for a shape, with
 * buffers of its own; the search fills the inputs, calls, and looks at the hits.
 *
 * @module
 */
import type { Shape } from "./shapes.ts";

/** Code for a tile of nonces. Belongs to one thread. */
export interface TileCode {
  /** Lanes of a batch: a hit lies in [i, i + lanes - 1] of the index that `scan` returned. */
  readonly lanes: number;
  /** The tile inputs (see shapes.ts), to be set before `prepare`. */
  readonly inputs: Int32Array;
  /** The varying words of every lane, one array every TABLE_STRIDE words. */
  readonly table: Int32Array;
  /** After a hit: the compared word of every lane of the batch. */
  readonly hits: Uint32Array;
  /** Works out the tile's constants. */
  prepare(): void;
  /**
   * Searches lanes `from..to-1` for a word <= `threshold` (uint32); returns the first lane of the
   * first batch with one, or a number >= `to`. A batch may reach beyond `to`.
   */
  scan(from: number, to: number, threshold: number): number;
}

/**
 * Code for nonces whose last 1 to 3 digits begin the last block, so that all their variants share
 * the state before it: first the states of up to STATES prefixes, then a scan of them per suffix.
 */
export interface StraddleCode {
  readonly lanes: number;
  /** The tile inputs of the block before the last one. */
  readonly inputs: Int32Array;
  readonly table: Int32Array;
  readonly hits: Uint32Array;
  /** W + K of the last block, 64 words for every suffix. */
  readonly rows: Int32Array;
  /** Computes the states of prefixes `from..to-1`. */
  prepare(from: number, to: number): void;
  /** As {@link TileCode.scan}, over prefixes, with the last block of `rows` number `row`. */
  scan(row: number, from: number, to: number, threshold: number): number;
}

/** A way to hash many lanes at once. */
export interface Engine {
  /** Short name, as `--kernel` takes it. */
  readonly name: string;
  /** Code for `single`, `padded` or `header`. */
  tile(shape: Shape): TileCode;
  straddle(): StraddleCode;
}

/**
 * The shape whose states a straddling nonce's prefixes have: three digits at the end of a block.
 */
export const STATES_SHAPE: Shape = { kind: "states", varying: [15] };
/** The shape of the scan over those states. */
export const TAIL_SHAPE: Shape = { kind: "tail", varying: [] };
/** The shape of block headers: the nonce is the second block's word 3. */
export const HEADER_SHAPE: Shape = { kind: "header", varying: [3] };
