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

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Thrown within this file only. */
const MALFORMED: Error = new Error("no message");

let from = new Uint8Array(0);
let view = new DataView(from.buffer);
let at = 0;

/** The message that `bytes` are, all of them; `undefined` when they are none. Never throws. */
export function decodeMessage(bytes: Uint8Array): { readonly message: Message } | undefined {
  if (bytes.length > MESSAGE_BYTES_MAX) return undefined;
  from = bytes as Uint8Array<ArrayBuffer>;
  view = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  at = 0;
  try {
    const message = read(0);
    return at === bytes.length ? { message } : undefined;
  } catch (error) {
    if (error !== MALFORMED) throw error;
    return undefined;
  }
}

function read(depth: number): Message {
  const initial = from[at++];
  if (initial === undefined) throw MALFORMED;
  switch (initial & 0xe0) {
    case Major.unsigned:
      return argument(initial);
    case Major.negative:
      return integer(-1 - argument(initial));
    case Major.bytes:
      return new Uint8Array(taken(argument(initial)));
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
    case Major.double: {
      need(8);
      at += 8;
      return view.getFloat64(at - 8);
    }
    case Major.bignum:
      return bignum();
    case Major.negativeBignum:
      return -1n - bignum();
    default:
      throw MALFORMED;
  }
}

function need(bytes: number): void {
  if (at + bytes > from.length) throw MALFORMED;
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
  at += bytes;
  if (info === 24) return from[at - 1]!;
  if (info === 25) return view.getUint16(at - 2);
  if (info === 26) return view.getUint32(at - 4);
  return integer(view.getUint32(at - 8) * 2 ** 32 + view.getUint32(at - 4));
}

function taken(bytes: number): Uint8Array {
  need(bytes);
  at += bytes;
  return from.subarray(at - bytes, at);
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

function bignum(): bigint {
  const initial = from[at++];
  if (initial === undefined || (initial & 0xe0) !== Major.bytes) throw MALFORMED;
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
    const initial = from[at++];
    if (initial === undefined || (initial & 0xe0) !== Major.text) throw MALFORMED;
    const key = text(argument(initial));
    setField(fields, key, read(depth + 1));
  }
  return fields;
}
