/**
 * All shapes that kernels are ever asked to make code for.
 *
 * @module
 */
import { HEADER_SHAPE, STATES_SHAPE, TAIL_SHAPE } from "./engine.ts";
import { type Shape, shapeKey } from "./shapes.ts";
import { layoutOf, tileShape } from "./tile_layout.ts";

const BLOCK_BYTES = 64;
/** Of 2^64 - 1. */
const DIGITS_MAX = 20;

/**
 * Every shape once, the commonest first. A layout's shape depends on the digits of the nonce and on
 * the length modulo the block, so 64 lengths and all counts of digits are all there are.
 */
export function everyShape(): Shape[] {
  const shapes = new Map<string, Shape>();
  for (let prefix = 1; prefix <= BLOCK_BYTES; prefix++) {
    for (let digits = DIGITS_MAX; digits > 0; digits--) {
      const layout = layoutOf(prefix, digits);
      if (layout.straddles) continue;
      const shape = tileShape(layout);
      shapes.set(shapeKey(shape), shape);
    }
  }
  return [...shapes.values(), HEADER_SHAPE, STATES_SHAPE, TAIL_SHAPE];
}
