/**
 * Reads native datagrams from strangers: the whole datagram is checked before any of its frames is
 * shown, only the one canonical form of each frame passes, and nothing in here throws or allocates
 * by what a stranger wrote, beyond views of the datagram and a short reason text.
 *
 * @module
 */
import { type Checksum, crc32 } from "./crc32.ts";
import {
  DATAGRAM_OVERHEAD_BYTES,
  Field,
  FRAGMENT_OVERHEAD_BYTES,
  FRAME_FIELDS,
  FrameType,
  HEADER_BYTES,
  KNOWN_FLAGS,
  MAGIC,
  Marks,
  MAX_ACK_RANGES,
  MAX_REASON_BYTES,
} from "./frame_layout.ts";

/** Why a datagram was rejected: names for counters. */
export type DatagramReject =
  /** Too few bytes for a header and a prefix. */
  | "short"
  /** Not our magic byte, or another format's version. */
  | "magic"
  /** Flags that this version doesn't know. */
  | "flags"
  /** Damaged on the way. */
  | "checksum"
  /** Connection id or number is not in its canonical form, or out of range. */
  | "prefix"
  /** No frame at all. */
  | "empty"
  /** A frame type that is unknown, or reserved for later. */
  | "type"
  /** A frame not in its canonical form: width, tag, map, float, cut off, or garbage behind. */
  | "layout"
  /** A number, a range or a text that its field doesn't allow. */
  | "value"
  /** Connect, Challenge or Refuse on a connection, or two of them; or others outside of any. */
  | "context";

const TWO_32 = 2 ** 32;
/** From an Ack's cumulative number to its ranges: 8 bytes of it, one u53 and three u32. */
const CUMULATIVE_BEFORE_RANGES = 8 + 9 + 3 * 5;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array(0);
/** That of a Buffer does not copy. */
const { slice } = Uint8Array.prototype;

/** The frames before there is a connection, which travel under id 0. */
function isUnconnected(type: number): boolean {
  return type >= FrameType.connect && type <= FrameType.refuse;
}

/**
 * One datagram at a time: `open` it, then step through its frames with `next`. The properties hold
 * the current frame's fields, those of other frame types hold leftovers. One reader serves for all.
 */
export class DatagramReader {
  /** Why the last `open` answered `false`. */
  reject: DatagramReject = "short";
  /** The datagram's connection id, 0 while connecting. */
  connId = 0;
  /** The datagram's number, 1..2^53-1: grows with each that the peer sends on a connection. */
  number = 0;
  /** The current frame's type. */
  type: number = FrameType.padding;

  /** Data, Fragment: sequence number. Close: the last one that the peer used. */
  seq = 0;
  /** Fragment: see `Piece`. */
  marks: Marks = Marks.whole;
  /** Fragment: see `Piece`. */
  remaining = 0;
  /** Where a Data frame's payload, or a Fragment's piece, starts in the datagram. */
  payloadAt = 0;
  /** Its length in bytes. */
  payloadLength = 0;

  /** Ack: see `AckFields`. */
  cumulative = 0;
  /** Ack: see `AckFields`. */
  echo = 0;
  /** Ack: see `AckFields`. */
  echoDelayMicros = 0;
  /** Ack, Connect, Accept: see `AckFields`. */
  windowMessages = 0;
  /** Ack, Connect, Accept: see `AckFields`. */
  windowBytes = 0;
  /** Ack: number of selective ranges. */
  rangeCount = 0;

  /** Handshake frames: the Connect's initial sequence number. */
  isn = 0;
  /** Connect, Refuse: the sender's version of LSP. */
  lspVersion = 0;
  /** Connect, Refuse: the sender's version of the application's messages. */
  appVersion = 0;
  /** Connect and Challenge: the cookie; PathChallenge and PathResponse: the token. */
  token = 0n;
  /** Accept: the new connection's id. */
  newConnId = 0;
  /** Connect, Accept: the sender's epoch in milliseconds. */
  epochMillis = 0;
  /** Connect, Accept: the largest message that the sender takes. */
  maxMessageBytes = 0;
  /** Refuse, Close: a `RefuseCode` or `CloseCode`, or a number that we don't know. */
  code = 0;
  /** Refuse, Close: one printable line. */
  reason = "";

  private bytes: Uint8Array = noBytes;
  private at = 0;
  private end = 0;
  private rangesAt = 0;
  private readonly checksum: Checksum;

  /** `checksum` may be a faster one with the same results. */
  constructor(checksum: Checksum = crc32) {
    this.checksum = checksum;
  }

  /**
   * Checks all of `bytes`. True: `connId` and `number` are set and `next` may be called while the
   * bytes stay unchanged. False: `reject` says why, and `next` answers false.
   */
  open(bytes: Uint8Array): boolean {
    this.bytes = bytes;
    this.end = bytes.length;
    const reject = this.checkHeader() ?? this.checkFrames();
    this.at = DATAGRAM_OVERHEAD_BYTES;
    if (reject === undefined) return true;
    this.reject = reject;
    this.end = this.at;
    return false;
  }

  /** Steps to the next frame and sets its fields; false after the last one. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const type = this.bytes[this.at + 1]!;
    this.type = type;
    this.at += 2;
    if (type === FrameType.data) {
      this.seq = this.takeU53();
      this.takeBytes();
    } else if (type === FrameType.ack) {
      this.takeAck();
    } else {
      this.takeRare(type);
    }
    return true;
  }

  /** The Data frame's payload or the Fragment's piece: a view of the datagram, not a copy. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.payloadAt + this.payloadLength);
  }

  /** The Data frame's payload as a copy, which costs half of a copy of the view. */
  copyPayload(): Uint8Array {
    return slice.call(this.bytes, this.payloadAt, this.payloadAt + this.payloadLength);
  }

  /** First sequence number of the Ack's range `index`, 0..rangeCount-1. */
  rangeFirst(index: number): number {
    return this.cumulative + this.fourBytes(this.rangesAt + index * 10 + 1);
  }

  /** Last sequence number of the Ack's range `index`, 0..rangeCount-1. */
  rangeLast(index: number): number {
    return this.cumulative + this.fourBytes(this.rangesAt + index * 10 + 6);
  }

  // ---- checking

  private checkHeader(): DatagramReject | undefined {
    const { bytes, end } = this;
    if (end < DATAGRAM_OVERHEAD_BYTES) return "short";
    if (bytes[0] !== MAGIC) return "magic";
    if ((bytes[1]! & ~KNOWN_FLAGS) !== 0) return "flags";
    const checksum = this.checksum(bytes, HEADER_BYTES, end, crc32(bytes, 0, 2));
    if (this.fourBytes(2) !== checksum) return "checksum";
    if (bytes[HEADER_BYTES] !== 0x1a || bytes[HEADER_BYTES + 5] !== 0x1b) return "prefix";
    this.connId = this.fourBytes(HEADER_BYTES + 1);
    this.number = this.eightBytes(HEADER_BYTES + 6);
    if (this.number < 1 || this.number > Number.MAX_SAFE_INTEGER) return "prefix";
    return undefined;
  }

  private checkFrames(): DatagramReject | undefined {
    const { bytes, end, connId } = this;
    this.at = DATAGRAM_OVERHEAD_BYTES;
    if (this.at === end) return "empty";
    let unconnected = 0;
    while (this.at < end) {
      const head = bytes[this.at]!;
      if (head < 0x82 || head > 0x97) return "layout";
      const type = bytes[this.at + 1]!;
      const fields = FRAME_FIELDS[type];
      if (fields === undefined) return type <= 0x17 ? "type" : "layout";
      if (head !== 0x81 + fields.length) return "layout";
      if (type !== FrameType.padding && isUnconnected(type) !== (connId === 0)) return "context";
      if (connId === 0 && type !== FrameType.padding && ++unconnected > 1) return "context";
      const frameAt = this.at;
      this.at += 2;
      for (let i = 0; i < fields.length; i++) {
        const reject = this.checkField(fields[i]!);
        if (reject !== undefined) return reject;
      }
      if (type === FrameType.fragment && !this.isPiece(frameAt)) return "value";
    }
    return undefined;
  }

  /** A Fragment has a piece; and nothing follows the last, and only the last. */
  private isPiece(frameAt: number): boolean {
    const marks = (this.bytes[frameAt + 12]! << 8) | this.bytes[frameAt + 13]!;
    const isLast = this.fourBytes(frameAt + 15) === 0;
    const hasBytes = this.at > frameAt + FRAGMENT_OVERHEAD_BYTES;
    return hasBytes && (isLast ? marks === Marks.last : marks <= Marks.first);
  }

  /** Checks one field and steps over it. A read beyond the end gives `undefined`: no match. */
  private checkField(field: Field): DatagramReject | undefined {
    const { bytes, at } = this;
    switch (field) {
      case Field.u53:
        if (bytes[at] !== 0x1b || at + 9 > this.end) return "layout";
        this.at = at + 9;
        return bytes[at + 1] === 0 && bytes[at + 2]! < 0x20 ? undefined : "value";
      case Field.bytes:
        if (bytes[at] !== 0x59 || at + 3 > this.end) return "layout";
        this.at = at + 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
        return this.at <= this.end ? undefined : "layout";
      case Field.u32:
        return this.checkFixed(0x1a, 5);
      case Field.id:
        if (this.checkFixed(0x1a, 5) !== undefined) return "layout";
        return this.fourBytes(at + 1) === this.connId ? undefined : "value";
      case Field.u16:
        return this.checkFixed(0x19, 3);
      case Field.token:
        return this.checkFixed(0x48, 9);
      case Field.text:
        return this.checkText();
      case Field.ranges:
        return this.checkRanges();
    }
  }

  private checkFixed(head: number, width: number): DatagramReject | undefined {
    if (this.bytes[this.at] !== head || this.at + width > this.end) return "layout";
    this.at += width;
    return undefined;
  }

  private checkText(): DatagramReject | undefined {
    const { bytes, at } = this;
    if (bytes[at] !== 0x78 || at + 2 > this.end) return "layout";
    const length = bytes[at + 1]!;
    this.at = at + 2 + length;
    if (this.at > this.end) return "layout";
    if (length > MAX_REASON_BYTES) return "value";
    try {
      const text = utf8.decode(bytes.subarray(at + 2, this.at));
      return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) ? "value" : undefined;
    } catch {
      return "value";
    }
  }

  /** Offsets ascend, before each range a sequence number is missing, and all stay below 2^53. */
  private checkRanges(): DatagramReject | undefined {
    const { bytes, at } = this;
    if (bytes[at] !== 0x98 || at + 2 > this.end) return "layout";
    const count = bytes[at + 1]!;
    this.at = at + 2 + count * 5;
    if (count % 2 !== 0 || this.at > this.end) return "layout";
    if (count > 2 * MAX_ACK_RANGES) return "value";
    const most = Number.MAX_SAFE_INTEGER - this.eightBytes(at - CUMULATIVE_BEFORE_RANGES);
    let least = 2;
    for (let i = 0; i < count; i++) {
      const offsetAt = at + 2 + i * 5;
      if (bytes[offsetAt] !== 0x1a) return "layout";
      const offset = this.fourBytes(offsetAt + 1);
      if (offset < least || offset > most) return "value";
      least = i % 2 === 0 ? offset : offset + 2;
    }
    return undefined;
  }

  // ---- taking fields that were checked

  private takeAck(): void {
    this.cumulative = this.takeU53();
    this.echo = this.takeU53();
    this.echoDelayMicros = this.takeU32();
    this.windowMessages = this.takeU32();
    this.windowBytes = this.takeU32();
    this.rangeCount = this.bytes[this.at + 1]! >> 1;
    this.rangesAt = this.at + 2;
    this.at = this.rangesAt + this.rangeCount * 10;
  }

  private takeRare(type: number): void {
    switch (type) {
      case FrameType.connect:
        this.isn = this.takeU32();
        this.lspVersion = this.takeU16();
        this.appVersion = this.takeU32();
        this.token = this.takeToken();
        return this.takeOffer();
      case FrameType.challenge:
        this.isn = this.takeU32();
        this.token = this.takeToken();
        return;
      case FrameType.accept:
        this.isn = this.takeU32();
        this.newConnId = this.takeU32();
        return this.takeOffer();
      case FrameType.refuse:
        this.isn = this.takeU32();
        this.code = this.takeU16();
        this.lspVersion = this.takeU16();
        this.appVersion = this.takeU32();
        this.reason = this.takeText();
        return;
      case FrameType.close:
        this.code = this.takeU16();
        this.seq = this.takeU53();
        this.reason = this.takeText();
        return;
      case FrameType.pathChallenge:
      case FrameType.pathResponse:
        this.token = this.takeToken();
        return;
      case FrameType.fragment:
        this.seq = this.takeU53();
        this.marks = this.takeU16() as Marks;
        this.remaining = this.takeU32();
        return this.takeBytes();
      default:
        this.takeBytes();
    }
  }

  private takeOffer(): void {
    this.windowMessages = this.takeU32();
    this.windowBytes = this.takeU32();
    this.epochMillis = this.takeU32();
    this.maxMessageBytes = this.takeU32();
  }

  private takeU16(): number {
    this.at += 3;
    return (this.bytes[this.at - 2]! << 8) | this.bytes[this.at - 1]!;
  }

  private takeU32(): number {
    this.at += 5;
    return this.fourBytes(this.at - 4);
  }

  private takeU53(): number {
    this.at += 9;
    return this.eightBytes(this.at - 8);
  }

  private takeToken(): bigint {
    this.at += 9;
    return (BigInt(this.fourBytes(this.at - 8)) << 32n) | BigInt(this.fourBytes(this.at - 4));
  }

  private takeBytes(): void {
    this.payloadLength = (this.bytes[this.at + 1]! << 8) | this.bytes[this.at + 2]!;
    this.payloadAt = this.at + 3;
    this.at = this.payloadAt + this.payloadLength;
  }

  private takeText(): string {
    const start = this.at + 2;
    this.at = start + this.bytes[start - 1]!;
    return utf8.decode(this.bytes.subarray(start, this.at));
  }

  private fourBytes(at: number): number {
    const { bytes } = this;
    const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    return ((bytes[at]! << 24) | low) >>> 0;
  }

  private eightBytes(at: number): number {
    return this.fourBytes(at) * TWO_32 + this.fourBytes(at + 4);
  }
}
