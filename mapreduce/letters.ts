/**
 * Which code points are letters, as bytes of UTF-8 are read.
 *
 * @module
 */

const CODE_POINTS = 0x110000;
const BLOCK_BITS = 8;

const isLetter = new Uint8Array(CODE_POINTS);
const isKnown = new Uint8Array(CODE_POINTS >> BLOCK_BITS);

/** Whether each byte below 128 is a letter (1). */
export const ASCII_LETTERS: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 128 && /\p{L}/u.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** Whether a code point, 0..0x10ffff, has the property L of Unicode. */
export function isLetterCode(code: number): boolean {
  const block = code >> BLOCK_BITS;
  if (isKnown[block] === 0) learn(block);
  return isLetter[code] === 1;
}

/** Asks the engine about all of a block at once: asking it about each character costs too much. */
function learn(block: number): void {
  isKnown[block] = 1;
  const first = block << BLOCK_BITS;
  for (let code = first; code < first + (1 << BLOCK_BITS); code++) {
    isLetter[code] = /\p{L}/u.test(String.fromCodePoint(code)) ? 1 : 0;
  }
}

/**
 * The character of two bytes or more that begins at `bytes[at]`: its code point times 8 and its
 * length. 0 for what is no UTF-8 (RFC 3629, section 4), -1 where the bytes end before it does.
 */
export function decodeAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0) return 0;
  let code = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    if (at + i >= end) return -1;
    const byte = bytes[at + i]!;
    if ((byte & 0xc0) !== 0x80) return 0;
    if (i === 1 && !mayFollow(first, byte)) return 0;
    code = (code << 6) | (byte & 0x3f);
  }
  return code * 8 + length;
}

/** No overlong forms, no surrogates, nothing above U+10FFFF. */
function mayFollow(first: number, second: number): boolean {
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  if (first === 0xf4) return second < 0x90;
  return true;
}
