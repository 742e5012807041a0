/**
 * Reads the json wire's frames in the one form in which they are written (docs/lsp.md, section
 * 8), quickly and with none of lsp/'s code: for bystanders, and for the stranger.
 *
 * @module
 */

/** A frame's numbers, and where its payload's base64 lies in the datagram. */
export interface ClassicHead {
  readonly type: number;
  readonly connId: number;
  readonly seq: number;
  readonly size: number;
  readonly checksum: number;
  readonly payloadAt: number;
  /** -1: the payload is null. */
  readonly payloadLength: number;
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const BEFORE = ['{"Type":', ',"ConnID":', ',"SeqNum":', ',"Size":', ',"Checksum":'].map(ascii);
const BEFORE_PAYLOAD = ascii(',"Payload":');
const NULL = ascii("null}");
const QUOTE = 0x22;
const BRACE = 0x7d;

/** The numbers of the frame read last, in the order in which they are written. */
const numbers = [0, 0, 0, 0, 0];

function isAt(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}

/** The frame that `bytes` are in just that form; `undefined` for anything else. */
export function readClassic(bytes: Uint8Array): ClassicHead | undefined {
  let at = 0;
  for (let i = 0; i < BEFORE.length; i++) {
    const text = BEFORE[i]!;
    if (!isAt(bytes, at, text)) return undefined;
    at += text.length;
    const from = at;
    let value = 0;
    for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
      value = 10 * value + digit;
    }
    if (at === from) return undefined;
    numbers[i] = value;
  }
  if (!isAt(bytes, at, BEFORE_PAYLOAD)) return undefined;
  at += BEFORE_PAYLOAD.length;
  const [type, connId, seq, size, checksum] = numbers as [number, number, number, number, number];
  const head = { type, connId, seq, size, checksum };
  const last = bytes.length - 1;
  if (isAt(bytes, at, NULL) && at + NULL.length === bytes.length) {
    return { ...head, payloadAt: at, payloadLength: -1 };
  }
  if (bytes[at] !== QUOTE || bytes[last] !== BRACE || bytes[last - 1] !== QUOTE || last - 1 <= at) {
    return undefined;
  }
  return { ...head, payloadAt: at + 1, payloadLength: last - 2 - at };
}
