/**
 * Records as lines of JSON, which people and other programs can read: what lies between map and
 * reduce in a shared directory. A line is `{"key":"the","value":"1"}`; bytes that are no UTF-8 are
 * written in hexadecimal digits instead: `{"keyHex":"ff","value":"1"}`.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { type Slice, utf8, viewOf } from "./bytes.ts";
import type { SortedRun } from "./merge.ts";
import { DamagedRunError, type RecordSink, type Sink, type Source } from "./records.ts";

const NEWLINE = 10;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What JSON adds to a record, about; a byte becomes six at most (`\u0000`). */
const LINE_EXTRA_BYTES = 64;
const LINE_FACTOR = 6;

function fieldOf(name: string, slice: Slice): string {
  const bytes = viewOf(slice);
  try {
    return `"${name}":${JSON.stringify(decoder.decode(bytes))}`;
  } catch {
    return `"${name}Hex":"${bytes.toHex()}"`;
  }
}

/** Writes records as lines into a buffer, and that into a sink whenever it is full. */
export class JsonLineWriter implements RecordSink {
  /** Bytes written so far. */
  bytes = 0;
  readonly #sink: Sink;
  readonly #buffer: Uint8Array;
  #used = 0;

  constructor(sink: Sink, bufferBytes: number = 1 << 18) {
    this.#sink = sink;
    this.#buffer = new Uint8Array(bufferBytes);
  }

  write(key: Slice, value: Slice): void {
    const line = utf8(`{${fieldOf("key", key)},${fieldOf("value", value)}}\n`);
    this.bytes += line.length;
    if (this.#used + line.length > this.#buffer.length) this.flush();
    if (line.length > this.#buffer.length) return this.#sink(line);
    this.#buffer.set(line, this.#used);
    this.#used += line.length;
  }

  /** Hands on what is buffered. */
  flush(): void {
    if (this.#used > 0) this.#sink(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

interface Line {
  readonly key?: unknown;
  readonly keyHex?: unknown;
  readonly value?: unknown;
  readonly valueHex?: unknown;
}

const EMPTY: Slice = { bytes: new Uint8Array(), from: 0, to: 0 };

function sliceOf(text: unknown, hex: unknown): Slice {
  try {
    const bytes = typeof text === "string" ? utf8(text) : Uint8Array.fromHex(String(hex));
    return { bytes, from: 0, to: bytes.length };
  } catch {
    throw new DamagedRunError("a line is no record");
  }
}

/** Reads records from lines, one after the other. */
export class JsonLineReader implements SortedRun {
  /** The present record's key and value, once `advance` has returned true. */
  key: Slice = EMPTY;
  value: Slice = EMPTY;
  readonly #source: Source;
  readonly #mostBytes: number;
  #buffer: Uint8Array;
  /** The next byte of the source that is read, and the end. */
  #next: number;
  readonly #end: number;
  #at = 0;
  #filled = 0;

  /** The lines are the bytes `from..to-1` of the source; `mostBytes`: of a key, and of a value. */
  constructor(source: Source, from: number, to: number, bufferBytes: number, mostBytes: number) {
    this.#source = source;
    this.#next = from;
    this.#end = to;
    this.#mostBytes = 2 * (LINE_FACTOR * mostBytes + LINE_EXTRA_BYTES);
    this.#buffer = new Uint8Array(Math.max(16, Math.min(bufferBytes, to - from)));
  }

  /** Goes on to the next record; false at the end. */
  advance(): boolean {
    for (let searched = this.#at; ;) {
      const end = this.#buffer.subarray(0, this.#filled).indexOf(NEWLINE, searched);
      if (end >= 0) {
        this.#take(this.#buffer.subarray(this.#at, end));
        this.#at = end + 1;
        return true;
      }
      const rest = this.#filled - this.#at;
      if (this.#next === this.#end) {
        if (rest > 0) throw new DamagedRunError("the run ends inside of a record");
        return false;
      }
      this.#fill(rest);
      searched = rest;
    }
  }

  #fill(rest: number): void {
    if (rest === this.#buffer.length) {
      if (rest >= this.#mostBytes) throw new DamagedRunError("a record is longer than any can be");
      const larger = new Uint8Array(2 * rest);
      larger.set(this.#buffer);
      this.#buffer = larger;
    } else this.#buffer.copyWithin(0, this.#at, this.#filled);
    this.#at = 0;
    const most = Math.min(this.#buffer.length - rest, this.#end - this.#next);
    const got = this.#source(this.#buffer.subarray(rest, rest + most), this.#next);
    invariant(got <= most, "a source fills what it is given");
    if (got < most) throw new DamagedRunError("the run is shorter than it was");
    this.#next += got;
    this.#filled = rest + got;
  }

  #take(bytes: Uint8Array): void {
    let line: Line | null;
    try {
      line = JSON.parse(decoder.decode(bytes)) as Line | null;
    } catch {
      throw new DamagedRunError("a line is no record");
    }
    if (typeof line !== "object" || line === null) throw new DamagedRunError("a line is no record");
    this.key = sliceOf(line.key, line.keyHex);
    this.value = sliceOf(line.value, line.valueHex);
  }
}
