/**
 * Whether a stranger's frames may be read: only the one canonical form of each passes. Nothing in
 * here throws, or allocates by what a stranger wrote, beyond a short reason text.
 *
 * @module
 */
import { uint32At, uint53At } from "../base/big_endian.ts";
import {
  type DatagramReject,
  Field,
  FRAGMENT_OVERHEAD_BYTES,
  FRAME_FIELDS,
  FrameType,
  Marks,
  ACK_RANGES_MAX,
  REASON_BYTES_MAX,
} from "./frame_layout.ts";

/** From an Ack's cumulative number to its ranges: 8 bytes of it, one u53 and three u32. */
const CUMULATIVE_BEFORE_RANGES = 8 + 9 + 3 * 5;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array(0);

/** The frames before there is a connection, which travel under id 0. */
function isUnconnected(type: number): boolean {
  return type >= FrameType.connect && type <= FrameType.refuse;
}

/** Checks one datagram's frames at a time; one serves for all. */
export class FrameCheck {
  #bytes: Uint8Array = noBytes;
  #at = 0;
  #end = 0;
  #connId = 0;

  /** Why the frames in `bytes[at..end)`, of a datagram of connection `connId`, are rejected. */
  check(bytes: Uint8Array, at: number, end: number, connId: number): DatagramReject | undefined {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#connId = connId;
    if (at >= end) return "empty";
    let unconnected = 0;
    while (this.#at < end) {
      const head = bytes[this.#at]!;
      if (head < 0x82 || head > 0x97) return "layout";
      const type = bytes[this.#at + 1]!;
      const fields = FRAME_FIELDS[type];
      if (fields === undefined) return type <= 0x17 ? "type" : "layout";
      if (head !== 0x81 + fields.length) return "layout";
      if (type !== FrameType.padding && isUnconnected(type) !== (connId === 0)) return "context";
      if (connId === 0 && type !== FrameType.padding && ++unconnected > 1) return "context";
      const frameAt = this.#at;
      this.#at += 2;
      for (let i = 0; i < fields.length; i++) {
        const reject = this.#checkField(fields[i]!);
        if (reject !== undefined) return reject;
      }
      if (type === FrameType.fragment && !this.#isPiece(frameAt)) return "value";
    }
    return undefined;
  }

  /** A Fragment has a piece; and nothing follows the last, and only the last. */
  #isPiece(frameAt: number): boolean {
    const marks = (this.#bytes[frameAt + 12]! << 8) | this.#bytes[frameAt + 13]!;
    const isLast = uint32At(this.#bytes, frameAt + 15) === 0;
    const hasBytes = this.#at > frameAt + FRAGMENT_OVERHEAD_BYTES;
    return hasBytes && (isLast ? marks === Marks.last : marks <= Marks.first);
  }

  /** Checks one field and steps over it. A read beyond the end gives `undefined`: no match. */
  #checkField(field: Field): DatagramReject | undefined {
    const bytes = this.#bytes;
    const at = this.#at;
    switch (field) {
      case Field.u53:
        if (bytes[at] !== 0x1b || at + 9 > this.#end) return "layout";
        this.#at = at + 9;
        return bytes[at + 1] === 0 && bytes[at + 2]! < 0x20 ? undefined : "value";
      case Field.bytes:
        if (bytes[at] !== 0x59 || at + 3 > this.#end) return "layout";
        this.#at = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
        return this.#at <= this.#end ? undefined : "layout";
      case Field.u32:
        return this.#checkFixed(0x1a, 5);
      case Field.id:
        if (this.#checkFixed(0x1a, 5) !== undefined) return "layout";
        return uint32At(this.#bytes, at + 1) === this.#connId ? undefined : "value";
      case Field.u16:
        return this.#checkFixed(0x19, 3);
      case Field.token:
        return this.#checkFixed(0x48, 9);
      case Field.text:
        return this.#checkText();
      case Field.ranges:
        return this.#checkRanges();
    }
  }

  #checkFixed(head: number, width: number): DatagramReject | undefined {
    if (this.#bytes[this.#at] !== head || this.#at + width > this.#end) return "layout";
    this.#at += width;
    return undefined;
  }

  #checkText(): DatagramReject | undefined {
    const bytes = this.#bytes;
    const at = this.#at;
    if (bytes[at] !== 0x78 || at + 2 > this.#end) return "layout";
    const length = bytes[at + 1]!;
    this.#at = at + 2 + length;
    if (this.#at > this.#end) return "layout";
    if (length > REASON_BYTES_MAX) return "value";
    try {
      const text = utf8.decode(bytes.subarray(at + 2, this.#at));
      return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) ? "value" : undefined;
    } catch {
      return "value";
    }
  }

  /** Offsets ascend, before each range a sequence number is missing, and all stay below 2^53. */
  #checkRanges(): DatagramReject | undefined {
    const bytes = this.#bytes;
    const at = this.#at;
    if (bytes[at] !== 0x98 || at + 2 > this.#end) return "layout";
    const count = bytes[at + 1]!;
    this.#at = at + 2 + count * 5;
    if (count % 2 !== 0 || this.#at > this.#end) return "layout";
    if (count > 2 * ACK_RANGES_MAX) return "value";
    const most = Number.MAX_SAFE_INTEGER - uint53At(this.#bytes, at - CUMULATIVE_BEFORE_RANGES);
    let least = 2;
    for (let i = 0; i < count; i++) {
      const offsetAt = at + 2 + i * 5;
      if (bytes[offsetAt] !== 0x1a) return "layout";
      const offset = uint32At(this.#bytes, offsetAt + 1);
      if (offset < least || offset > most) return "value";
      least = i % 2 === 0 ? offset : offset + 2;
    }
    return undefined;
  }
}
