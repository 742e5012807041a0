/**
 * Messages as CBOR (RFC 8949), so that what is read has the types of what was written: a number is
 * an integer where it is a safe one and not -0, else a double; a bigint is always a bignum (tags 2
 * and 3, section 3.4.3). Everything is of definite length. `decode.ts` reads it.
 *
 * @module
 */
import { isPlain, refuse, UNTELLABLE } from "./refuse.ts";
import { type Message, MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX } from "./types.ts";

/** Initial bytes: major types, and what stands for itself. */
export const Major = {
  unsigned: 0x00,
  negative: 0x20,
  bytes: 0x40,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  undefined: 0xf7,
  double: 0xfb,
  bignum: 0xc2,
  negativeBignum: 0xc3,
} as const;

/** Shorter text is written by hand, as long as it is ASCII. */
const SHORT_TEXT = 24;

/** Thrown within this file only: what is written to is full. */
const OVERFLOWN: Error = new Error("no room");

/** What is written to. */
export interface Target {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
}

/** Where messages are written at first; it grows for a large one, but not for good. */
const SCRATCH_BYTES = 4096;
const SCRATCH_BYTES_MAX: number = 64 << 10;

const utf8 = new TextEncoder();
let into = new Uint8Array(SCRATCH_BYTES);
let view = new DataView(into.buffer);
let at = 0;
let mayGrow = true;

/** The encoding, in bytes of its own. Throws {@link MessageError}. */
export function encodeMessage(message: Message): Uint8Array {
  const length = encode(message);
  const encoded = into.slice(0, length);
  if (into.length > SCRATCH_BYTES_MAX) {
    into = new Uint8Array(SCRATCH_BYTES);
    view = new DataView(into.buffer);
  }
  return encoded;
}

/**
 * Writes the encoding at `place` of `target` if there is room, with some to spare; its length.
 * Otherwise -1, and what is written from `place` on means nothing. Throws {@link MessageError}.
 */
export function encodeMessageInto(target: Target, place: number, message: Message): number {
  const [own, ownView] = [into, view];
  into = target.bytes;
  view = target.view;
  mayGrow = false;
  at = place;
  try {
    write(message, 0);
    return at - place;
  } catch (error) {
    if (error === OVERFLOWN) return -1;
    if (error === UNTELLABLE) refuse(message);
    throw error;
  } finally {
    into = own;
    view = ownView;
    mayGrow = true;
  }
}

function encode(message: Message): number {
  at = 0;
  try {
    write(message, 0);
    if (at > MESSAGE_BYTES_MAX) throw UNTELLABLE;
  } catch (error) {
    if (error === UNTELLABLE) refuse(message);
    throw error;
  }
  return at;
}

/** Makes room for `bytes` more. */
function reserve(bytes: number): void {
  if (at + bytes <= into.length) return;
  if (!mayGrow) throw OVERFLOWN;
  if (at > MESSAGE_BYTES_MAX) throw UNTELLABLE;
  const larger = new Uint8Array(Math.max(2 * into.length, at + bytes));
  larger.set(into);
  into = larger;
  view = new DataView(into.buffer);
}

function write(value: Message, depth: number): void {
  reserve(9);
  switch (typeof value) {
    case "number":
      return writeNumber(value);
    case "string":
      return writeText(value);
    case "boolean":
      into[at++] = value ? Major.true : Major.false;
      return;
    case "undefined":
      into[at++] = Major.undefined;
      return;
    case "bigint":
      return writeBigint(value);
    case "object":
      if (value === null) into[at++] = Major.null;
      else writeParts(value, depth);
      return;
    default:
      throw UNTELLABLE;
  }
}

function writeNumber(value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    if (value >= 0) writeHead(Major.unsigned, value);
    else writeHead(Major.negative, -1 - value);
    return;
  }
  into[at] = Major.double;
  view.setFloat64(at + 1, value);
  at += 9;
}

/** An initial byte with its argument, in the shortest form (RFC 8949, section 3). */
function writeHead(major: number, argument: number): void {
  if (argument < 24) into[at++] = major | argument;
  else if (argument < 0x100) {
    into[at] = major | 24;
    into[at + 1] = argument;
    at += 2;
  } else if (argument < 0x1_0000) {
    into[at] = major | 25;
    view.setUint16(at + 1, argument);
    at += 3;
  } else if (argument < 0x1_0000_0000) {
    into[at] = major | 26;
    view.setUint32(at + 1, argument);
    at += 5;
  } else {
    into[at] = major | 27;
    view.setUint32(at + 1, Math.floor(argument / 2 ** 32));
    view.setUint32(at + 5, argument >>> 0);
    at += 9;
  }
}

function headBytes(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  return argument < 0x1_0000 ? 3 : 5;
}

function writeText(value: string): void {
  const { length } = value;
  if (length > MESSAGE_BYTES_MAX) throw UNTELLABLE;
  reserve(5 + 3 * length);
  if (length < SHORT_TEXT && writeShortText(value)) return;
  if (!value.isWellFormed()) throw UNTELLABLE;
  // The length in bytes is known once they are written; most often it needs no larger head.
  const guessed = headBytes(length);
  const { written } = utf8.encodeInto(value, into.subarray(at + guessed));
  const needed = headBytes(written);
  if (needed !== guessed) into.copyWithin(at + needed, at + guessed, at + guessed + written);
  writeHead(Major.text, written);
  at += written;
}

function writeShortText(value: string): boolean {
  const { length } = value;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0x7f) return false;
    into[at + 1 + i] = code;
  }
  into[at] = Major.text | length;
  at += 1 + length;
  return true;
}

function writeBytes(value: Uint8Array): void {
  if (value.length > MESSAGE_BYTES_MAX) throw UNTELLABLE;
  reserve(5 + value.length);
  writeHead(Major.bytes, value.length);
  into.set(value, at);
  at += value.length;
}

function writeBigint(value: bigint): void {
  const isNegative = value < 0n;
  const digits = (isNegative ? -1n - value : value).toString(16);
  if (digits.length > 2 * MESSAGE_BYTES_MAX) throw UNTELLABLE;
  into[at++] = isNegative ? Major.negativeBignum : Major.bignum;
  writeBytes(Uint8Array.fromHex(digits.padStart(digits.length + (digits.length & 1), "0")));
}

function writeParts(value: object, depth: number): void {
  if (value instanceof Uint8Array) return writeBytes(value);
  if (depth === MESSAGE_DEPTH_MAX) throw UNTELLABLE;
  if (Array.isArray(value)) {
    const { length } = value;
    if (length > MESSAGE_BYTES_MAX) throw UNTELLABLE;
    writeHead(Major.array, length);
    for (let i = 0; i < length; i++) write(value[i] as Message, depth + 1);
    return;
  }
  if (!isPlain(value)) throw UNTELLABLE;
  const keys = Object.keys(value);
  writeHead(Major.map, keys.length);
  for (const key of keys) {
    writeText(key);
    write((value as Record<string, Message>)[key], depth + 1);
  }
}
