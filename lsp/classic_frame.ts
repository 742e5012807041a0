/**
 * The json wire: one JSON object a datagram, as the course's Go programs write and read it.
 * docs/protocol.md states its rules. What is written has one exact form; what is read may have its
 * keys in any order and case, and keys that we don't know.
 *
 * @module
 */
import { readExactObject } from "../base/exact_json.ts";
import { invariant } from "../base/machine.ts";

/** Largest payload on the json wire: a larger one doesn't fit the 2000 bytes Go peers read. */
export const CLASSIC_PAYLOAD_BYTES_MAX = 1400;
/** Larger datagrams are not looked at. Twice what any peer can receive. */
export const CLASSIC_DATAGRAM_BYTES_MAX = 4096;

/** The field `Type`. */
export const ClassicType = {
  /** Client: I want a connection; `SeqNum` is its initial sequence number. */
  connect: 0,
  /** One message. */
  data: 1,
  /** `SeqNum` has arrived; 0 is a heartbeat. */
  ack: 2,
  /** Everything up to `SeqNum` has arrived. */
  cumulativeAck: 3,
} as const;

/** A classic frame type's number. */
export type ClassicType = (typeof ClassicType)[keyof typeof ClassicType];

/** One frame, which is one datagram. */
export interface ClassicFrame {
  readonly type: ClassicType;
  /** 0 while connecting, else 1..2^53-1. */
  readonly connId: number;
  /** 0..2^53-1. */
  readonly seq: number;
  /** Data: the message. Empty otherwise. */
  readonly payload: Uint8Array;
}

/** Why a datagram was rejected: names for counters. */
export type ClassicReject =
  /** Longer than {@link CLASSIC_DATAGRAM_BYTES_MAX}. */
  | "long"
  /** Not a JSON object. */
  | "malformed"
  /** `Type` is none of ours. */
  | "type"
  /** A number is missing, negative, not an integer in plain digits, or 2^53 or more. */
  | "number"
  /** `Payload` is not base64. */
  | "payload"
  /** Data with less payload than `Size` says. */
  | "size"
  /** Data whose checksum is another. */
  | "checksum";

const utf8 = new TextEncoder();
const noBytes = new Uint8Array(0);
const KEYS = new Set(["type", "connid", "seqnum", "size", "checksum", "payload"] as const);

/**
 * Writes a frame into `into` and gives its length in bytes. `into` has room for 2000 bytes; a
 * payload has at most {@link CLASSIC_PAYLOAD_BYTES_MAX} and belongs to Data only.
 */
export function encodeClassicFrame(into: Uint8Array, frame: ClassicFrame): number {
  const { type, connId, seq, payload } = frame;
  const isData = type === ClassicType.data;
  const size = payload.length;
  invariant(size <= (isData ? CLASSIC_PAYLOAD_BYTES_MAX : 0), "a classic payload has its limit");
  const checksum = isData ? classicChecksum(connId, seq, size, payload) : 0;
  const text =
    `{"Type":${type},"ConnID":${connId},"SeqNum":${seq},"Size":${size},"Checksum":${checksum},` +
    `"Payload":${isData ? `"${payload.toBase64()}"` : "null"}}`;
  const { read, written } = utf8.encodeInto(text, into);
  invariant(read === text.length, "a classic frame fits its buffer");
  return written;
}

/** Reads a frame that a stranger sent; anything but a sound frame gives a reason for a counter. */
export function decodeClassicFrame(bytes: Uint8Array): ClassicFrame | ClassicReject {
  if (bytes.length > CLASSIC_DATAGRAM_BYTES_MAX) return "long";
  const fields = readExactObject(bytes, KEYS);
  if (typeof fields === "string") return "malformed";
  const type = wholeNumber(fields.type);
  const connId = wholeNumber(fields.connid);
  const seq = wholeNumber(fields.seqnum);
  const size = wholeNumber(fields.size ?? 0);
  const checksum = wholeNumber(fields.checksum ?? 0);
  if (type === undefined || connId === undefined || seq === undefined) return "number";
  if (size === undefined || checksum === undefined) return "number";
  if (!isClassicType(type)) return "type";
  const whole = decodePayload(fields.payload);
  if (whole === undefined) return "payload";
  if (type !== ClassicType.data) return { type, connId, seq, payload: noBytes };
  if (whole.length < size) return "size";
  const payload = whole.subarray(0, size);
  if (classicChecksum(connId, seq, size, payload) !== checksum) return "checksum";
  return { type, connId, seq, payload };
}

/**
 * The checksum of Data, 0..65535: the Internet checksum (RFC 1071) over little-endian 16-bit
 * words, except that each number's two halves are added without their carry.
 */
export function classicChecksum(
  connId: number,
  seq: number,
  size: number,
  payload: Uint8Array,
): number {
  let sum = halves(connId) + halves(seq) + halves(size);
  const even = payload.length & ~1;
  for (let i = 0; i < even; i += 2) sum += payload[i]! | (payload[i + 1]! << 8);
  if (even < payload.length) sum += payload[even]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The low 32 bits of `value`, its halves added as 16-bit numbers: that sum's carry is lost. */
function halves(value: number): number {
  return ((value & 0xffff) + ((value >>> 16) & 0xffff)) & 0xffff;
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

function isClassicType(type: number): type is ClassicType {
  return type <= ClassicType.cumulativeAck;
}

function decodePayload(value: unknown): Uint8Array | undefined {
  if (value === undefined) return noBytes;
  if (typeof value !== "string") return undefined;
  try {
    return Uint8Array.fromBase64(value, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
