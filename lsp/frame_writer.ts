/**
 * Writes cbor datagrams into a buffer that the caller lends, without allocating. The layouts are
 * those of frame_layout.ts; wrong arguments are our own mistakes and throw.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { putUint32 } from "../base/big_endian.ts";
import {
  type AcceptFields,
  ACK_BYTES,
  ACK_RANGE_BYTES,
  type AckFields,
  type ConnectFields,
  type ConnectionKey,
  DATA_OVERHEAD_BYTES,
  DATAGRAM_OVERHEAD_BYTES,
  FRAGMENT_OVERHEAD_BYTES,
  FrameType,
  HANDSHAKE_OVERHEAD_BYTES,
  HEADER_BYTES,
  MAGIC,
  Marks,
  ACK_RANGES_MAX,
  DATAGRAM_BYTES_MAX,
  REASON_BYTES_MAX,
  PADDING_BYTES_MIN,
  type RefuseFields,
} from "./frame_layout.ts";
import { PLAIN_SEAL, type Seal } from "./seal.ts";

const CONNECT_BYTES = 44;
const CHALLENGE_BYTES = 16;
/** An Accept frame: code that sends it beside a message must know whether both fit. */
export const ACCEPT_BYTES = 32;
const REFUSE_BYTES = 20;
const CLOSE_BYTES = 16;
const PATH_BYTES = 11;
const UNKNOWN_BYTES = 11;

const TWO_32 = 2 ** 32;
const utf8 = new TextEncoder();
const noBytes = new Uint8Array(0);

/**
 * One datagram at a time: `begin`, then frames, then `finish`. Every frame method answers `false`,
 * and writes nothing, when the frame doesn't fit any more.
 */
export class DatagramWriter {
  /** Frames written since `begin`. */
  frames = 0;
  #into: Uint8Array = noBytes;
  /** Where the seal's head begins: behind the prefix. */
  #headAt = 0;
  #at = 0;
  #end = 0;
  #seal: Seal;
  readonly #ownSeal: Seal;

  /** `seal` is that of datagrams which are begun without one. */
  constructor(seal: Seal = PLAIN_SEAL) {
    this.#seal = this.#ownSeal = seal;
  }

  /**
   * Starts a datagram in `into` for connection `connId` with its `key` (0 and `NO_KEY` while
   * connecting). `number` counts the datagrams that this end sent on the connection, from 1, resent
   * data in a new one included; it comes back in an Ack's `echo`. At most `maxBytes` are used, of
   * which `seal` takes its share.
   */
  begin(
    into: Uint8Array,
    connId: number,
    key: ConnectionKey,
    number: number,
    maxBytes: number = DATAGRAM_BYTES_MAX,
    seal: Seal = this.#ownSeal,
  ): void {
    this.#into = into;
    this.#seal = seal;
    this.#end = Math.min(into.length, maxBytes) - seal.tailBytes;
    this.frames = 0;
    const overhead = connId === 0 ? HANDSHAKE_OVERHEAD_BYTES : DATAGRAM_OVERHEAD_BYTES;
    this.#headAt = overhead;
    const startsAt = overhead + seal.headBytes;
    invariant(this.#end >= startsAt, "a datagram's buffer holds its header");
    invariant(number >= 1, "datagrams are numbered from 1");
    into[0] = MAGIC;
    into[1] = 0;
    this.#at = HEADER_BYTES;
    this.#u32(connId);
    this.#u53(number);
    if (connId !== 0) this.#halves(key.high, key.low);
    this.#at = startsAt;
  }

  /** Lets the datagram grow to `bytes` bytes; false when the buffer is smaller. */
  widen(bytes: number): boolean {
    if (bytes > this.#into.length) return false;
    this.#end = bytes - this.#seal.tailBytes;
    return true;
  }

  /** Size of the datagram so far, with all that its seal takes. */
  get bytes(): number {
    return this.#at + this.#seal.tailBytes;
  }

  /** Bytes left for frames. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Whether a frame of `bytes` bytes still fits. */
  fits(bytes: number): boolean {
    return this.#at + bytes <= this.#end;
  }

  /** One message: sequence number 1..2^53-1 and payload. */
  data(seq: number, payload: Uint8Array): boolean {
    const length = payload.length;
    if (!this.#frame(FrameType.data, 2, DATA_OVERHEAD_BYTES + length)) return false;
    this.#u53(seq);
    this.#bytesHead(length);
    this.#into.set(payload, this.#at);
    this.#at += length;
    return true;
  }

  /** A piece of a large message: sequence number, {@link Marks}, bytes that follow, the piece. */
  fragment(seq: number, marks: Marks, remaining: number, bytes: Uint8Array): boolean {
    const { length } = bytes;
    invariant(length > 0 && marks !== Marks.whole, "a Fragment is a piece, and not empty");
    invariant((marks === Marks.last) === (remaining === 0), "nothing follows the last piece only");
    if (!this.#frame(FrameType.fragment, 4, FRAGMENT_OVERHEAD_BYTES + length)) return false;
    this.#u53(seq);
    this.#u16(marks);
    this.#u32(remaining);
    this.#bytesHead(length);
    this.#into.set(bytes, this.#at);
    this.#at += length;
    return true;
  }

  /** An acknowledgement, or a heartbeat. */
  ack(fields: AckFields): boolean {
    const { cumulative, ranges, rangeCount } = fields;
    invariant(rangeCount <= ACK_RANGES_MAX, "an Ack keeps to its limit of ranges");
    const bytes = ACK_BYTES + rangeCount * ACK_RANGE_BYTES;
    if (!this.#frame(FrameType.ack, 6, bytes)) return false;
    this.#u53(cumulative);
    this.#u53(fields.echo);
    this.#u32(fields.echoDelayMicros);
    this.#u32(fields.windowMessages);
    this.#u32(fields.windowBytes);
    this.#into[this.#at++] = 0x98;
    this.#into[this.#at++] = rangeCount * 2;
    let above = cumulative + 1;
    for (let i = 0; i < rangeCount * 2; i += 2) {
      const first = ranges[i]!;
      const last = ranges[i + 1]!;
      invariant(first > above && last >= first, "an Ack's ranges ascend with gaps before them");
      this.#u32(first - cumulative);
      this.#u32(last - cumulative);
      above = last + 1;
    }
    return true;
  }

  /** Asks for a connection. */
  connect(fields: ConnectFields): boolean {
    if (!this.#frame(FrameType.connect, 8, CONNECT_BYTES)) return false;
    this.#u32(fields.isn);
    this.#u16(fields.lspVersion);
    this.#u32(fields.appVersion);
    this.#token(fields.token);
    this.#u32(fields.windowMessages);
    this.#u32(fields.windowBytes);
    this.#u32(fields.epochMillis);
    this.#u32(fields.maxMessageBytes);
    return true;
  }

  /** Hands the sender of the Connect with this `isn` the cookie that it must come back with. */
  challenge(isn: number, token: bigint): boolean {
    if (!this.#frame(FrameType.challenge, 2, CHALLENGE_BYTES)) return false;
    this.#u32(isn);
    this.#token(token);
    return true;
  }

  /** Grants the connection, in a datagram that bears its id. */
  accept(fields: AcceptFields): boolean {
    if (!this.#frame(FrameType.accept, 6, ACCEPT_BYTES)) return false;
    this.#u32(fields.isn);
    this.#u32(fields.newConnId);
    this.#u32(fields.windowMessages);
    this.#u32(fields.windowBytes);
    this.#u32(fields.epochMillis);
    this.#u32(fields.maxMessageBytes);
    return true;
  }

  /** Turns the sender of a Connect away. */
  refuse(fields: RefuseFields): boolean {
    const reason = reasonBytes(fields.reason);
    if (!this.#frame(FrameType.refuse, 5, REFUSE_BYTES + reason.length)) return false;
    this.#u32(fields.isn);
    this.#u16(fields.code);
    this.#u16(fields.lspVersion);
    this.#u32(fields.appVersion);
    this.#text(reason);
    return true;
  }

  /** Ends the connection; `finalSeq` is the last sequence number that the sender ever used. */
  close(code: number, finalSeq: number, reason: string): boolean {
    const bytes = reasonBytes(reason);
    if (!this.#frame(FrameType.close, 3, CLOSE_BYTES + bytes.length)) return false;
    this.#u16(code);
    this.#u53(finalSeq);
    this.#text(bytes);
    return true;
  }

  /** Asks the peer to prove that it receives at the address this goes to. */
  pathChallenge(token: bigint): boolean {
    if (!this.#frame(FrameType.pathChallenge, 1, PATH_BYTES)) return false;
    this.#token(token);
    return true;
  }

  /** Answers a PathChallenge. */
  pathResponse(token: bigint): boolean {
    if (!this.#frame(FrameType.pathResponse, 1, PATH_BYTES)) return false;
    this.#token(token);
    return true;
  }

  /** Answers datagram `echo` of a connection that is not known here. */
  unknown(echo: number): boolean {
    if (!this.#frame(FrameType.unknown, 1, UNKNOWN_BYTES)) return false;
    this.#u53(echo);
    return true;
  }

  /** Fills exactly `bytes` bytes (5 or more) with a frame that means nothing. */
  padding(bytes: number): boolean {
    invariant(bytes >= PADDING_BYTES_MIN, "padding has at least the size of its frame");
    if (!this.#frame(FrameType.padding, 1, bytes)) return false;
    const length = bytes - PADDING_BYTES_MIN;
    this.#bytesHead(length);
    this.#into.fill(0, this.#at, this.#at + length);
    this.#at += length;
    return true;
  }

  /** Seals the datagram and gives its length in bytes. */
  finish(): number {
    invariant(this.frames > 0, "a datagram has at least one frame");
    return this.#seal.seal(this.#into, this.#headAt, this.#at);
  }

  /** Starts a frame of `fields` fields after the type, if its `bytes` bytes fit. */
  #frame(type: number, fields: number, bytes: number): boolean {
    if (this.#at + bytes > this.#end) return false;
    this.#into[this.#at++] = 0x81 + fields;
    this.#into[this.#at++] = type;
    this.frames++;
    return true;
  }

  #u16(value: number): void {
    invariant(value >>> 16 === 0, "a 16-bit field's value is in range");
    const into = this.#into;
    const at = this.#at;
    into[at] = 0x19;
    into[at + 1] = value >>> 8;
    into[at + 2] = value;
    this.#at = at + 3;
  }

  #u32(value: number): void {
    invariant(value >>> 0 === value, "a 32-bit field's value is in range");
    const into = this.#into;
    const at = this.#at;
    into[at] = 0x1a;
    putUint32(into, at + 1, value | 0);
    this.#at = at + 5;
  }

  #u53(value: number): void {
    invariant(value >= 0 && Number.isSafeInteger(value), "a number is below 2^53");
    const into = this.#into;
    const at = this.#at;
    into[at] = 0x1b;
    putUint32(into, at + 1, (value / TWO_32) | 0);
    putUint32(into, at + 5, value | 0);
    this.#at = at + 9;
  }

  #token(value: bigint): void {
    invariant(BigInt.asUintN(64, value) === value, "a token has 64 bits");
    this.#halves(Number(value >> 32n), Number(value & 0xffff_ffffn));
  }

  /** A token as its upper and lower half. */
  #halves(high: number, low: number): void {
    const into = this.#into;
    const at = this.#at;
    into[at] = 0x48;
    putUint32(into, at + 1, high | 0);
    putUint32(into, at + 5, low | 0);
    this.#at = at + 9;
  }

  #bytesHead(length: number): void {
    const into = this.#into;
    const at = this.#at;
    into[at] = 0x59;
    into[at + 1] = length >>> 8;
    into[at + 2] = length;
    this.#at = at + 3;
  }

  #text(bytes: Uint8Array): void {
    this.#into[this.#at++] = 0x78;
    this.#into[this.#at++] = bytes.length;
    this.#into.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** One line of at most {@link REASON_BYTES_MAX} bytes of UTF-8, cut between characters. */
function reasonBytes(reason: string): Uint8Array {
  const into = new Uint8Array(REASON_BYTES_MAX);
  const { written } = utf8.encodeInto(reason.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " "), into);
  return into.subarray(0, written);
}
