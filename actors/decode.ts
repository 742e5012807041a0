/**
 * Reads messages that `encode.ts` wrote, and refuses everything else: they come from strangers.
 *
 * @module
 */
import { setField } from "./copy.ts";
import { Major } from "./encode.ts";
import { type Message, MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX } from "./types.ts";

/** Shorter text is read by hand, as long as it is ASCII. */
const SHORT_TEXT = 24;

/** Names of fields that are remembered: a power of two. */
const NAMES = 512;
const names: (string | undefined)[] = Array.from({ length: NAMES }, () => undefined);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Thrown within this file only. */
const MALFORMED: Error = new Error("no message");

let from: Uint8Array = new Uint8Array(0);
let at = 0;
let end = 0;
/** One double, and its bytes: a view of each message's own buffer costs more than the rest. */
const doubleBytes = new Uint8Array(8);
const double = new DataView(doubleBytes.buffer);

/**
 * The message that the bytes from `start` up to `stop` are, all of them; `undefined` when they are
 * none. Keeps no reference to them. Never throws.
 */
export function decodeMessage(
  bytes: Uint8Array,
  start = 0,
  stop: number = bytes.length,
): { readonly message: Message } | undefined {
  if (stop - start > MESSAGE_BYTES_MAX) return undefined;
  from = bytes;
  at = start;
  end = stop;
  try {
    const message = read(0);
    return at === end ? { message } : undefined;
  } catch (error) {
    if (error !== MALFORMED) throw error;
    return undefined;
  }
}

/** The next byte. */
function take(): number {
  if (at >= end) throw MALFORMED;
  return from[at++]!;
}

function read(depth: number): Message {
  const initial = take();
  switch (initial & 0xe0) {
    case Major.unsigned:
      return argument(initial);
    case Major.negative:
      return integer(-1 - argument(initial));
    case Major.bytes:
      return taken(argument(initial));
    case Major.text:
      return text(argument(initial));
    case Major.array:
      return array(argument(initial), depth);
    case Major.map:
      return map(argument(initial), depth);
    default:
      return special(initial);
  }
}

function special(initial: number): Message {
  switch (initial) {
    case Major.false:
      return false;
    case Major.true:
      return true;
    case Major.null:
      return null;
    case Major.undefined:
      return undefined;
    case Major.double:
      need(8);
      for (let i = 0; i < 8; i++) doubleBytes[i] = from[at++]!;
      return double.getFloat64(0);
    case Major.bignum:
      return bignum();
    case Major.negativeBignum:
      return -1n - bignum();
    default:
      throw MALFORMED;
  }
}

function need(bytes: number): void {
  if (bytes > end - at) throw MALFORMED;
}

function integer(value: number): number {
  if (!Number.isSafeInteger(value)) throw MALFORMED;
  return value;
}

/** The argument of an initial byte (RFC 8949, section 3), of definite length. */
function argument(initial: number): number {
  const info = initial & 0x1f;
  if (info < 24) return info;
  if (info > 27) throw MALFORMED;
  const bytes = 1 << (info - 24);
  need(bytes);
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + from[at++]!;
  return integer(value);
}

/** A copy of the next bytes. */
function taken(bytes: number): Uint8Array {
  need(bytes);
  at += bytes;
  return Uint8Array.prototype.slice.call(from, at - bytes, at);
}

function text(bytes: number): string {
  if (bytes < SHORT_TEXT) {
    const short = shortText(bytes);
    if (short !== undefined) return short;
  }
  const raw = taken(bytes);
  try {
    return utf8.decode(raw);
  } catch {
    throw MALFORMED;
  }
}

function shortText(bytes: number): string | undefined {
  need(bytes);
  let value = "";
  for (let i = at; i < at + bytes; i++) {
    const code = from[i]!;
    if (code > 0x7f) return undefined;
    value += String.fromCharCode(code);
  }
  at += bytes;
  return value;
}

/**
 * The name of a field. The same few come again and again: those that were read before are found by
 * their bytes, which is a third of what making the text and looking it up takes.
 */
function name(bytes: number): string {
  if (bytes >= SHORT_TEXT) return text(bytes);
  need(bytes);
  let hash = bytes;
  for (let i = at; i < at + bytes; i++) hash = (hash * 31 + from[i]!) & (NAMES - 1);
  const known = names[hash];
  if (known !== undefined && isNext(known, bytes)) {
    at += bytes;
    return known;
  }
  const fresh = text(bytes);
  // ASCII only: of other text the characters are no bytes.
  if (fresh.length === bytes) names[hash] = fresh;
  return fresh;
}

/** Whether the next bytes are that ASCII text. */
function isNext(known: string, bytes: number): boolean {
  if (known.length !== bytes) return false;
  for (let i = 0; i < bytes; i++) if (known.charCodeAt(i) !== from[at + i]) return false;
  return true;
}

function bignum(): bigint {
  const initial = take();
  if ((initial & 0xe0) !== Major.bytes) throw MALFORMED;
  const bytes = taken(argument(initial));
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
}

function array(length: number, depth: number): Message {
  if (depth === MESSAGE_DEPTH_MAX) throw MALFORMED;
  const items: Message[] = [];
  // One that claims more than there is ends with the bytes.
  for (let i = 0; i < length; i++) items.push(read(depth + 1));
  return items;
}

function map(length: number, depth: number): Message {
  if (depth === MESSAGE_DEPTH_MAX) throw MALFORMED;
  const fields: Record<string, Message> = {};
  for (let i = 0; i < length; i++) {
    const initial = take();
    if ((initial & 0xe0) !== Major.text) throw MALFORMED;
    const key = name(argument(initial));
    setField(fields, key, read(depth + 1));
  }
  return fields;
}
