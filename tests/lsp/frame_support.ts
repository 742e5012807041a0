/**
 * What the tests of the cbor wire share: one sample of every frame, and ways to build and to read
 * datagrams without the codec under test.
 *
 * @module
 */
import { crc32 } from "../../lsp/crc32.ts";
import {
  type AcceptFields,
  type AckFields,
  type ConnectFields,
  type ConnectionKey,
  DATAGRAM_OVERHEAD_BYTES,
  DatagramReader,
  DatagramWriter,
  FrameType,
  HANDSHAKE_OVERHEAD_BYTES,
  HEADER_BYTES,
  MAGIC,
  Marks,
  type Piece,
  type RefuseFields,
} from "../../lsp/frame.ts";

/** One frame as plain values; the keys besides `type` are the writer's arguments. */
export type Frame =
  | { type: typeof FrameType.padding; bytes: number }
  | ({ type: typeof FrameType.connect } & ConnectFields)
  | { type: typeof FrameType.challenge; isn: number; token: bigint }
  | ({ type: typeof FrameType.accept } & AcceptFields)
  | ({ type: typeof FrameType.refuse } & RefuseFields)
  | { type: typeof FrameType.data; seq: number; payload: Uint8Array }
  | ({ type: typeof FrameType.ack } & AckFields)
  | { type: typeof FrameType.close; code: number; seq: number; reason: string }
  | { type: typeof FrameType.pathChallenge | typeof FrameType.pathResponse; token: bigint }
  | ({ type: typeof FrameType.fragment; seq: number } & Piece)
  | { type: typeof FrameType.unknown; echo: number };

/** The key of connections in samples. */
export const KEY: ConnectionKey = { high: 0x0123_4567, low: 0x89ab_cdef };

/** An Ack's ranges as the writer wants them. */
export function rangesOf(...pairs: number[]): { rangeCount: number; ranges: Float64Array } {
  return { rangeCount: pairs.length / 2, ranges: Float64Array.from(pairs) };
}

const offer = {
  windowMessages: 256,
  windowBytes: 2 ** 20,
  epochMillis: 250,
  maxMessageBytes: 1000,
};
const token = 0x0102030405060708n;

/** One of each, in the order of their types. */
export const samples: readonly Frame[] = [
  { type: FrameType.padding, bytes: 9 },
  { type: FrameType.connect, isn: 2 ** 32 - 1, lspVersion: 1, appVersion: 7, token, ...offer },
  { type: FrameType.challenge, isn: 5, token },
  { type: FrameType.refuse, isn: 5, code: 1, lspVersion: 1, appVersion: 7, reason: "früher: 1" },
  { type: FrameType.accept, isn: 5, newConnId: 7, ...offer },
  { type: FrameType.data, seq: 2 ** 32 + 1, payload: Uint8Array.of(1, 2, 3) },
  {
    type: FrameType.ack,
    cumulative: 2 ** 53 - 100,
    echo: 77,
    echoDelayMicros: 1500,
    windowMessages: 256,
    windowBytes: 2 ** 20,
    ...rangesOf(2 ** 53 - 98, 2 ** 53 - 98, 2 ** 53 - 90, 2 ** 53 - 80),
  },
  { type: FrameType.close, code: 0, seq: 2 ** 53 - 1, reason: "bye" },
  { type: FrameType.pathChallenge, token: 2n ** 64n - 1n },
  { type: FrameType.pathResponse, token: 0n },
  {
    type: FrameType.fragment,
    seq: 2 ** 32 + 2,
    marks: Marks.first,
    remaining: 2 ** 26,
    bytes: Uint8Array.of(4, 5),
  },
  { type: FrameType.unknown, echo: 2 ** 53 - 1 },
];

/** The connection id of the samples: 0 for the frames that need no connection. */
export function connIdFor(type: number): number {
  return type >= FrameType.connect && type <= FrameType.refuse ? 0 : 7;
}

/** Where the frames of a datagram of connection `connId` begin. */
export function framesAt(connId: number): number {
  return connId === 0 ? HANDSHAKE_OVERHEAD_BYTES : DATAGRAM_OVERHEAD_BYTES;
}

/** Calls the writer's method for `frame`. */
export function write(writer: DatagramWriter, frame: Frame): boolean {
  switch (frame.type) {
    case FrameType.padding:
      return writer.padding(frame.bytes);
    case FrameType.connect:
      return writer.connect(frame);
    case FrameType.challenge:
      return writer.challenge(frame.isn, frame.token);
    case FrameType.accept:
      return writer.accept(frame);
    case FrameType.refuse:
      return writer.refuse(frame);
    case FrameType.data:
      return writer.data(frame.seq, frame.payload);
    case FrameType.ack:
      return writer.ack(frame);
    case FrameType.close:
      return writer.close(frame.code, frame.seq, frame.reason);
    case FrameType.pathChallenge:
      return writer.pathChallenge(frame.token);
    case FrameType.pathResponse:
      return writer.pathResponse(frame.token);
    case FrameType.fragment:
      return writer.fragment(frame.seq, frame.marks, frame.remaining, frame.bytes);
    case FrameType.unknown:
      return writer.unknown(frame.echo);
  }
}

/** A datagram of these frames. */
export function datagramOf(connId: number, number: number, ...frames: Frame[]): Uint8Array {
  const writer = new DatagramWriter();
  const into = new Uint8Array(1200);
  writer.begin(into, connId, KEY, number);
  for (const frame of frames) if (!write(writer, frame)) throw new Error("frame does not fit");
  return into.slice(0, writer.finish());
}

/** The reader's current frame, in the same shape as it was written. */
export function frameOf(reader: DatagramReader): Frame {
  const { isn, token, code, reason, lspVersion, appVersion, windowMessages, windowBytes } = reader;
  const { epochMillis, maxMessageBytes, cumulative, echo, echoDelayMicros, seq } = reader;
  const window = { windowMessages, windowBytes };
  const type = reader.type as FrameType;
  switch (type) {
    case FrameType.padding:
      return { type, bytes: reader.payloadLength + 5 };
    case FrameType.connect:
      return { type, isn, lspVersion, appVersion, token, ...window, epochMillis, maxMessageBytes };
    case FrameType.challenge:
      return { type, isn, token };
    case FrameType.accept:
      return { type, isn, newConnId: reader.newConnId, ...window, epochMillis, maxMessageBytes };
    case FrameType.refuse:
      return { type, isn, code, lspVersion, appVersion, reason };
    case FrameType.data:
      return { type, seq, payload: reader.payload };
    case FrameType.ack: {
      const pairs = Array.from({ length: reader.rangeCount }, (_, i) => [
        reader.rangeFirst(i),
        reader.rangeLast(i),
      ]);
      return { type, cumulative, echo, echoDelayMicros, ...window, ...rangesOf(...pairs.flat()) };
    }
    case FrameType.close:
      return { type, code, seq, reason };
    case FrameType.pathChallenge:
    case FrameType.pathResponse:
      return { type, token };
    case FrameType.fragment:
      return { type, seq, marks: reader.marks, remaining: reader.remaining, bytes: reader.payload };
    case FrameType.unknown:
      return { type, echo };
    default:
      throw new Error(`the reader showed a frame of type ${type}`);
  }
}

/** Reads a sound datagram. */
export function readDatagram(bytes: Uint8Array): {
  connId: number;
  number: number;
  frames: Frame[];
} {
  const reader = new DatagramReader();
  if (!reader.open(bytes)) throw new Error(`rejected: ${reader.reject}`);
  const frames: Frame[] = [];
  while (reader.next()) frames.push(frameOf(reader));
  return { connId: reader.connId, number: reader.number, frames };
}

/** Any bytes behind a header whose checksum is right. */
export function withHeader(body: Uint8Array, flags = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  bytes[0] = MAGIC;
  bytes[1] = flags;
  bytes.set(body, HEADER_BYTES);
  const checksum = crc32(body, 0, body.length, crc32(bytes, 0, 2));
  new DataView(bytes.buffer).setUint32(2, checksum);
  return bytes;
}

/** Any bytes in the place of frames, in an otherwise sound datagram of connection `connId`. */
export function framesOf(body: Uint8Array, connId = 7): Uint8Array {
  const length = connId === 0 ? 14 : 23;
  const prefix = new Uint8Array(length + body.length);
  const view = new DataView(prefix.buffer);
  view.setUint8(0, 0x1a);
  view.setUint32(1, connId);
  view.setUint8(5, 0x1b);
  view.setBigUint64(6, 9n);
  if (connId !== 0) {
    view.setUint8(14, 0x48);
    view.setUint32(15, KEY.high);
    view.setUint32(19, KEY.low);
  }
  prefix.set(body, length);
  return withHeader(prefix);
}

/** What the reader says to these bytes: "ok", or why not. */
export function verdict(bytes: Uint8Array): string {
  const reader = new DatagramReader();
  const ok = reader.open(bytes);
  if (!ok && reader.next()) throw new Error("a rejected datagram shows frames");
  return ok ? "ok" : reader.reject;
}
