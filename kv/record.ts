/**
 * A key with its value, version and lease as bytes: what the store keeps in memory, a snapshot has
 * one after the other, and the latest changes are remembered as. Nothing here was written by a
 * stranger: records are read without checks.
 *
 * @module
 */
import { type ByteString, byteString, partOf, putUint, uintBytes } from "../base/byte_fields.ts";

/** A key that is there. */
export interface Item extends Omit<ItemHead, "valueBytes"> {
  readonly key: ByteString;
  readonly value: Uint8Array;
}

/** What there is of a key but its value. */
export interface ItemHead {
  readonly valueBytes: number;
  /** 1 when the key was made, one more with every change. */
  readonly version: number;
  /** The lease that it goes with; 0: none. */
  readonly lease: number;
}

/** The number at `at`, as `putUint` wrote it. */
function numberAt(bytes: Uint8Array, at: number): number {
  let byte = bytes[at]!;
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  for (let scale = 0x80, next = at + 1; byte >= 0x80; scale *= 0x80) {
    byte = bytes[next++]!;
    value += (byte & 0x7f) * scale;
  }
  return value;
}

function behindNumber(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end]! >= 0x80) end++;
  return end + 1;
}

/** Behind a byte string and its length. */
function behindText(bytes: Uint8Array, at: number): number {
  return behindNumber(bytes, at) + numberAt(bytes, at);
}

/** How the key of the record at `at` compares with `key`: below 0 if it is less. */
export function compareAt(bytes: Uint8Array, at: number, key: ByteString): number {
  const length = numberAt(bytes, at);
  const start = behindNumber(bytes, at);
  const common = Math.min(length, key.length);
  for (let i = 0; i < common; i++) {
    const difference = bytes[start + i]! - key.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return length - key.length;
}

/** The key of the record at `at`. */
export function keyAt(bytes: Uint8Array, at: number): ByteString {
  return byteString(bytes, behindNumber(bytes, at), behindText(bytes, at));
}

/** Of the record at `at`, all but key and value. */
export function headAt(bytes: Uint8Array, at: number): ItemHead {
  const valueAt = behindText(bytes, at);
  const valueBytes = numberAt(bytes, valueAt);
  const end = behindNumber(bytes, valueAt) + valueBytes;
  const version = numberAt(bytes, end);
  return { valueBytes, version, lease: numberAt(bytes, behindNumber(bytes, end)) };
}

/** All of the record at `at`; the value, if it is not to be `kept`, may be a part of `bytes`. */
export function itemAt(
  bytes: Uint8Array,
  at: number,
  use: "seen" | "kept",
  key: ByteString = keyAt(bytes, at),
): Item {
  const valueAt = behindText(bytes, at);
  const start = behindNumber(bytes, valueAt);
  const end = start + numberAt(bytes, valueAt);
  const version = numberAt(bytes, end);
  const lease = numberAt(bytes, behindNumber(bytes, end));
  const value = use === "kept" ? bytes.slice(start, end) : partOf(bytes, start, end);
  return { key, value, version, lease };
}

/** Bytes of the record at `at`. */
export function recordBytes(bytes: Uint8Array, at: number): number {
  const headStart = behindText(bytes, behindText(bytes, at));
  return behindNumber(bytes, behindNumber(bytes, headStart)) - at;
}

/** Bytes that the record of `item` takes. */
export function bytesOfRecord({ key, value, version, lease }: Item): number {
  const numbers = uintBytes(key.length) + uintBytes(value.length) + uintBytes(version);
  return numbers + uintBytes(lease) + key.length + value.length;
}

/** Writes a record to `at`; where it ends. */
export function putRecord(bytes: Uint8Array, start: number, item: Item): number {
  const { key, value, version, lease } = item;
  let at = putUint(bytes, start, key.length);
  for (let i = 0; i < key.length; i++) bytes[at++] = key.charCodeAt(i);
  at = putUint(bytes, at, value.length);
  bytes.set(value, at);
  return putUint(bytes, putUint(bytes, at + value.length, version), lease);
}

/** Whether the key of the record at `at` begins with `prefix`. */
export function startsAt(bytes: Uint8Array, at: number, prefix: ByteString): boolean {
  if (numberAt(bytes, at) < prefix.length) return false;
  const start = behindNumber(bytes, at);
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[start + i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}
