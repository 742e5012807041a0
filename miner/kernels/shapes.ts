/**
 * The shapes of work that kernels are made for, and the tile inputs that each shape reads. A shape
 * says where the varying words lie and what happens to the state afterwards; it does not depend on
 * the message, so its code is made once and kept.
 *
 * @module
 */
import { SHA256_INITIAL, SHA256_ROUND_CONSTANTS } from "../../base/sha256.ts";

/**
 * What one scan computes for every lane:
 *
 * - `single`: the block that holds the varying digits is the last one.
 * - `padded`: one more block follows, the same for all lanes (padding and length).
 * - `states`: no comparison; stores the state after the block, for `tail`.
 * - `tail`: the last block is the same for all lanes, but each lane starts from its own state.
 * - `header`: double SHA-256 of an 80-byte block header, its nonce varying.
 */
export type ShapeKind = "single" | "padded" | "states" | "tail" | "header";

/** A kind, and which of the block's 16 words vary by lane: one, or two neighbours. */
export interface Shape {
  readonly kind: ShapeKind;
  readonly varying: readonly number[];
}

/** A short unique name for a shape. */
export const shapeKey = (shape: Shape): string => `${shape.kind}:${shape.varying.join()}`;

/** Tile inputs: the state before the block. */
export const INPUT_STATE = 0;
/** Tile inputs: the block's 16 words, digits that vary by lane left zero. */
export const INPUT_WORDS = 8;
/** Tile inputs: the 64 words W + K of the constant last block (`padded`). */
export const INPUT_LAST = 24;
/** How many tile inputs there are. */
export const INPUTS = 88;

/** Nonces of a tile: its last four digits. */
export const TILE_NONCES = 10_000;
/** Nonces of a header tile: the low bits of the nonce. */
export const HEADER_TILE_NONCES = 8192;
/**
 * Prefixes whose states are held at once when the nonce's last 1 to 3 digits have a block of their
 * own.
 */
export const STATES = 1000;
/** Lanes past the end that a scan may read, being several batches ahead. */
const SLACK_LANES = 256;
/** Words from one lane input's array to the next: of word tables, and of states. */
export const TABLE_STRIDE: number = TILE_NONCES + SLACK_LANES + 48;
export const STATE_STRIDE: number = STATES + SLACK_LANES + 48;

/** Words from one array of lane inputs to the next for a shape. */
export const laneStride = (kind: ShapeKind): number =>
  kind === "tail" ? STATE_STRIDE : TABLE_STRIDE;

/** The words of the last block of a header (80 bytes): its words 4 to 15. */
export const HEADER_PADDING: readonly number[] = [0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 640];
/** The padding of the second hash, over a 32-byte digest: words 8 to 15. */
export const DIGEST_PADDING: readonly number[] = [0x80000000, 0, 0, 0, 0, 0, 0, 256];

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** Message schedule plus round constants, W + K, of one block: 64 words into `target`. */
export function scheduleWithConstants(
  words: ArrayLike<number>,
  target: Int32Array,
  offset = 0,
): void {
  const w = new Int32Array(64);
  for (let t = 0; t < 64; t++) {
    if (t < 16) w[t] = words[t]!;
    else {
      const x = w[t - 15]!;
      const y = w[t - 2]!;
      const sigma0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const sigma1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[t] = w[t - 16]! + sigma0 + w[t - 7]! + sigma1;
    }
    target[offset + t] = w[t]! + SHA256_ROUND_CONSTANTS[t]!;
  }
}

/** The initial hash value, for graphs. */
export const INITIAL: readonly number[] = [...SHA256_INITIAL];
/** The round constants, for graphs. */
export const ROUND_CONSTANTS: readonly number[] = [...SHA256_ROUND_CONSTANTS];
