/**
 * Reads cbor datagrams from strangers: the whole datagram is checked before any of its frames is
 * shown, only the one canonical form of each frame passes, and nothing in here throws or allocates
 * by what a stranger wrote, beyond views of the datagram and a short reason text.
 *
 * @module
 */
import { uint32At, uint53At } from "../base/big_endian.ts";
import { FrameCheck } from "./frame_check.ts";
import {
  type ConnectionKey,
  DATAGRAM_OVERHEAD_BYTES,
  type DatagramReject,
  FrameType,
  HANDSHAKE_OVERHEAD_BYTES,
  HEADER_BYTES,
  KNOWN_FLAGS,
  MAGIC,
  Marks,
} from "./frame_layout.ts";
import { PLAIN_SEAL, type Seal } from "./seal.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array(0);
/** Where a connection's key is: behind the head of its byte string. */
const KEY_AT = HANDSHAKE_OVERHEAD_BYTES + 1;
/** That of a Buffer does not copy. */
const { slice } = Uint8Array.prototype;

/**
 * One datagram at a time: `open` it, at once or step by step (see seal.ts), then go through its
 * frames with `next`. The properties hold the current frame's fields, those of other frame types
 * hold leftovers. One reader serves for all.
 */
export class DatagramReader {
  /** Why the last datagram, or step, was answered `false`. */
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
  /** Ack: see `AckFields`. Unknown: the number of the datagram that it answers. */
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

  #bytes: Uint8Array = noBytes;
  #at = 0;
  #end = 0;
  #framesAt = 0;
  #framesEnd = 0;
  #rangesAt = 0;
  readonly #check = new FrameCheck();

  /**
   * All steps at once, for a datagram whose seal is known. True: `connId` and `number` are set and
   * `next` may be called while the bytes stay unchanged. False: `reject` says why.
   */
  open(bytes: Uint8Array, seal: Seal = PLAIN_SEAL): boolean {
    return this.openHeader(bytes) && this.unseal(seal) && this.openFrames();
  }

  /**
   * The first step: looks at the header. True: `connId` and `number` are what the datagram claims,
   * good for looking up a seal and nothing else. So is its `key`, unless `connId` is 0.
   */
  openHeader(bytes: Uint8Array): boolean {
    this.#bytes = bytes;
    this.#at = this.#end = 0;
    if (bytes.length < HANDSHAKE_OVERHEAD_BYTES) return this.#rejectFor("short");
    if (bytes[0] !== MAGIC) return this.#rejectFor("magic");
    if ((bytes[1]! & ~KNOWN_FLAGS) !== 0) return this.#rejectFor("flags");
    this.connId = uint32At(bytes, HEADER_BYTES + 1);
    this.number = uint53At(bytes, HEADER_BYTES + 6);
    const isConnected = this.connId !== 0;
    this.#framesAt = isConnected ? DATAGRAM_OVERHEAD_BYTES : HANDSHAKE_OVERHEAD_BYTES;
    return bytes.length >= this.#framesAt || this.#rejectFor("short");
  }

  /** The step behind the look-up: whether the datagram is as the peer sealed it with `seal`. */
  unseal(seal: Seal): boolean {
    if (!seal.unseal(this.#bytes, this.#framesAt)) return this.#rejectFor("checksum");
    this.#framesAt += seal.headBytes;
    this.#framesEnd = this.#bytes.length - seal.tailBytes;
    return true;
  }

  /** The last step: checks the prefix and every frame. */
  openFrames(): boolean {
    const { connId, number } = this;
    const bytes = this.#bytes;
    const framesAt = this.#framesAt;
    const framesEnd = this.#framesEnd;
    const isCanonical = bytes[HEADER_BYTES] === 0x1a && bytes[HEADER_BYTES + 5] === 0x1b;
    const hasKey = connId === 0 || bytes[HANDSHAKE_OVERHEAD_BYTES] === 0x48;
    if (!isCanonical || !hasKey || number < 1 || number > Number.MAX_SAFE_INTEGER) {
      return this.#rejectFor("prefix");
    }
    const reject = this.#check.check(bytes, framesAt, framesEnd, connId);
    if (reject !== undefined) return this.#rejectFor(reject);
    this.#at = framesAt;
    this.#end = framesEnd;
    return true;
  }

  /** Whether the datagram, one of a connection, bears `key`. */
  bears({ high, low }: ConnectionKey): boolean {
    const bytes = this.#bytes;
    return uint32At(bytes, KEY_AT) === high && uint32At(bytes, KEY_AT + 4) === low;
  }

  /** The key that the datagram, one of a connection, bears. */
  get key(): ConnectionKey {
    const bytes = this.#bytes;
    return { high: uint32At(bytes, KEY_AT), low: uint32At(bytes, KEY_AT + 4) };
  }

  /** Goes back to before the first frame. */
  rewind(): void {
    this.#at = this.#framesAt;
  }

  /** The whole datagram's size. */
  get datagramBytes(): number {
    return this.#bytes.length;
  }

  /** Steps to the next frame and sets its fields; false after the last one. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const type = this.#bytes[this.#at + 1]!;
    this.type = type;
    this.#at += 2;
    if (type === FrameType.data) {
      this.seq = this.#takeU53();
      this.#takeBytes();
    } else if (type === FrameType.ack) {
      this.#takeAck();
    } else {
      this.#takeRare(type);
    }
    return true;
  }

  /** The Data frame's payload or the Fragment's piece: a view of the datagram, not a copy. */
  get payload(): Uint8Array {
    return this.#bytes.subarray(this.payloadAt, this.payloadAt + this.payloadLength);
  }

  /** The Data frame's payload as a copy, which costs half of a copy of the view. */
  copyPayload(): Uint8Array {
    return slice.call(this.#bytes, this.payloadAt, this.payloadAt + this.payloadLength);
  }

  /** First sequence number of the Ack's range `index`, 0..rangeCount-1. */
  rangeFirst(index: number): number {
    return this.cumulative + uint32At(this.#bytes, this.#rangesAt + index * 10 + 1);
  }

  /** Last sequence number of the Ack's range `index`, 0..rangeCount-1. */
  rangeLast(index: number): number {
    return this.cumulative + uint32At(this.#bytes, this.#rangesAt + index * 10 + 6);
  }

  #rejectFor(reason: DatagramReject): false {
    this.reject = reason;
    return false;
  }

  // ---- taking fields that were checked

  #takeAck(): void {
    this.cumulative = this.#takeU53();
    this.echo = this.#takeU53();
    this.echoDelayMicros = this.#takeU32();
    this.windowMessages = this.#takeU32();
    this.windowBytes = this.#takeU32();
    this.rangeCount = this.#bytes[this.#at + 1]! >> 1;
    this.#rangesAt = this.#at + 2;
    this.#at = this.#rangesAt + this.rangeCount * 10;
  }

  #takeRare(type: number): void {
    switch (type) {
      case FrameType.connect:
        this.isn = this.#takeU32();
        this.lspVersion = this.#takeU16();
        this.appVersion = this.#takeU32();
        this.token = this.#takeToken();
        return this.#takeOffer();
      case FrameType.challenge:
        this.isn = this.#takeU32();
        this.token = this.#takeToken();
        return;
      case FrameType.accept:
        this.isn = this.#takeU32();
        this.newConnId = this.#takeU32();
        return this.#takeOffer();
      case FrameType.refuse:
        this.isn = this.#takeU32();
        this.code = this.#takeU16();
        this.lspVersion = this.#takeU16();
        this.appVersion = this.#takeU32();
        this.reason = this.#takeText();
        return;
      case FrameType.close:
        this.code = this.#takeU16();
        this.seq = this.#takeU53();
        this.reason = this.#takeText();
        return;
      case FrameType.pathChallenge:
      case FrameType.pathResponse:
        this.token = this.#takeToken();
        return;
      case FrameType.unknown:
        this.echo = this.#takeU53();
        return;
      case FrameType.fragment:
        this.seq = this.#takeU53();
        this.marks = this.#takeU16() as Marks;
        this.remaining = this.#takeU32();
        return this.#takeBytes();
      default:
        this.#takeBytes();
    }
  }

  #takeOffer(): void {
    this.windowMessages = this.#takeU32();
    this.windowBytes = this.#takeU32();
    this.epochMillis = this.#takeU32();
    this.maxMessageBytes = this.#takeU32();
  }

  #takeU16(): number {
    this.#at += 3;
    return (this.#bytes[this.#at - 2]! << 8) | this.#bytes[this.#at - 1]!;
  }

  #takeU32(): number {
    this.#at += 5;
    return uint32At(this.#bytes, this.#at - 4);
  }

  #takeU53(): number {
    this.#at += 9;
    return uint53At(this.#bytes, this.#at - 8);
  }

  #takeToken(): bigint {
    this.#at += 9;
    return (
      (BigInt(uint32At(this.#bytes, this.#at - 8)) << 32n) |
      BigInt(uint32At(this.#bytes, this.#at - 4))
    );
  }

  #takeBytes(): void {
    this.payloadLength = (this.#bytes[this.#at + 1]! << 8) | this.#bytes[this.#at + 2]!;
    this.payloadAt = this.#at + 3;
    this.#at = this.payloadAt + this.payloadLength;
  }

  #takeText(): string {
    const start = this.#at + 2;
    this.#at = start + this.#bytes[start - 1]!;
    return utf8.decode(this.#bytes.subarray(start, this.#at));
  }
}
