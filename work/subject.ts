/**
 * What a nonce is hashed with: a message, or a block header.
 *
 * @module
 */
import { utf8Length } from "../base/text.ts";
import { HEADER_BYTES, hashHeader, hashNonce, UINT64_MAX } from "./hash.ts";

/** Text is a message; bytes are a block header of {@link HEADER_BYTES}. */
export type Subject = string | Uint8Array;

/** A nonce search: what with, over which nonces (both ends included), and up to which hash. */
export interface SearchSpec {
  readonly subject: Subject;
  readonly lower: bigint;
  readonly upper: bigint;
  /** The search ends at the lowest nonce whose hash is at most this; without, at the least hash. */
  readonly target?: bigint | undefined;
}

/** How large the subject is, in bytes; a message in UTF-8. */
export function subjectBytes(subject: Subject): number {
  return typeof subject === "string" ? utf8Length(subject) : subject.length;
}

/** The hash of `nonce`: of 64 bits for a message, of 256 for a block header. */
export function hashOf(subject: Subject, nonce: bigint): bigint {
  return typeof subject === "string" ? hashNonce(subject, nonce) : hashHeader(subject, nonce);
}

/** The largest nonce that there is. */
export function nonceMaxOf(subject: Subject): bigint {
  return typeof subject === "string" ? UINT64_MAX : (1n << 32n) - 1n;
}

/** The largest hash that there is. */
export function hashMaxOf(subject: Subject): bigint {
  return typeof subject === "string" ? UINT64_MAX : (1n << 256n) - 1n;
}

/** Whether the two are the same. */
export function isSameSearch(a: SearchSpec, b: SearchSpec): boolean {
  if (a.lower !== b.lower || a.upper !== b.upper || a.target !== b.target) return false;
  if (typeof a.subject === "string" || typeof b.subject === "string") {
    return a.subject === b.subject;
  }
  return a.subject.every((byte, i) => byte === (b.subject as Uint8Array)[i]);
}

/** Why there is no such search, in one line, or `undefined` when it makes sense. */
export function whyNoSearch({
  subject,
  lower,
  upper,
  target = 0n,
}: SearchSpec): string | undefined {
  if (typeof subject !== "string" && subject.length !== HEADER_BYTES) {
    return `a block header has ${HEADER_BYTES} bytes, got ${subject.length}`;
  }
  const nonceMax = nonceMaxOf(subject);
  const hashMax = hashMaxOf(subject);
  for (const [name, value, most] of [
    ["lower", lower, nonceMax] as const,
    ["upper", upper, nonceMax] as const,
    ["target", target, hashMax] as const,
  ]) {
    if (value < 0n || value > most) return `${name} must be 0..${most}, got ${value}`;
  }
  if (lower > upper) return `the range is empty: lower ${lower} is above upper ${upper}`;
  return undefined;
}
