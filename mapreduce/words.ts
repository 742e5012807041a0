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
const WORD_OVERHEAD_BYTES = 56;

/**
 * Counts of words, by their bytes: a hash table with open addressing. Its parts lie open, for
 * `countKnown` looks words up itself: a call for each word would cost a third of the time.
 */
export class WordTable {
  /** Two numbers a slot: the hash of the word that is there, and its number, 0 for none. */
  slots: Int32Array = new Int32Array(2 << 8);
  /** By number, from 1 on: where the word begins, how long it is, how often it occurs. */
  starts: Uint32Array = new Uint32Array(1 << 7);
  lengths: Uint32Array = new Uint32Array(1 << 7);
  counts: Float64Array = new Float64Array(1 << 7);
  /** The words' letters. */
  arena: Uint8Array = new Uint8Array(1 << 11);
  readonly #mostBytes: number;
  #hashes = new Int32Array(1 << 7);
  #used = 0;
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
    const { slots, starts, lengths, arena } = this;
    const mask = slots.length / 2 - 1;
    for (let at = slotOf(hash) & mask; ; at = (at + 1) & mask) {
      const word = slots[2 * at + 1]!;
      if (word === 0) return this.#insert(at, bytes, from, to, hash);
      if (slots[2 * at] !== hash || lengths[word] !== to - from) continue;
      let i = from;
      for (let j = starts[word]!; i < to && bytes[i] === arena[j]; j++) i++;
      if (i < to) continue;
      this.counts[word]!++;
      return;
    }
  }

  /** Puts a word that is not there into the empty slot `at`, where it was looked for. */
  #insert(at: number, bytes: Uint8Array, from: number, to: number, hash: number): void {
    const length = to - from;
    if (this.#used + length > this.arena.length) {
      const larger = new Uint8Array(Math.max(2 * this.arena.length, this.#used + length));
      larger.set(this.arena.subarray(0, this.#used));
      this.arena = larger;
    }
    const { arena } = this;
    // A view for each new word would be a lot of garbage.
    for (let i = from, j = this.#used; i < to; i++, j++) arena[j] = bytes[i]!;
    const word = ++this.#size;
    this.#hashes[word] = hash;
    this.starts[word] = this.#used;
    this.lengths[word] = length;
    this.counts[word] = 1;
    this.slots[2 * at] = hash;
    this.slots[2 * at + 1] = word;
    this.#used += length;
    if (word + 1 === this.#hashes.length) this.#grow();
  }

  /** Gives all words with their hashes and counts, in no particular order. */
  each(take: (word: Slice, hash: number, count: number) => void): void {
    const slice = { bytes: this.arena, from: 0, to: 0 };
    for (let word = 1; word <= this.#size; word++) {
      slice.from = this.starts[word]!;
      slice.to = slice.from + this.lengths[word]!;
      take(slice, this.#hashes[word]!, this.counts[word]!);
    }
  }

  clear(): void {
    this.slots.fill(0);
    this.#used = 0;
    this.#size = 0;
  }

  #grow(): void {
    const size = 2 * this.#hashes.length;
    const hashes = new Int32Array(size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const starts = new Uint32Array(size);
    starts.set(this.starts);
    const lengths = new Uint32Array(size);
    lengths.set(this.lengths);
    const counts = new Float64Array(size);
    counts.set(this.counts);
    [this.starts, this.lengths, this.counts] = [starts, lengths, counts];
    this.slots = new Int32Array(4 * size);
    const mask = 2 * size - 1;
    for (let word = 1; word <= this.#size; word++) {
      const hash = hashes[word]!;
      let at = slotOf(hash) & mask;
      while (this.slots[2 * at + 1] !== 0) at = (at + 1) & mask;
      this.slots[2 * at] = hash;
      this.slots[2 * at + 1] = word;
    }
  }
}

/** Where a word is looked for first. */
function slotOf(hash: number): number {
  return hash ^ (hash >>> 15);
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
    const end = bytes.length;
    for (let at = 0; at < end;) {
      at = countKnown(bytes, at, this.#table);
      if (at < end) at = this.#slowly(bytes, at, isLast);
      if (at < 0) return;
    }
  }

  /** A word, or what is none, of any characters, at `from`; behind it, or -1 if more must come. */
  #slowly(bytes: Uint8Array, from: number, isLast: boolean): number {
    const end = bytes.length;
    let hash: number = FNV_OFFSET;
    let at = from;
    while (at < end) {
      const byte = bytes[at]!;
      const found = byte < 128 ? byte * 8 + 1 : decodeAt(bytes, at, end);
      if (found === -1 && !isLast) return this.#keep(bytes, from);
      const isLetter = found > 0 && isLetterCode(found >> 3);
      if (!isLetter && at > from) break;
      const to = at + (found > 0 ? found & 7 : 1);
      // What is no letter is passed over.
      if (!isLetter) return to;
      while (at < to) hash = Math.imul(hash ^ bytes[at++]!, FNV_PRIME);
    }
    if (at === end && !isLast) return this.#keep(bytes, from);
    if (at - from > KEY_BYTES_MAX) throw new LongWordError();
    this.#table.add(bytes, from, at, hash | 0);
    return at;
  }

  /** What begins at `from` may go on in the next piece. */
  #keep(bytes: Uint8Array, from: number): -1 {
    this.#rest = bytes.slice(from);
    return -1;
  }
}

/**
 * Counts words of ASCII letters that are in the table already, from `start` on, up to a word that
 * is not, or has other letters, or ends with the bytes; where that begins. It is most of the work
 * of counting words.
 */
function countKnown(bytes: Uint8Array, start: number, table: WordTable): number {
  const { slots, starts, lengths, counts, arena } = table;
  const letters = ASCII_LETTERS;
  const mask = slots.length / 2 - 1;
  const end = bytes.length;
  let at = start;
  while (at < end) {
    let byte = bytes[at]!;
    if (letters[byte] === 0) {
      if (byte > 127) return at;
      at++;
      continue;
    }
    const from = at;
    let hash = FNV_OFFSET | 0;
    do {
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      if (++at === end) return from;
      byte = bytes[at]!;
    } while (letters[byte] === 1);
    if (byte > 127) return from;
    const length = at - from;
    for (let slot = slotOf(hash) & mask; ; slot = (slot + 1) & mask) {
      const word = slots[2 * slot + 1]!;
      if (word === 0) return from;
      if (slots[2 * slot] !== hash || lengths[word] !== length) continue;
      let i = from;
      for (let j = starts[word]!; i < at && bytes[i] === arena[j]; j++) i++;
      if (i < at) continue;
      counts[word]!++;
      break;
    }
  }
  return at;
}
