/**
 * Words in bytes: maximal runs of letters (`\p{L}`), counted as they are found.
 *
 * @module
 */
import type { Slice } from "./bytes.ts";
import { ASCII_LETTERS, decodeAt, isLetterCode } from "./letters.ts";
import { FNV_OFFSET, FNV_PRIME } from "./partition.ts";
import { KEY_BYTES_MAX } from "./limits.ts";

/** Words that a table holds before its owner empties it. */
const WORDS_MAX = 1 << 20;
/** Bytes that a word costs beside its letters. */
const WORD_OVERHEAD_BYTES = 24;

/** Counts of words, by their bytes: a hash table with open addressing. */
export class WordTable {
  readonly #mostBytes: number;
  #arena = new Uint8Array(1 << 16);
  #used = 0;
  #slots = new Int32Array(1 << 12);
  #hashes = new Int32Array(1 << 11);
  #ends = new Uint32Array(1 << 11);
  #counts = new Float64Array(1 << 11);
  #size = 0;

  /** It is full when it takes about `mostBytes`. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get isFull(): boolean {
    return (
      this.#size >= WORDS_MAX || this.#used + this.#size * WORD_OVERHEAD_BYTES >= this.#mostBytes
    );
  }

  /** Counts the word `bytes[from..to-1]`, whose FNV-1a hash is `hash`. */
  add(bytes: Uint8Array, from: number, to: number, hash: number): void {
    const mask = this.#slots.length - 1;
    const slots = this.#slots;
    for (let at = (hash ^ (hash >>> 15)) & mask; ; at = (at + 1) & mask) {
      const word = slots[at]! - 1;
      if (word < 0) return this.#insert(at, bytes, from, to, hash);
      if (this.#hashes[word] === hash && this.#isSame(word, bytes, from, to)) {
        this.#counts[word]!++;
        return;
      }
    }
  }

  /** Gives all words with their hashes and counts, in no particular order. */
  each(take: (word: Slice, hash: number, count: number) => void): void {
    const slice = { bytes: this.#arena, from: 0, to: 0 };
    for (let word = 0; word < this.#size; word++) {
      slice.from = slice.to;
      slice.to = this.#ends[word]!;
      take(slice, this.#hashes[word]!, this.#counts[word]!);
    }
  }

  clear(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#size = 0;
  }

  #isSame(word: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = word === 0 ? 0 : this.#ends[word - 1]!;
    if (this.#ends[word]! - start !== to - from) return false;
    const arena = this.#arena;
    for (let i = from, j = start; i < to; i++, j++) if (bytes[i] !== arena[j]) return false;
    return true;
  }

  #insert(at: number, bytes: Uint8Array, from: number, to: number, hash: number): void {
    const length = to - from;
    if (this.#used + length > this.#arena.length) {
      const larger = new Uint8Array(Math.max(2 * this.#arena.length, this.#used + length));
      larger.set(this.#arena.subarray(0, this.#used));
      this.#arena = larger;
    }
    const arena = this.#arena;
    for (let i = from, j = this.#used; i < to; i++, j++) arena[j] = bytes[i]!;
    this.#used += length;
    const word = this.#size++;
    this.#hashes[word] = hash;
    this.#ends[word] = this.#used;
    this.#counts[word] = 1;
    this.#slots[at] = word + 1;
    if (this.#size === this.#hashes.length) this.#grow();
  }

  #grow(): void {
    const size = 2 * this.#hashes.length;
    const hashes = new Int32Array(size);
    hashes.set(this.#hashes);
    const ends = new Uint32Array(size);
    ends.set(this.#ends);
    const counts = new Float64Array(size);
    counts.set(this.#counts);
    [this.#hashes, this.#ends, this.#counts] = [hashes, ends, counts];
    this.#slots = new Int32Array(2 * size);
    const mask = this.#slots.length - 1;
    for (let word = 0; word < this.#size; word++) {
      const hash = hashes[word]!;
      let at = (hash ^ (hash >>> 15)) & mask;
      while (this.#slots[at] !== 0) at = (at + 1) & mask;
      this.#slots[at] = word + 1;
    }
  }
}

/** A word is longer than a key may be. */
export class LongWordError extends Error {
  override name = "LongWordError";

  constructor() {
    super(`a word has more than ${KEY_BYTES_MAX} bytes, the longest key`);
  }
}

/** Finds the words of a text that comes in pieces; a word or a character may be cut by them. */
export class WordReader {
  readonly #table: WordTable;
  /** The word, or the bytes of a character, that the last piece ended within. */
  #rest = new Uint8Array();

  constructor(table: WordTable) {
    this.#table = table;
  }

  /** Counts the words of the next piece, except what may go on in the one behind it. */
  read(piece: Uint8Array): void {
    this.#scan(this.#joined(piece), false);
  }

  /** The text is over: so is its last word. Throws {@link LongWordError}. */
  end(): void {
    this.#scan(this.#joined(new Uint8Array()), true);
  }

  #joined(piece: Uint8Array): Uint8Array {
    const rest = this.#rest;
    if (rest.length === 0) return piece;
    if (rest.length > KEY_BYTES_MAX) throw new LongWordError();
    this.#rest = new Uint8Array();
    const joined = new Uint8Array(rest.length + piece.length);
    joined.set(rest);
    joined.set(piece, rest.length);
    return joined;
  }

  #scan(bytes: Uint8Array, isLast: boolean): void {
    const table = this.#table;
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      let hash = FNV_OFFSET;
      const from = at;
      let byte = bytes[at]!;
      for (;;) {
        while (ASCII_LETTERS[byte] === 1) {
          hash = Math.imul(hash ^ byte, FNV_PRIME);
          if (++at === end) break;
          byte = bytes[at]!;
        }
        if (at === end || byte < 128) break;
        const found = decodeAt(bytes, at, end);
        if (found === -1 && !isLast) return this.#keep(bytes, from);
        if (found <= 0 || !isLetterCode(found >> 3)) break;
        const to = at + (found & 7);
        while (at < to) hash = Math.imul(hash ^ bytes[at++]!, FNV_PRIME);
        if (at === end) break;
        byte = bytes[at]!;
      }
      if (at === end && at > from && !isLast) return this.#keep(bytes, from);
      if (at > from) {
        if (at - from > KEY_BYTES_MAX) throw new LongWordError();
        table.add(bytes, from, at, hash | 0);
      }
      at = passOver(bytes, at, end, isLast);
      if (at < 0) return this.#keep(bytes, -1 - at);
    }
  }

  #keep(bytes: Uint8Array, from: number): void {
    this.#rest = bytes.slice(from);
  }
}

/** Behind what is no letter at `at`; below 0, -1 - at, where a character is not all there. */
function passOver(bytes: Uint8Array, at: number, end: number, isLast: boolean): number {
  while (at < end) {
    const byte = bytes[at]!;
    if (ASCII_LETTERS[byte] === 1) return at;
    if (byte < 128) {
      at++;
      continue;
    }
    const found = decodeAt(bytes, at, end);
    if (found === -1 && !isLast) return -1 - at;
    if (found > 0 && isLetterCode(found >> 3)) return at;
    at += found > 0 ? found & 7 : 1;
  }
  return at;
}
