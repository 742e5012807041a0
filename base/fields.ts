/**
 * Arrays of fields, written in one order and read in the same: the shape of every CBOR message in
 * this house. The writer is for our own values; the reader is for a stranger's, so it never throws
 * but remembers that something was wrong.
 *
 * ```ts
 * import { decodeCbor, encodeCbor, FieldReader, FieldWriter } from "./mod.ts";
 *
 * const bytes = encodeCbor(new FieldWriter().count(7).text("seven").values);
 *
 * const fields = FieldReader.of(decodeCbor(bytes));
 * const [number, name] = [fields?.count(), fields?.text(64)];
 * if (!fields?.isGood) reject();
 * ```
 *
 * @module
 */
import type { CborValue } from "./cbor.ts";
import { invariant } from "./machine.ts";
import { utf8Length } from "./text.ts";

/** Largest {@link FieldWriter.count}. */
export const COUNT_MAX: number = 2 ** 32 - 1;
const UINT64_MAX = (1n << 64n) - 1n;
const UINT256_MAX = (1n << 256n) - 1n;
/** Bytes of the least number that is not written as a uint64, and of the largest. */
const UINT256_BYTES: readonly [number, number] = [9, 32];

/** Collects fields, in order. A value out of range is our own mistake and throws. */
export class FieldWriter {
  /** What was written so far. */
  readonly values: CborValue[] = [];

  /** A whole number 0..2^32-1. */
  count(value: number): this {
    invariant(value >>> 0 === value, "a count is a whole number of 32 bits");
    return this.#push(value);
  }

  /** A whole number 0..2^64-1. */
  uint64(value: bigint): this {
    invariant(value >= 0n && value <= UINT64_MAX, "a number has at most 64 bits");
    return this.#push(value);
  }

  /** A whole number 0..2^256-1: as {@link uint64} if it fits, else as its bytes, big-endian. */
  uint256(value: bigint): this {
    invariant(value <= UINT256_MAX, "a number has at most 256 bits");
    if (value <= UINT64_MAX) return this.uint64(value);
    const digits = value.toString(16);
    return this.bytes(
      Uint8Array.fromHex(digits.padStart(digits.length + (digits.length & 1), "0")),
    );
  }

  /** A real number of 0 or more, to the nearest whole one; from 2^64 on the largest there is. */
  rounded(value: number): this {
    invariant(value >= 0, "a rounded number is not negative");
    return this.uint64(value < 2 ** 64 ? BigInt(Math.round(value)) : UINT64_MAX);
  }

  /** `false` or `true`, as 0 or 1. */
  flag(value: boolean): this {
    return this.#push(value ? 1 : 0);
  }

  text(value: string): this {
    return this.#push(value);
  }

  bytes(value: Uint8Array): this {
    return this.#push(value);
  }

  /** An array of fields of its own, which `write` writes. */
  array(write: (inner: FieldWriter) => void): this {
    const inner = new FieldWriter();
    write(inner);
    return this.#push(inner.values);
  }

  /** An array that is empty when `value` is missing, and else has what `write` writes of it. */
  optional<T>(value: T | undefined, write: (inner: FieldWriter, value: T) => void): this {
    const inner = new FieldWriter();
    if (value !== undefined) write(inner, value);
    return this.#push(inner.values);
  }

  #push(value: CborValue): this {
    this.values.push(value);
    return this;
  }
}

/**
 * Reads fields, in order. A field that is missing, of another type or out of bounds reads as
 * something harmless, and makes the whole no good.
 */
export class FieldReader {
  #values: readonly CborValue[];
  #at = 0;
  #sound = true;

  constructor(values: readonly CborValue[]) {
    this.#values = values;
  }

  /** A reader of `value` if that is an array. */
  static of(value: CborValue | undefined): FieldReader | undefined {
    return Array.isArray(value) ? new FieldReader(value as readonly CborValue[]) : undefined;
  }

  /** Whether all fields were read, and all were good. */
  get isGood(): boolean {
    return this.#sound && this.#at === this.#values.length;
  }

  /** Whether a field is left to read, and all so far were good. */
  get hasMore(): boolean {
    return this.#sound && this.#at < this.#values.length;
  }

  /** Declares the fields no good, for a reason that only the caller can see. */
  reject(): void {
    this.#sound = false;
  }

  /** A whole number 0..max, where `max` is at most 2^32-1. */
  count(max: number = COUNT_MAX): number {
    const value = this.#values[this.#at++];
    return typeof value === "number" && value <= max ? value : this.#bad(0);
  }

  /** A whole number 0..2^64-1. */
  uint64(): bigint {
    const value = this.#values[this.#at++];
    if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
    return this.#bad(0n);
  }

  /** A whole number 0..2^256-1; what fits into 64 bits must not come as bytes. */
  uint256(): bigint {
    const value = this.#values[this.#at];
    if (!(value instanceof Uint8Array)) return this.uint64();
    this.#at++;
    const [least, most] = UINT256_BYTES;
    if (value.length < least || value.length > most || value[0] === 0) return this.#bad(0n);
    return BigInt(`0x${value.toHex()}`);
  }

  /** A whole number 0..2^64-1, as the nearest double. */
  rounded(): number {
    return Number(this.uint64());
  }

  flag(): boolean {
    return this.count(1) === 1;
  }

  /** Text of at most `maxBytes` bytes of UTF-8, or as many bytes: a copy of their own. */
  textOrBytes(maxBytes: number): string | Uint8Array {
    const value = this.#values[this.#at];
    if (!(value instanceof Uint8Array)) return this.text(maxBytes);
    this.#at++;
    return value.length <= maxBytes ? value.slice() : this.#bad("");
  }

  /** At most `maxBytes` bytes: a view into what was decoded. */
  bytes(maxBytes: number): Uint8Array {
    const value = this.#values[this.#at++];
    const isGood = value instanceof Uint8Array && value.length <= maxBytes;
    return isGood ? value : this.#bad(new Uint8Array(0));
  }

  /** Text of at most `maxBytes` bytes of UTF-8. */
  text(maxBytes: number): string {
    const value = this.#values[this.#at++];
    const good = typeof value === "string" && utf8Length(value) <= maxBytes;
    return good ? value : this.#bad("");
  }

  /** An array of fields, all of which `read` reads. */
  array<T>(read: (inner: FieldReader) => T): T {
    const inner = this.#inner();
    const value = read(inner);
    if (!inner.isGood) this.reject();
    return value;
  }

  /** An array that is empty (then: `undefined`), or has fields, all of which `read` reads. */
  optional<T>(read: (inner: FieldReader) => T): T | undefined {
    const inner = this.#inner();
    if (inner.#values.length === 0) return undefined;
    const value = read(inner);
    if (!inner.isGood) this.reject();
    return value;
  }

  #inner(): FieldReader {
    return FieldReader.of(this.#values[this.#at++]) ?? new FieldReader(this.#bad([]));
  }

  #bad<T>(instead: T): T {
    this.#sound = false;
    return instead;
  }
}
