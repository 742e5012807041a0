/**
 * Runs: sequences of records, a key and a value each, as bytes on a disk or on the way. A record is
 * the lengths of its key and of its value (LEB128, unsigned, up to 32 bits), then both.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Slice } from "./bytes.ts";
import { type Sink, SinkBuffer } from "./sink_buffer.ts";

/** Copies bytes from `at` on into `into`; how many: fewer than fit only at the end. */
export type Source = (into: Uint8Array, at: number) => number;

/** Bytes of the longest length. */
const LENGTH_BYTES_MAX = 5;

/** Where records are written, one after the other. */
export interface RecordSink {
  /** Bytes written so far. */
  readonly bytes: number;
  write(key: Slice, value: Slice): void;
  /** Hands on what is buffered. */
  flush(): void;
}

/** Writes records into a buffer, and that into a sink whenever it is full. */
export class RecordWriter implements RecordSink {
  readonly #out: SinkBuffer;

  constructor(sink: Sink, bufferBytes?: number) {
    this.#out = new SinkBuffer(sink, bufferBytes);
  }

  get bytes(): number {
    return this.#out.bytes;
  }

  write(key: Slice, value: Slice): void {
    const out = this.#out;
    this.#length(key.to - key.from);
    this.#length(value.to - value.from);
    out.put(key.bytes, key.from, key.to);
    out.put(value.bytes, value.from, value.to);
  }

  flush(): void {
    this.#out.flush();
  }

  #length(value: number): void {
    let length = value;
    for (; length > 127; length >>>= 7) this.#out.byte((length & 127) | 128);
    this.#out.byte(length);
  }
}

/** A slice that its owner moves on. */
export interface MovingSlice {
  bytes: Uint8Array;
  from: number;
  to: number;
}

/** A run that is no sequence of records: its bytes were damaged. */
export class DamagedRunError extends Error {
  override name = "DamagedRunError";
}

/**
 * Reads the records of a run one by one. `key` and `value` are good until the next `advance`.
 * Throws {@link DamagedRunError} where the bytes are no records, or one is longer than `mostBytes`.
 */
export class RunReader {
  /** The present record's key and value, once `advance` has returned true. */
  readonly key: MovingSlice = { bytes: new Uint8Array(), from: 0, to: 0 };
  readonly value: MovingSlice = { bytes: new Uint8Array(), from: 0, to: 0 };
  readonly #source: Source;
  readonly #end: number;
  readonly #mostBytes: number;
  #buffer: Uint8Array;
  /** Where in the source the buffer begins, and what of it is filled and read. */
  #base: number;
  #filled = 0;
  #at = 0;

  /** The run is the bytes `from..to-1` of the source. */
  constructor(source: Source, from: number, to: number, bufferBytes: number, mostBytes: number) {
    this.#source = source;
    this.#base = from;
    this.#end = to;
    this.#mostBytes = mostBytes;
    this.#buffer = new Uint8Array(Math.max(16, Math.min(bufferBytes, to - from)));
  }

  /** Goes on to the next record; false at the end. */
  advance(): boolean {
    const left = this.#end - this.#base - this.#at;
    if (left === 0) return false;
    this.#need(Math.min(2 * LENGTH_BYTES_MAX, left));
    const start = this.#at;
    const keyLength = this.#length();
    const valueLength = this.#length();
    const headBytes = this.#at - start;
    this.#at = start;
    this.#need(headBytes + keyLength + valueLength);
    const { key, value } = this;
    key.bytes = value.bytes = this.#buffer;
    key.from = this.#at + headBytes;
    value.from = key.to = key.from + keyLength;
    this.#at = value.to = value.from + valueLength;
    return true;
  }

  #length(): number {
    let length = 0;
    let factor = 1;
    for (let i = 0; i < LENGTH_BYTES_MAX; i++, factor *= 128) {
      const byte = this.#at < this.#filled ? this.#buffer[this.#at++]! : 255;
      length += (byte & 127) * factor;
      if (byte > 127) continue;
      if (length > this.#mostBytes) break;
      return length;
    }
    throw new DamagedRunError("a record is longer than any can be");
  }

  /** Has `count` bytes from the cursor on in the buffer. */
  #need(count: number): void {
    const rest = this.#filled - this.#at;
    if (rest >= count) return;
    if (count > this.#end - this.#base - this.#at) {
      throw new DamagedRunError("the run ends inside of a record");
    }
    if (count > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(count, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(this.#at, this.#filled));
      this.#buffer = larger;
    } else this.#buffer.copyWithin(0, this.#at, this.#filled);
    this.#base += this.#at;
    this.#at = 0;
    const most = Math.min(this.#buffer.length, this.#end - this.#base) - rest;
    const got = this.#source(this.#buffer.subarray(rest, rest + most), this.#base + rest);
    invariant(got <= most, "a source fills what it is given");
    this.#filled = rest + got;
    if (this.#filled < count) throw new DamagedRunError("the run is shorter than it was");
  }
}
