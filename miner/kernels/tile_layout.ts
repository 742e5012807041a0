/**
 * Where the digits of a nonce lie: which block and words, what varies within a tile, and the words
 * of every lane.
 *
 * @module
 */
import { type Shape, type ShapeKind, TABLE_STRIDE } from "./shapes.ts";

/** The nonces of one length in digits behind one message. */
export interface Layout {
  /** Bytes before the padding: message, blank and digits. */
  readonly length: number;
  /** Digits of the nonce. */
  readonly digits: number;
  /** Number of the block that holds the last digit. */
  readonly block: number;
  /** Whether another block follows for the padding. */
  readonly padded: boolean;
  /**
   * Digits that vary within a tile, at the end of the nonce: 1 to 4. Or, when `straddles`, digits
   * that are alone at the start of the last block: 1 to 3.
   */
  readonly suffix: number;
  readonly straddles: boolean;
}

/** The layout of nonces of `digits` digits behind `prefix` bytes of message and blank. */
export function layoutOf(prefix: number, digits: number): Layout {
  const length = prefix + digits;
  const block = (length - 1) >> 6;
  const inBlock = ((length - 1) & 63) + 1;
  const here = Math.min(digits, inBlock);
  return {
    length,
    digits,
    block,
    padded: inBlock > 55,
    suffix: Math.min(4, here),
    straddles: here < 4 && digits > here,
  };
}

/** The words of a block that hold its bytes `last - digits + 1 .. last`. */
export function varyingWords(last: number, digits: number): number[] {
  const first = (last - digits + 1) >> 2;
  return first === last >> 2 ? [first] : [first, last >> 2];
}

/** The shape of a layout's tiles (not for straddling ones). */
export function tileShape(layout: Layout): Shape {
  const kind: ShapeKind = layout.padded ? "padded" : "single";
  return { kind, varying: varyingWords((layout.length - 1) & 63, layout.suffix) };
}

/**
 * Fills the lane inputs for `digits` digits of which the last is byte `last` of the block: lane x
 * has the digits of x in one or two words, other bytes zero.
 */
export function fillDigitTable(table: Int32Array, last: number, digits: number): void {
  const words = varyingWords(last, digits);
  const two = words.length > 1;
  let lanes = 1;
  table[0] = 0;
  if (two) table[TABLE_STRIDE] = 0;
  // Digit by digit: lane x becomes lanes 10 x to 10 x + 9. Backwards, so that it can be in place.
  for (let byte = last - digits + 1; byte <= last; byte++) {
    const shift = 24 - 8 * (byte & 3);
    const inFirst = byte >> 2 === words[0];
    for (let x = lanes - 1; x >= 0; x--) {
      const first = table[x]!;
      const second = two ? table[TABLE_STRIDE + x]! : 0;
      for (let digit = 9; digit >= 0; digit--) {
        const value = (48 + digit) << shift;
        table[10 * x + digit] = inFirst ? first | value : first;
        if (two) table[TABLE_STRIDE + 10 * x + digit] = inFirst ? second : second | value;
      }
    }
    lanes *= 10;
  }
}
