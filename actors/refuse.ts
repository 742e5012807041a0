/**
 * What cannot be told, and where in a message it is. The fast ways (`copy.ts`, `encode.ts`) only
 * notice that something is wrong; this finds it, and throws.
 *
 * @module
 */
import { MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX, MessageError } from "./types.ts";

/** Thrown by the fast ways; never seen by users. */
export const UNTELLABLE: Error = new Error("what cannot be told");

/** Whether an object has named fields and nothing else. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Throws the {@link MessageError} for a message that one of the fast ways refused. */
export function refuse(message: unknown): never {
  look(message, "$", 0);
  throw new MessageError("$", `its encoding has more than ${MESSAGE_BYTES_MAX} bytes`);
}

function look(value: unknown, path: string, depth: number): void {
  const why = whyNot(value);
  if (why !== undefined) throw new MessageError(path, why);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  if (depth === MESSAGE_DEPTH_MAX) {
    const text = `it stands in ${depth} others, expected at most ${MESSAGE_DEPTH_MAX - 1}`;
    throw new MessageError(clip(path), text);
  }
  if (Array.isArray(value)) {
    // Longer ones are refused by their length, whatever is in them.
    const looked = Math.min(value.length, MESSAGE_BYTES_MAX);
    for (let i = 0; i < looked; i++) look(value[i], `${path}[${i}]`, depth + 1);
    return;
  }
  for (const [key, field] of Object.entries(value)) {
    if (!key.isWellFormed()) throw new MessageError(path, "a key of it is no well-formed text");
    look(
      field,
      /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${quoted(key)}]`,
      depth + 1,
    );
  }
}

function whyNot(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? undefined : "it is text with a lone surrogate";
    case "function":
      return "it is a function; send data, and a reference for what others shall do";
    case "symbol":
      return "it is a symbol";
    case "object":
      if (value === null || value instanceof Uint8Array || Array.isArray(value)) return undefined;
      if (isPlain(value)) return undefined;
      return `it is a ${nameOf(value)}; send its parts as a plain object or an array`;
    default:
      return undefined;
  }
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  const name = typeof constructor === "function" ? constructor.name : "";
  return name === "" ? "object of a class" : clip(name);
}

function quoted(key: string): string {
  return JSON.stringify(clip(key));
}

/** Enough of a text to find the place. */
function clip(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}
