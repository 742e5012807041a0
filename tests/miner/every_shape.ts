/**
 * All shapes that kernels are ever asked to make code for.
 *
 * A search gets its code from a `CodeCache` (code_cache.ts) only: for headers, for straddling
 * digits, or for the shape of a layout. That shape depends on the digits of the nonce and on the
 * length modulo the block's 64 bytes, so 64 lengths of prefixes and all counts of digits that 64
 * bits can have are all there are.
 *
 * @module
 */
import { HEADER_SHAPE, STATES_SHAPE, TAIL_SHAPE } from "../../miner/kernels/engine.ts";
import { type Shape, shapeKey } from "../../miner/kernels/shapes.ts";
import { layoutOf, tileShape } from "../../miner/kernels/tile_layout.ts";

const BLOCK_BYTES = 64;
/** Of 2^64 - 1. */
export const DIGITS_MAX = 20;

/** Shapes of tiles behind prefixes (message and blank) of `from` bytes, and of the 63 after. */
export function tileShapes(from: number): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (let prefix = from; prefix < from + BLOCK_BYTES; prefix++) {
    for (let digits = 1; digits <= DIGITS_MAX; digits++) {
      const layout = layoutOf(prefix, digits);
      if (layout.straddles) continue;
      const shape = tileShape(layout);
      shapes.set(shapeKey(shape), shape);
    }
  }
  return shapes;
}

/** Every shape, each once. */
export const EVERY_SHAPE: readonly Shape[] = [
  ...tileShapes(1).values(),
  STATES_SHAPE,
  TAIL_SHAPE,
  HEADER_SHAPE,
];
