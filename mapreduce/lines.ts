/**
 * Lines in bytes that come in pieces. A line ends at "\n" or "\r\n", which do not belong to it; the
 * last may end without.
 *
 * @module
 */
import type { Slice } from "./bytes.ts";
import { LINE_BYTES_MAX } from "./limits.ts";

const NEWLINE = 10;
const RETURN = 13;

/** Finds lines in pieces and gives each once. */
export class LineReader {
  /** Number of the line that is given next. */
  number: number;
  readonly #take: (line: Slice, number: number) => void;
  /** Told of a line of more than {@link LINE_BYTES_MAX}, which is given to nobody. */
  readonly #tooLong: (number: number) => void;
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  /** `first` is the number of the first line. */
  constructor(
    first: number,
    take: (line: Slice, number: number) => void,
    tooLong: (number: number) => void,
  ) {
    this.number = first;
    this.#take = take;
    this.#tooLong = tooLong;
  }

  read(piece: Uint8Array): void {
    let from = 0;
    for (;;) {
      const at = piece.indexOf(NEWLINE, from);
      if (at < 0) break;
      if (this.#restBytes > 0) this.#endRest(piece.subarray(from, at));
      else this.#give(piece, from, at);
      from = at + 1;
    }
    if (from < piece.length) this.#keep(piece.slice(from));
  }

  /** No piece follows. */
  end(): void {
    if (this.#restBytes > 0) this.#endRest(new Uint8Array());
  }

  #keep(bytes: Uint8Array): void {
    this.#restBytes += bytes.length;
    // What is too long to be a line is counted, not kept.
    if (this.#restBytes > LINE_BYTES_MAX) this.#rest.length = 0;
    else this.#rest.push(bytes);
  }

  #endRest(last: Uint8Array): void {
    const total = this.#restBytes + last.length;
    const parts = this.#rest;
    this.#rest = [];
    this.#restBytes = 0;
    if (total > LINE_BYTES_MAX) return this.#tooLong(this.number++);
    const line = new Uint8Array(total);
    let at = 0;
    for (const part of [...parts, last]) {
      line.set(part, at);
      at += part.length;
    }
    this.#give(line, 0, total);
  }

  #give(bytes: Uint8Array, from: number, end: number): void {
    if (end - from > LINE_BYTES_MAX) return this.#tooLong(this.number++);
    const to = end > from && bytes[end - 1] === RETURN ? end - 1 : end;
    this.#take({ bytes, from, to }, this.number++);
  }
}
