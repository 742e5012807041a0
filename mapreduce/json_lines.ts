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
import { DamagedRunError, type MovingSlice, type RecordSink, type Source } from "./records.ts";
import { type Sink, SinkBuffer } from "./sink_buffer.ts";

const NEWLINE = 10;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What JSON adds to a record, about; a byte becomes six at most (`\u0000`). */
const LINE_EXTRA_BYTES = 64;
const LINE_FACTOR = 6;

const KEY = utf8('{"key":"');
const VALUE = utf8('","value":"');
const END = utf8('"}\n');
const QUOTE = 34;
const BACKSLASH = 92;
const DELETE = 127;

/** Whether the bytes are in a JSON string what they are: UTF-8 without what is escaped. */
function isPlain({ bytes, from, to }: Slice): boolean {
  for (let i = from; i < to;) {
    const byte = bytes[i]!;
    if (byte < 32 || byte === QUOTE || byte === BACKSLASH || byte === DELETE) return false;
    const length = byte < 128 ? 1 : characterBytes(bytes, i, to);
    if (length === 0) return false;
    i += length;
  }
  return true;
}

/** Bytes of the character of several that begins there; 0 if that is no UTF-8 (RFC 3629). */
function characterBytes(bytes: Uint8Array, at: number, to: number): number {
  const first = bytes[at]!;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > to) return 0;
  const second = bytes[at + 1]!;
  // Too long a form, a surrogate, or beyond the last character.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

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
  readonly #out: SinkBuffer;

  constructor(sink: Sink, bufferBytes?: number) {
    this.#out = new SinkBuffer(sink, bufferBytes);
  }

  get bytes(): number {
    return this.#out.bytes;
  }

  write(key: Slice, value: Slice): void {
    const out = this.#out;
    if (!isPlain(key) || !isPlain(value)) {
      const line = utf8(`{${fieldOf("key", key)},${fieldOf("value", value)}}\n`);
      return out.put(line, 0, line.length);
    }
    out.put(KEY, 0, KEY.length);
    out.put(key.bytes, key.from, key.to);
    out.put(VALUE, 0, VALUE.length);
    out.put(value.bytes, value.from, value.to);
    out.put(END, 0, END.length);
  }

  flush(): void {
    this.#out.flush();
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
  /** The same of a line in the buffer, to be used again. */
  readonly #plainKey: MovingSlice = { ...EMPTY };
  readonly #plainValue: MovingSlice = { ...EMPTY };
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
        if (!this.#takePlain(end)) this.#take(this.#buffer.subarray(this.#at, end));
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

  /** Takes a line that has nothing escaped, where it lies; false for all others. */
  #takePlain(end: number): boolean {
    const keyFrom = this.#at + KEY.length;
    if (!this.#has(KEY, this.#at)) return false;
    const keyTo = this.#stringEnd(keyFrom, end);
    if (keyTo < 0 || !this.#has(VALUE, keyTo)) return false;
    const valueFrom = keyTo + VALUE.length;
    const valueTo = this.#stringEnd(valueFrom, end);
    if (valueTo < 0 || valueTo + END.length - 1 !== end || !this.#has(END, valueTo)) return false;
    const bytes = this.#buffer;
    const [plainKey, plainValue] = [this.#plainKey, this.#plainValue];
    plainKey.bytes = plainValue.bytes = bytes;
    plainKey.from = keyFrom;
    plainKey.to = keyTo;
    plainValue.from = valueFrom;
    plainValue.to = valueTo;
    this.key = plainKey;
    this.value = plainValue;
    return true;
  }

  /** Where the string ends; -1: it has something escaped, or no end. */
  #stringEnd(from: number, end: number): number {
    const bytes = this.#buffer;
    for (let i = from; i < end; i++) {
      const byte = bytes[i]!;
      if (byte === QUOTE) return i;
      if (byte === BACKSLASH) return -1;
    }
    return -1;
  }

  #has(text: Uint8Array, at: number): boolean {
    for (let i = 0; i < text.length; i++) if (this.#buffer[at + i] !== text[i]) return false;
    return true;
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
