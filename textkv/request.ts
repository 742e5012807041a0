/**
 * The protocol, line by line: `Put:key:value`, `Get:key`, `Delete:key`, `Update:key:old:new`.
 *
 * Keys and values are bytes. They are kept as strings in which a character is a byte (Latin-1), the
 * form that is compared, hashed and copied fastest.
 *
 * @module
 */
import type { IgnoredReason } from "./types.ts";

/** What a line asks for. */
export type Verb = "Put" | "Get" | "Delete" | "Update";

const COLON = 0x3a;
const CARRIAGE_RETURN = 0x0d;
/** The verbs by their first byte, with their colons. */
const VERBS = new Map<number, { readonly verb: Verb; readonly head: Uint8Array }>(
  (["Put", "Get", "Delete", "Update"] as const).map((verb) => {
    return [verb.charCodeAt(0), { verb, head: Buffer.from(`${verb}:`, "latin1") }];
  }),
);

/** One line taken apart. One object is used for all lines, so that a line costs no garbage. */
export class Request {
  verb: Verb = "Get";
  key = "";
  /** What `Update` replaces. */
  old = "";
  /** What `Put` and `Update` append. */
  value = "";
  /** Where the line ends, without what is forgiven. */
  end = 0;

  /**
   * Takes apart the line in `bytes` from `from` to before `to`, its `\n` left out and a `\r` before
   * that forgiven; what is left has at most `bytesMax` bytes. Gives undefined, or why it is none.
   */
  read(bytes: Buffer, from: number, to: number, bytesMax: number): IgnoredReason | undefined {
    let end = to;
    if (end > from && bytes[end - 1] === CARRIAGE_RETURN) end--;
    if (end - from > bytesMax) return "long";
    this.end = end;
    const found = VERBS.get(bytes[from]!);
    if (found === undefined) return "unknown";
    const { verb, head } = found;
    const start = from + head.length;
    if (start > end) return "unknown";
    for (let i = 1; i < head.length; i++) if (bytes[from + i] !== head[i]) return "unknown";
    this.verb = verb;
    const colon = indexBefore(bytes, start, end);
    if (verb === "Get" || verb === "Delete") {
      if (colon >= 0) return "malformed";
      this.key = bytes.toString("latin1", start, end);
      return undefined;
    }
    if (colon < 0) return "malformed";
    let valueAt = colon + 1;
    if (verb === "Update") {
      const second = indexBefore(bytes, valueAt, end);
      if (second < 0) return "malformed";
      this.old = bytes.toString("latin1", valueAt, second);
      valueAt = second + 1;
    }
    this.key = bytes.toString("latin1", start, colon);
    this.value = bytes.toString("latin1", valueAt, end);
    return undefined;
  }
}

/** Where the first colon from `from` on and before `end` is, or -1. */
function indexBefore(bytes: Buffer, from: number, end: number): number {
  const at = bytes.indexOf(COLON, from);
  return at < end ? at : -1;
}
