/**
 * Numbers and byte strings one behind the other: the form of commands, answers, messages and
 * snapshots. A byte string is its length and its bytes. A whole number takes as many bytes as it
 * needs, seven bits each, the least first; one way only of writing each is taken.
 *
 * @module
 */
import { invariant } from "./machine.ts";

const FIRST_BYTES = 64;

/** A byte string as a string, a character a byte: such strings sort as their bytes do. */
export type ByteString = string;

/** The bytes of a byte string. */
export function bytesOf(text: ByteString): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes start..end - 1 as a byte string. */
export function byteString(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): ByteString {
  // A ninth of what String.fromCharCode costs.
  return Buffer.prototype.latin1Slice.call(bytes, start, end);
}

/** Byte strings as one. */
export function joinedBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Up to so many bytes, a copy costs less than a view: JavaScriptCore keeps a small array in one
 * piece, and takes that apart when it makes a view of it.
 */
const COPIED_BYTES_MAX = 1000;

/** Bytes start..end - 1, to be looked at: a copy or a view, whichever costs less. */
export function partOf(bytes: Uint8Array, start: number, end: number = bytes.length): Uint8Array {
  const isSmall = end - start <= COPIED_BYTES_MAX;
  return isSmall ? bytes.slice(start, end) : bytes.subarray(start, end);
}

/** Bytes that a whole number takes. */
export function uintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Writes a whole number 0..2^53-1 to `at`, where there must be room for it; where it ends. */
export function putUint(into: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  while (rest > 0x7f) {
    into[end++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  into[end++] = rest;
  return end;
}

/** Appends fields to a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: number = FIRST_BYTES) {
    this.#bytes = new Uint8Array(bytes);
  }

  /** How much was written. */
  get length(): number {
    return this.#at;
  }

  /** What was written, as bytes of their own. */
  taken(): Uint8Array {
    return this.#at === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#at);
  }

  /** Forgets what was written, and keeps the room for it. */
  anew(): this {
    this.#at = 0;
    return this;
  }

  /** A copy of what was written. */
  copied(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /** What was written, in the writer's own bytes: the end of it. */
  whole(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  byte(value: number): this {
    this.#need(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  flag(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  /** A whole number 0..2^53-1. */
  uint(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, "a number is whole and not negative");
    this.#need(8);
    this.#at = putUint(this.#bytes, this.#at, value);
    return this;
  }

  /** A number that may be missing. */
  optional(value: number | undefined): this {
    return this.uint(value === undefined ? 0 : value + 1);
  }

  blob(value: Uint8Array): this {
    return this.uint(value.length).raw(value);
  }

  /** Bytes without their length. */
  raw(value: Uint8Array): this {
    const { length } = value;
    this.#need(length);
    // A call of `set` costs as much as some bytes.
    if (length > 16) this.#bytes.set(value, this.#at);
    else for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = value[i]!;
    this.#at += length;
    return this;
  }

  text(value: ByteString): this {
    this.uint(value.length);
    this.#need(value.length);
    for (let i = 0; i < value.length; i++) this.#bytes[this.#at++] = value.charCodeAt(i);
    return this;
  }

  #need(bytes: number): void {
    const need = this.#at + bytes;
    if (need <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(need, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

const NO_BYTES = new Uint8Array(0);

/**
 * Reads fields that a stranger may have written: it never throws, but remembers that something was
 * wrong; then every field reads as nothing.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #isSound = true;

  /** Reads bytes start..end - 1. */
  constructor(bytes: Uint8Array, start: number = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Where the next field is read. */
  get at(): number {
    return this.#at;
  }

  /** Whether everything was read, and all of it was good. */
  get isGood(): boolean {
    return this.#isSound && this.#at === this.#end;
  }

  /** Whether all fields so far were good. */
  get isSound(): boolean {
    return this.#isSound;
  }

  /** Whether something is left to read. */
  get hasMore(): boolean {
    return this.#isSound && this.#at < this.#end;
  }

  /** Declares it no good, for a reason that only the caller can see. */
  reject(): void {
    this.#isSound = false;
  }

  byte(max = 0xff): number {
    if (this.#at >= this.#end || this.#bytes[this.#at]! > max) this.#isSound = false;
    if (!this.#isSound) return 0;
    return this.#bytes[this.#at++]!;
  }

  flag(): boolean {
    return this.byte(1) === 1;
  }

  /** A whole number 0..max. */
  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let scale = 1; this.#isSound; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      // What is too large, or has an empty last byte, could be written shorter, or is no number.
      if (value > max || (byte === 0 && scale > 1)) break;
      if (byte < 0x80) return this.#isSound ? value : 0;
    }
    this.#isSound = false;
    return 0;
  }

  optional(max: number = Number.MAX_SAFE_INTEGER - 1): number | undefined {
    const value = this.uint(max + 1);
    return value === 0 ? undefined : value - 1;
  }

  /** A byte string as bytes of its own. */
  blob(max: number): Uint8Array {
    const start = this.#take(max);
    return this.#isSound ? this.#bytes.slice(start, this.#at) : NO_BYTES;
  }

  /** A byte string as a part of what is read, good as long as that is. */
  view(max: number): Uint8Array {
    const start = this.#take(max);
    return this.#isSound ? partOf(this.#bytes, start, this.#at) : NO_BYTES;
  }

  /** Leaves a byte string out; where it starts. */
  pass(): number {
    return this.#take(this.#end);
  }

  text(max: number): ByteString {
    const start = this.#take(max);
    return byteString(this.#bytes, start, this.#at);
  }

  /** Everything that is left, good as long as what is read. */
  rest(): Uint8Array {
    const rest = this.#isSound ? partOf(this.#bytes, this.#at, this.#end) : NO_BYTES;
    this.#at = this.#end;
    return rest;
  }

  /** Everything that is left, as bytes of their own. */
  tail(): Uint8Array {
    const tail = this.#isSound ? this.#bytes.slice(this.#at, this.#end) : NO_BYTES;
    this.#at = this.#end;
    return tail;
  }

  /** Moves behind the next byte string; where it starts. */
  #take(max: number): number {
    const length = this.uint(max);
    if (length > this.#end - this.#at) this.#isSound = false;
    if (this.#isSound) this.#at += length;
    return this.#isSound ? this.#at - length : this.#at;
  }
}

/** Byte strings, one at least, each behind its length: what {@link placesIn} finds again. */
export function packed(all: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const { length } of all) bytes += length + LENGTH_BYTES_MAX;
  const writer = new ByteWriter(bytes);
  for (const one of all) writer.blob(one);
  return writer.whole();
}

/** A length that is written takes no more. */
const LENGTH_BYTES_MAX = 8;

/**
 * Where the byte strings are that `bytes` are from `start` on: of each its start and its end, one
 * behind the other. Undefined when they are none.
 */
export function placesIn(bytes: Uint8Array, start: number = 0): number[] | undefined {
  const reader = new ByteReader(bytes, start);
  const places: number[] = [];
  while (reader.hasMore) {
    const from = reader.pass();
    places.push(from, reader.at);
  }
  return reader.isGood && places.length > 0 ? places : undefined;
}
