/**
 * The cbor wire's numbers: header, frame types, the one layout of each frame, limits and codes.
 * docs/protocol.md explains them byte by byte; the reader and the writer both follow this file.
 *
 * @module
 */

/** First byte of every cbor datagram: magic and format version. Never `{` (0x7b). */
export const MAGIC = 0xd1;
/** Version of LSP in the handshake; both ends must have the same. */
export const LSP_VERSION = 2;
/** Flag bits that a receiver of this version understands: none. Bit 0 is kept for sealed frames. */
export const KNOWN_FLAGS = 0;

/** Magic, flags, and four bytes of CRC-32, big-endian. */
export const HEADER_BYTES = 6;
/** The connection id (a 4-byte CBOR unsigned) and the datagram's number (an 8-byte one). */
const PREFIX_BYTES = 14;
/** A connection's key behind these: a CBOR byte string of eight bytes. */
const KEY_BYTES = 9;
/** What a datagram outside of any connection costs before its first frame. */
export const HANDSHAKE_OVERHEAD_BYTES: number = HEADER_BYTES + PREFIX_BYTES;
/** What a datagram of a connection costs before its first frame. */
export const DATAGRAM_OVERHEAD_BYTES: number = HANDSHAKE_OVERHEAD_BYTES + KEY_BYTES;
/** What a Data frame costs beside its payload. */
export const DATA_OVERHEAD_BYTES = 14;
/** What a Fragment costs beside its piece. */
export const FRAGMENT_OVERHEAD_BYTES = 22;
/** An Ack frame without ranges. */
export const ACK_BYTES = 37;
/** Each selective range of an Ack. */
export const ACK_RANGE_BYTES = 10;
/** The smallest Padding frame. */
export const PADDING_BYTES_MIN = 5;
/** Sent at most by default: passes every usual path, IPv6 tunnels included. */
export const DATAGRAM_BYTES_MAX = 1200;
/** Largest payload of one Data frame, alone in a datagram of the default size. */
export const DATA_BYTES_MAX: number =
  DATAGRAM_BYTES_MAX - DATAGRAM_OVERHEAD_BYTES - DATA_OVERHEAD_BYTES;
/** Selective ranges in one Ack, at most. */
export const ACK_RANGES_MAX = 32;
/** Longest reason of a Refuse or Close, in bytes of UTF-8. */
export const REASON_BYTES_MAX = 200;
/** Largest connection id, ISN, window and the like: they have four bytes. */
export const UINT32_MAX = 0xffff_ffff;

/** The first element of a frame. Reserved ones are documented, and rejected by this version. */
export const FrameType = {
  /** Fills a datagram up: `[0, bytes]`. Means nothing. */
  padding: 0,
  /** Client: I want a connection. */
  connect: 1,
  /** Server: prove that you receive at this address, by connecting again with this cookie. */
  challenge: 2,
  /** Server: you don't get one. */
  refuse: 3,
  /** Server: you have a connection, the one whose id this datagram bears. */
  accept: 4,
  /** One message. */
  data: 5,
  /** What arrived, what may be sent; also the heartbeat. */
  ack: 6,
  /** The connection is over. */
  close: 7,
  /** Prove that you receive here, and that you know this connection. */
  pathChallenge: 8,
  /** The answer: the challenge's token, exclusive-or the connection's ISN. */
  pathResponse: 9,
  /** A piece of a message larger than a datagram. */
  fragment: 10,
  /** Reserved: a receive window without an acknowledgement. */
  window: 11,
  /** Reserved: encrypted frames. */
  sealed: 12,
  /** Server: the connection of your datagram is none that I know. */
  unknown: 13,
} as const;

/** A frame type's number. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Which piece of its message a Fragment is. Other numbers are not legal. */
export const Marks = {
  between: 0,
  first: 1,
  last: 2,
  /** No Fragment: the message is whole, in a Data frame. */
  whole: 3,
} as const;

/** The number of {@link Marks}. */
export type Marks = (typeof Marks)[keyof typeof Marks];

/** Why a server refuses a Connect. Other numbers are legal on the wire. */
export const RefuseCode = {
  /** The LSP or the application's version differs from the server's. */
  version: 1,
  /** A limit on connections is reached. */
  full: 2,
  /** The server is closing. */
  closing: 3,
} as const;

/** Why a connection was closed. Other numbers are legal on the wire. */
export const CloseCode = {
  /** The application closed it, everything being delivered. */
  done: 0,
  /** The whole endpoint shuts down. */
  shutdown: 1,
  /** The peer broke the protocol. */
  protocol: 2,
  /** A limit was reached. */
  limit: 3,
  /** Silent for too long: declared lost at the sender's side. */
  lost: 4,
  /** Replaced by a newer connection from the same address. */
  replaced: 5,
  /** The answer to a Close; itself never answered. */
  answer: 6,
  /** Datagrams of the sender's size get lost on the way, smaller ones do not. */
  path: 7,
} as const;

/** How a field is written; every kind has exactly one form. */
export const Field = {
  /** 0x19 and two bytes. */
  u16: 0,
  /** 0x1a and four bytes. */
  u32: 1,
  /** 0x1b and eight bytes, the value below 2^53. */
  u53: 2,
  /** 0x48 and eight bytes: opaque. */
  token: 3,
  /** 0x59, a two-byte length, and the bytes. */
  bytes: 4,
  /** 0x78, a one-byte length of at most {@link REASON_BYTES_MAX}, and printable UTF-8. */
  text: 5,
  /** 0x98, the count of u32 that follow: pairs of offsets from `cumulative`, ascending. */
  ranges: 6,
  /** A u32 that repeats the datagram's connection id. */
  id: 7,
} as const;

/** A field kind's number. */
export type Field = (typeof Field)[keyof typeof Field];

const { u16, u32, u53, token, bytes, text, ranges, id } = Field;

/** The fields after the type, by frame type; what isn't here is unknown to this version. */
export const FRAME_FIELDS: readonly (readonly Field[] | undefined)[] = [
  /* padding       */ [bytes],
  /* connect       */ [u32, u16, u32, token, u32, u32, u32, u32],
  /* challenge     */ [u32, token],
  /* refuse        */ [u32, u16, u16, u32, text],
  /* accept        */ [u32, id, u32, u32, u32, u32],
  /* data          */ [u53, bytes],
  /* ack           */ [u53, u53, u32, u32, u32, ranges],
  /* close         */ [u16, u53, text],
  /* pathChallenge */ [token],
  /* pathResponse  */ [token],
  /* fragment      */ [u53, u16, u32, bytes],
  /* window        */ undefined,
  /* sealed        */ undefined,
  /* unknown       */ [u53],
];

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

/**
 * 64 bits that only the two ends of a connection know, and those who see their datagrams: every
 * datagram of the connection bears them, so that nobody else can speak for one of the two. It is
 * the cookie by which the connection's address proved itself.
 */
export interface ConnectionKey {
  /** The upper 32 bits, 0..2^32-1. */
  readonly high: number;
  /** The lower 32 bits, 0..2^32-1. */
  readonly low: number;
}

/** Of datagrams under id 0, which bear none. */
export const NO_KEY: ConnectionKey = { high: 0, low: 0 };

/** The key that is equal to `token`, a cookie. */
export function keyOf(token: bigint): ConnectionKey {
  return { high: Number(token >> 32n), low: Number(token & 0xffff_ffffn) };
}

/** What an end tells the other about itself while connecting. All 0..2^32-1. */
export interface Offer {
  /** Messages beyond the cumulative acknowledgement that it takes. */
  windowMessages: number;
  /** Bytes of payload beyond the cumulative acknowledgement that it takes. */
  windowBytes: number;
  /** Its epoch in milliseconds, so that the peer can heartbeat often enough. */
  epochMillis: number;
  /** The largest message it takes, in bytes. */
  maxMessageBytes: number;
}

/** The fields of a Connect. */
export interface ConnectFields extends Offer {
  /** Initial sequence number, 0..2^32-1: the first message in both directions is `isn + 1`. */
  isn: number;
  /** {@link LSP_VERSION} of the sender, 0..65535. */
  lspVersion: number;
  /** Version of the application's messages, 0..2^32-1. */
  appVersion: number;
  /** The cookie of the server's Challenge; 0n when there was none yet. */
  token: bigint;
}

/** The fields of an Accept. */
export interface AcceptFields extends Offer {
  /** The Connect's. */
  isn: number;
  /** The new connection's id, 1..2^32-1: also the datagram's. */
  newConnId: number;
}

/** The fields of a Refuse. */
export interface RefuseFields {
  /** The Connect's. */
  isn: number;
  /** A {@link RefuseCode}, or another number up to 65535. */
  code: number;
  /** The server's. */
  lspVersion: number;
  /** The server's. */
  appVersion: number;
  /** One line for people; control characters become blanks, an overlong one is cut. */
  reason: string;
}

/** The fields of a Fragment besides its sequence number. */
export interface Piece {
  /** One byte or more of the message. */
  readonly bytes: Uint8Array;
  /** Which piece it is. */
  readonly marks: Marks;
  /** Bytes of the message behind this piece, 0..2^32-1; 0 exactly in the last. */
  readonly remaining: number;
}

/** The fields of an Ack; one object can be kept and filled anew for each. */
export interface AckFields {
  /** Everything up to this sequence number has arrived; the ISN at first. */
  cumulative: number;
  /** Number of the newest datagram received that carried data; 0 for no round-trip sample. */
  echo: number;
  /** Microseconds between the arrival of that datagram and this Ack, 0..2^32-1. */
  echoDelayMicros: number;
  /** The peer may send sequence numbers up to `cumulative + windowMessages`. */
  windowMessages: number;
  /** ... while the payloads after `cumulative` are at most this many bytes together. */
  windowBytes: number;
  /** How many ranges of `ranges` count, 0..{@link ACK_RANGES_MAX}. */
  rangeCount: number;
  /**
   * What arrived beyond a gap: pairs of first and last sequence number, ascending, with at least
   * one missing number before each.
   */
  ranges: Float64Array;
}
