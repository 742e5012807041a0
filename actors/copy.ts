/**
 * A copy of a message, as one that was encoded and decoded would be, without the bytes between.
 *
 * @module
 */
import { encodeMessage } from "./encode.ts";
import { isPlain, refuse, UNTELLABLE } from "./refuse.ts";
import { type Message, MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX } from "./types.ts";

/** The least, and the most, that the encoding of what was copied so far takes. */
let leastBytes = 0;
let mostBytes = 0;

/** What the receiver gets. Throws {@link MessageError}. */
export function copyMessage(message: Message): Message {
  // What has no parts needs no copy, and most of it no look.
  if (typeof message === "number" || typeof message === "boolean") return message;
  leastBytes = mostBytes = 0;
  let copied: Message;
  try {
    copied = copy(message, 0);
  } catch (error) {
    if (error === UNTELLABLE) refuse(message);
    throw error;
  }
  // Text may or may not be too long: its encoding says.
  if (mostBytes > MESSAGE_BYTES_MAX) encodeMessage(copied);
  return copied;
}

function copy(value: Message, depth: number): Message {
  leastBytes++;
  switch (typeof value) {
    case "number":
    case "boolean":
    case "undefined":
      mostBytes += 9;
      return value;
    case "string":
      if (!value.isWellFormed()) throw UNTELLABLE;
      leastBytes += value.length;
      mostBytes += 5 + 3 * value.length;
      return value;
    case "bigint":
      mostBytes += 7 + bigintBytes(value);
      return value;
    case "object":
      return value === null ? null : copyParts(value, depth);
    default:
      throw UNTELLABLE;
  }
}

function copyParts(value: object, depth: number): Message {
  mostBytes += 5;
  if (value instanceof Uint8Array) {
    leastBytes += value.length;
    mostBytes += value.length;
    if (leastBytes > MESSAGE_BYTES_MAX) throw UNTELLABLE;
    return new Uint8Array(value);
  }
  if (depth === MESSAGE_DEPTH_MAX || leastBytes > MESSAGE_BYTES_MAX) throw UNTELLABLE;
  if (Array.isArray(value)) {
    const { length } = value;
    if (length > MESSAGE_BYTES_MAX) throw UNTELLABLE;
    const items: Message[] = [];
    for (let i = 0; i < length; i++) items.push(copy(value[i] as Message, depth + 1));
    return items;
  }
  if (!isPlain(value)) throw UNTELLABLE;
  const fields: Record<string, Message> = {};
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed()) throw UNTELLABLE;
    leastBytes += 1 + key.length;
    mostBytes += 5 + 3 * key.length;
    setField(fields, key, copy((value as Record<string, Message>)[key], depth + 1));
  }
  return fields;
}

/** Sets a field as an object literal has it: `__proto__` is a name like any other. */
export function setField(fields: Record<string, Message>, key: string, value: Message): void {
  if (key !== "__proto__") fields[key] = value;
  else {
    const [writable, enumerable, configurable] = [true, true, true];
    Object.defineProperty(fields, key, { value, writable, enumerable, configurable });
  }
}

function bigintBytes(value: bigint): number {
  if (BigInt.asIntN(64, value) === value) return 8;
  return Math.ceil(value.toString(16).length / 2) + 1;
}
