/**
 * What systems write to each other over LSP. A connection begins with a greeting each way: a CBOR
 * array `["motherlode actors", version, address, incarnation, session]`. Then come frames,
 * whose first byte is their kind; numbers in them are of 7 bits a byte, the least first.
 *
 * - `tells`, from the dialer: for each message the number of its actor, its length, its encoding.
 * - `watch`, `unwatch`, from the dialer: numbers of actors.
 * - `gone`, to the dialer: for each watched actor its number, and why it is gone.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { appVersion } from "../lsp/mod.ts";
import type { GoneReason } from "./types.ts";

/** Version of all that is described here. Another one is refused. */
const GREETING_VERSION = 1;
/** The same in the handshake of LSP: what a system asks of who dials it, unless told otherwise. */
export const ACTORS_VERSION: number = appVersion("act", GREETING_VERSION);
/** Bytes of an address, at most: a name of 253 bytes, a colon, and a port. */
export const ADDRESS_BYTES_MAX = 260;

const MAGIC = "motherlode actors";
/** How every greeting begins: an array of five, and the first byte of a text of 17. */
const GREETING_HEAD = [0x85, 0x71, 0x6d];

/** What a system says of itself first. */
export interface Greeting {
  /** `HOST:PORT`, as it calls itself. */
  readonly address: string;
  readonly incarnation: number;
  /** Counts its connections to the other: a later one takes an earlier one's place. */
  readonly session: number;
}

/** Kinds of frames. */
export const Frame = { tells: 1, watch: 2, unwatch: 3, gone: 4 } as const;

const REASONS: readonly GoneReason[] = ["stopped", "threw", "unknown", "restarted", "unreachable"];

/** Whether a connection's first payload is a system's greeting, of any version. */
export function isActorGreeting(payload: Uint8Array): boolean {
  return GREETING_HEAD.every((byte, i) => payload[i] === byte);
}

export function encodeGreeting({ address, incarnation, session }: Greeting): Uint8Array {
  const fields = new FieldWriter().text(MAGIC).count(GREETING_VERSION).text(address);
  fields.uint64(BigInt(incarnation)).uint64(BigInt(session));
  return encodeCbor(fields.values);
}

/** The greeting in `payload`, or why it is none. */
export function decodeGreeting(payload: Uint8Array): Greeting | string {
  const fields = FieldReader.of(decodeCbor(payload));
  if (fields?.text(MAGIC.length) !== MAGIC) return "greeting";
  if (fields.count() !== GREETING_VERSION) return "version";
  const address = fields.text(ADDRESS_BYTES_MAX);
  const [incarnation, session] = [Number(fields.uint64()), Number(fields.uint64())];
  const isSafe = Number.isSafeInteger(incarnation) && Number.isSafeInteger(session);
  if (!fields.isGood || !isSafe || incarnation === 0) return "greeting";
  return { address, incarnation, session };
}

/** Bytes that {@link putNumber} takes for a number. */
export function numberBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Writes a number 0..2^53-1; the place behind it. */
export function putNumber(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    into[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  into[at] = rest;
  return at + 1;
}

/** Bytes that {@link putLength} takes. */
export const LENGTH_BYTES = 3;

/** Writes a message's length, in a fixed number of bytes, once it is known. */
export function putLength(into: Uint8Array, at: number, length: number): void {
  into[at] = (length & 0x7f) | 0x80;
  into[at + 1] = ((length >> 7) & 0x7f) | 0x80;
  into[at + 2] = length >> 14;
}

/** A frame of numbers. */
export function encodeNumbers(kind: number, numbers: readonly number[]): Uint8Array {
  let bytes = 1;
  for (const value of numbers) bytes += numberBytes(value);
  const frame = new Uint8Array(bytes);
  frame[0] = kind;
  let at = 1;
  for (const value of numbers) at = putNumber(frame, at, value);
  return frame;
}

export function encodeGone(counter: number, why: GoneReason): Uint8Array {
  return encodeNumbers(Frame.gone, [counter, REASONS.indexOf(why)]);
}

/** The reason of that number, if there is one. */
export function goneReason(index: number): GoneReason | undefined {
  return REASONS[index];
}

/** Reads the numbers and messages of a frame; after a -1 or `undefined` it is no good. */
export class FrameReader {
  readonly #bytes: Uint8Array;
  #at = 1;

  constructor(payload: Uint8Array) {
    this.#bytes = payload;
  }

  get kind(): number | undefined {
    return this.#bytes[0];
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next number; -1 when there is none. */
  number(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return -1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : -1;
      scale *= 0x80;
    }
    return -1;
  }

  /** Passes over `length` bytes, and says where they begin; -1 when there are fewer. */
  skip(length: number): number {
    const from = this.#at;
    if (length < 0 || length > this.#bytes.length - from) return -1;
    this.#at += length;
    return from;
  }
}
