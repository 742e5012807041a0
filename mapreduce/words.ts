/**
 * Words in bytes: maximal runs of letters (`\p{L}`), counted as they are found.
 *
 * @module
 */
import type { Slice } from "./bytes.ts";
import { ASCII_LETTERS, decodeAt, isLetterCode } from "./letters.ts";
import { FNV_OFFSET, FNV_PRIME } from "./partition.ts";
import { CHUNK_BYTES, KEY_BYTES_MAX } from "./limits.ts";
import { RunTable } from "./run_table.ts";

/** Words that a table holds before its owner empties it. */
const WORDS_MAX = 1 << 20;
/** Bytes that a word costs beside its letters. */
const WORD_OVERHEAD_BYTES = 56;

/** What begins at a place in a text: a word, or a character that is in none. */
interface Begun {
  /** Behind it. */
  to: number;
  isWord: boolean;
  /** Of a word: its FNV-1a. */
  hash: number;
}

/**
 * Looks at what begins at `bytes[from]`; false if more must come before that can be said: it may go
 * on behind `end`, unless `isLast`.
 */
function look(bytes: Uint8Array, from: number, end: number, isLast: boolean, to: Begun): boolean {
  let hash: number = FNV_OFFSET;
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    const found = byte < 128 ? byte * 8 + 1 : decodeAt(bytes, at, end);
    if (found === -1 && !isLast) return false;
    const next = at + (found > 0 ? found & 7 : 1);
    if (found <= 0 || !isLetterCode(found >> 3)) {
      if (at > from) break;
      to.to = next;
      to.isWord = false;
      return true;
    }
    while (at < next) hash = Math.imul(hash ^ bytes[at++]!, FNV_PRIME);
  }
  if (at === end && !isLast) return false;
  to.to = at;
  to.isWord = true;
  to.hash = hash | 0;
  return true;
}

/** Counts of words, by their bytes: a hash table with open addressing. */
class LongTable {
  /** Two numbers a slot: the hash of the word that is there, and its number, 0 for none. */
  #slots = new Int32Array(2 << 8);
  /** By number, from 1 on: where the word begins, how long it is, how often it occurs. */
  #starts = new Uint32Array(1 << 7);
  #lengths = new Uint32Array(1 << 7);
  #counts = new Float64Array(1 << 7);
  #hashes = new Int32Array(1 << 7);
  /** The words' letters. */
  #arena = new Uint8Array(1 << 11);
  readonly #mostBytes: number;
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

  /** The word `bytes[from..to-1]`, whose FNV-1a hash is `hash`, occurs so often more. */
  add(bytes: Uint8Array, from: number, to: number, hash: number, count: number): void {
    const [slots, lengths, starts, arena] = [this.#slots, this.#lengths, this.#starts, this.#arena];
    const mask = slots.length / 2 - 1;
    for (let at = slotOf(hash) & mask; ; at = (at + 1) & mask) {
      const word = slots[2 * at + 1]!;
      if (word === 0) return this.#insert(at, bytes, from, to, hash, count);
      if (slots[2 * at] !== hash || lengths[word] !== to - from) continue;
      let i = from;
      for (let j = starts[word]!; i < to && bytes[i] === arena[j]; j++) i++;
      if (i < to) continue;
      this.#counts[word]! += count;
      return;
    }
  }

  /** Puts a word that is not there into the empty slot `at`, where it was looked for. */
  #insert(
    at: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    hash: number,
    count: number,
  ): void {
    const length = to - from;
    if (this.#used + length > this.#arena.length) {
      const larger = new Uint8Array(Math.max(2 * this.#arena.length, this.#used + length));
      larger.set(this.#arena.subarray(0, this.#used));
      this.#arena = larger;
    }
    const arena = this.#arena;
    // A view for each new word would be a lot of garbage.
    for (let i = from, j = this.#used; i < to; i++, j++) arena[j] = bytes[i]!;
    const word = ++this.#size;
    this.#hashes[word] = hash;
    this.#starts[word] = this.#used;
    this.#lengths[word] = length;
    this.#counts[word] = count;
    this.#slots[2 * at] = hash;
    this.#slots[2 * at + 1] = word;
    this.#used += length;
    if (word + 1 === this.#hashes.length) this.#grow();
  }

  /** Gives all words with their hashes and counts, in no particular order. */
  each(take: (word: Slice, hash: number, count: number) => void): void {
    const slice = { bytes: this.#arena, from: 0, to: 0 };
    for (let word = 1; word <= this.#size; word++) {
      slice.from = this.#starts[word]!;
      slice.to = slice.from + this.#lengths[word]!;
      take(slice, this.#hashes[word]!, this.#counts[word]!);
    }
  }

  clear(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#size = 0;
  }

  #grow(): void {
    const size = 2 * this.#hashes.length;
    const hashes = new Int32Array(size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const starts = new Uint32Array(size);
    starts.set(this.#starts);
    const lengths = new Uint32Array(size);
    lengths.set(this.#lengths);
    const counts = new Float64Array(size);
    counts.set(this.#counts);
    [this.#starts, this.#lengths, this.#counts] = [starts, lengths, counts];
    const slots = new Int32Array(4 * size);
    const mask = 2 * size - 1;
    for (let word = 1; word <= this.#size; word++) {
      const hash = hashes[word]!;
      let at = slotOf(hash) & mask;
      while (slots[2 * at + 1] !== 0) at = (at + 1) & mask;
      slots[2 * at] = hash;
      slots[2 * at + 1] = word;
    }
    this.#slots = slots;
  }
}

/** Where a word is looked for first. */
function slotOf(hash: number): number {
  return hash ^ (hash >>> 15);
}

/** Counts of words. */
export class WordTable {
  readonly runs: RunTable;
  /** What is no short run: words of long ones, and, in the end, of those that are not ASCII. */
  readonly #long: LongTable;

  /** It is full when it takes about `mostBytes`. */
  constructor(mostBytes: number) {
    this.runs = RunTable.taken(mostBytes / 2);
    this.#long = new LongTable(mostBytes / 2);
  }

  get isFull(): boolean {
    return this.runs.isFull || this.#long.isFull;
  }

  /** Counts the word `bytes[from..to-1]`, whose FNV-1a hash is `hash`. */
  add(bytes: Uint8Array, from: number, to: number, hash: number): void {
    this.#long.add(bytes, from, to, hash, 1);
  }

  /** Gives all words with their hashes and counts, in no order; some may come several times. */
  each(take: (word: Slice, hash: number, count: number) => void): void {
    const slice = { bytes: this.runs.text, from: 0, to: 0 };
    const begun = { to: 0, isWord: false, hash: 0 };
    this.runs.each((bytes, from, to, count) => {
      for (let at = from; at < to; at = begun.to) {
        look(bytes, at, to, true, begun);
        if (!begun.isWord) continue;
        if (at > from || begun.to < to) this.#long.add(bytes, at, begun.to, begun.hash, count);
        else {
          slice.bytes = bytes;
          slice.from = from;
          slice.to = to;
          take(slice, begun.hash, count);
        }
      }
    });
    this.#long.each(take);
  }

  clear(): void {
    this.runs.clear();
    this.#long.clear();
  }

  /** It is not used any more. */
  release(): void {
    this.runs.release();
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
  readonly #begun: Begun = { to: 0, isWord: false, hash: 0 };

  constructor(table: WordTable) {
    this.#table = table;
  }

  /** Counts the words of the next piece, except what may go on in the one behind it. */
  read(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      const length = Math.min(piece.length - at, CHUNK_BYTES);
      this.#scan(piece.subarray(at, at + length), false);
      at += length;
    }
  }

  /** The text is over: so is its last word. Throws {@link LongWordError}. */
  end(): void {
    this.#scan(new Uint8Array(), true);
  }

  #scan(piece: Uint8Array, isLast: boolean): void {
    const rest = this.#rest;
    if (rest.length > KEY_BYTES_MAX) throw new LongWordError();
    this.#rest = new Uint8Array();
    const { text } = this.#table.runs;
    text.set(rest);
    text.set(piece, rest.length);
    const end = rest.length + piece.length;
    // What a run may not have: so the last one ends there.
    text[end] = 0;
    const sure = isLast ? end : behindSeparator(text, end);
    for (let at = 0; at < end;) {
      if (at < sure) at = this.#table.runs.count(at, sure);
      if (at < end) at = this.#take(at, at < sure ? sure : end, isLast || at < sure);
      if (at < 0) return;
    }
  }

  /** What begins at `from`; behind it, or -1 if more must come. */
  #take(from: number, end: number, isLast: boolean): number {
    const { text } = this.#table.runs;
    const begun = this.#begun;
    if (!look(text, from, end, isLast, begun)) {
      this.#rest = text.slice(from, end);
      return -1;
    }
    const { to, isWord, hash } = begun;
    if (!isWord) return to;
    if (to - from > KEY_BYTES_MAX) throw new LongWordError();
    this.#table.add(text, from, to, hash);
    return to;
  }
}

/** Behind the last byte before `end` that is ASCII and no letter; 0 if there is none. */
function behindSeparator(bytes: Uint8Array, end: number): number {
  let at = end;
  while (at > 0 && (bytes[at - 1]! > 127 || ASCII_LETTERS[bytes[at - 1]!] === 1)) at--;
  return at;
}
