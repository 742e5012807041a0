/**
 * What goes into the library's calls, checked, and what comes out of them.
 *
 * @module
 */
import { type ByteString, bytesOf } from "../base/byte_fields.ts";
import type { CallFailure } from "./client_core.ts";
import { GeoError, type GeoErrorCode } from "./errors.ts";
import { KEY_BYTES_MAX } from "./limits.ts";
import type { Shown } from "./replica.ts";
import { keyOf, textOfBytes, textOfKey } from "./requests.ts";

/** A key as it is at the actor that was asked. */
export interface GeoItem {
  /** The key as text, and as bytes. */
  readonly key: string;
  readonly keyBytes: Uint8Array;
  /** Undefined: the key has no value, but is a counter. */
  readonly value: Uint8Array | undefined;
  /** The value as text, what is not UTF-8 replaced. */
  readonly text: string | undefined;
  /** What the counter of that key comes to; undefined: nobody ever added to it. */
  readonly count: number | undefined;
}

/** A key that changed, as it is now: without value and count it was deleted. */
export type GeoChange = GeoItem;

const CODES: Readonly<Record<CallFailure, GeoErrorCode>> = {
  unreachable: "UNREACHABLE",
  unknown: "UNKNOWN",
  "timed out": "TIMED_OUT",
  "not understood": "NOT_UNDERSTOOD",
};

/** The error that a failure is. */
export function failureError(failure: CallFailure, reason: string): GeoError {
  const behind = failure === "unknown" ? ": it may have been done" : "";
  return new GeoError(CODES[failure], `${reason}${behind}`);
}

/** The error that an answer to something else is. */
export function notUnderstood(): GeoError {
  return new GeoError("NOT_UNDERSTOOD", "the server answered something else than was asked");
}

/** The bytes of a prefix. Throws a GeoError. */
export function checkedPrefix(prefix: string | Uint8Array): ByteString {
  const key = keyOf(prefix);
  if (key.length <= KEY_BYTES_MAX) return key;
  const text = `a prefix has ${key.length} bytes, expected at most ${KEY_BYTES_MAX}`;
  throw new GeoError("INVALID", text);
}

/** The bytes of a key. Throws a GeoError. */
export function checkedKey(text: string | Uint8Array): ByteString {
  if (typeof text === "string" && !text.isWellFormed()) {
    throw new GeoError("INVALID", "a key has a lone surrogate, expected well-formed text");
  }
  const key = keyOf(text);
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    const why = `a key has ${key.length} bytes, expected 1..${KEY_BYTES_MAX}`;
    throw new GeoError("INVALID", why);
  }
  if (key.charCodeAt(0) !== 0) return key;
  throw new GeoError("INVALID", "a key begins with NUL: such keys are the store's own");
}

/** A key as a library shows it. */
export function itemOf({ key, value, count }: Shown): GeoItem {
  const text = value === undefined ? undefined : textOfBytes(value);
  return { key: textOfKey(key), keyBytes: bytesOf(key), value, text, count };
}
