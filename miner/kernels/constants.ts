/**
 * The constant pool of kernels that do schedules and rounds with SHA instructions: round constants
 * and states, and what is the same for a whole tile.
 *
 * @module
 */
import { SHA256_INITIAL, SHA256_ROUND_CONSTANTS } from "../../base/sha256.ts";
import type { AssembledShape } from "./engine_native.ts";
import { EVALUATE, POOL_INPUTS } from "./expression.ts";
import {
  DIGEST_PADDING,
  HEADER_PADDING,
  INITIAL,
  INPUT_STATE,
  INPUT_WORDS,
  ROUND_CONSTANTS,
  type Shape,
} from "./shapes.ts";

/** Pool slots; all multiples of 4, because vectors in memory must be aligned for SSE. */
export const SHA_POOL: Readonly<
  Record<"roundConstants" | "start" | "add" | "compared" | "initial" | "swap" | "padding", number>
> = {
  roundConstants: 0,
  start: 64,
  add: 72,
  compared: 80,
  initial: 84,
  swap: 92,
  padding: 96,
};
/** Rounds before this group of four are the same for all lanes. */
export const firstGroup = (shape: Shape): number => shape.varying[0]! >> 2;

/** The pool's literals. `order`: the state's words as they lie in memory. */
export function shaLiterals(shape: Shape, order: readonly number[]): AssembledShape["literals"] {
  const list: { value: number; slot: number }[] = [];
  const put = (slot: number, values: readonly number[]): void =>
    values.forEach((value, i) => list.push({ value: value | 0, slot: slot + i }));
  if (shape.kind === "tail") return list;
  put(SHA_POOL.roundConstants, ROUND_CONSTANTS);
  put(
    SHA_POOL.initial,
    order.map((word) => INITIAL[word]!),
  );
  put(SHA_POOL.swap, [0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f]);
  put(SHA_POOL.padding, DIGEST_PADDING);
  return list;
}

/** Works out a tile's constants: the state after the rounds in which nothing varies. */
export function prepareShaPool(words: Int32Array, shape: Shape, order: readonly number[]): void {
  const at = (index: number): number => POOL_INPUTS + index;
  if (shape.kind === "header") {
    HEADER_PADDING.forEach((word, i) => (words[at(INPUT_WORDS + 4 + i)] = word));
  }
  const initial = words.subarray(at(INPUT_STATE), at(INPUT_STATE + 8));
  let [a, b, c, d, e, f, g, h] = initial as unknown as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let t = 0; t < 4 * firstGroup(shape); t++) {
    const word = words[at(INPUT_WORDS + t)]! + SHA256_ROUND_CONSTANTS[t]!;
    const t1 = (h + word + EVALUATE.choose(e, f, g) + EVALUATE.bigSigma1(e)) | 0;
    const t2 = EVALUATE.majority(a, b, c) + EVALUATE.bigSigma0(a);
    [h, g, f, e] = [g, f, e, (d + t1) | 0];
    [d, c, b, a] = [c, b, a, (t1 + t2) | 0];
  }
  const state = [a, b, c, d, e, f, g, h];
  order.forEach((word, i) => {
    words[SHA_POOL.start + i] = state[word]!;
    words[SHA_POOL.add + i] = initial[word]!;
  });
  const compared = shape.kind === "header" ? SHA256_INITIAL[7]! : initial[0]!;
  words.fill(compared, SHA_POOL.compared, SHA_POOL.compared + 4);
}
