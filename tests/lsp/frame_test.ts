/**
 * The cbor wire's codec: whatever is written is read back, cbor-x agrees that it is CBOR with the
 * same values, frames fill a datagram exactly.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decodeMultiple } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";
import fc from "fast-check";
import { crc32Native } from "../../lsp/crc32_native.ts";
import {
  ACK_BYTES,
  ACK_RANGE_BYTES,
  type AckFields,
  CloseCode,
  DATA_OVERHEAD_BYTES,
  DATAGRAM_OVERHEAD_BYTES,
  FRAGMENT_OVERHEAD_BYTES,
  DatagramReader,
  DatagramWriter,
  FRAME_FIELDS,
  FrameType,
  HEADER_BYTES,
  Marks,
  ACK_RANGES_MAX,
  DATA_BYTES_MAX,
  DATAGRAM_BYTES_MAX,
  REASON_BYTES_MAX,
} from "../../lsp/frame.ts";
import { ChecksumSeal } from "../../lsp/seal.ts";
import {
  connIdFor,
  datagramOf,
  type Frame,
  framesAt,
  framesOf,
  KEY,
  rangesOf,
  readDatagram,
  samples,
  write,
} from "./frame_support.ts";

/** The key of the samples, as CBOR has it. */
const KEY_BYTES = Uint8Array.fromHex("0123456789abcdef");
/** Largest piece of one Fragment, alone in a datagram of the default size. */
const PIECE_BYTES = DATA_BYTES_MAX + DATA_OVERHEAD_BYTES - FRAGMENT_OVERHEAD_BYTES;

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const u53 = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.nat(9).map((n) => 2 ** 32 - 5 + n),
);
const token = fc.bigInt(0n, 2n ** 64n - 1n);
const reason = fc
  .string({ unit: "grapheme", maxLength: 40 })
  .filter((text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text));
const offer = { windowMessages: u32, windowBytes: u32, epochMillis: u32, maxMessageBytes: u32 };
const steps = fc.array(fc.tuple(fc.integer({ min: 2, max: 9 }), fc.nat(9)), { maxLength: 5 });

const ackFrame = fc
  .record({ cumulative: fc.nat(2 ** 40), echo: u53, echoDelayMicros: u32, steps, ...offer })
  .map(({ cumulative, echo, echoDelayMicros, windowMessages, windowBytes, steps }): Frame => {
    let last = cumulative;
    const pairs = steps.flatMap(([gap, more]) => {
      const first = last + gap;
      last = first + more;
      return [first, last];
    });
    const window = { windowMessages, windowBytes };
    return {
      type: FrameType.ack,
      cumulative,
      echo,
      echoDelayMicros,
      ...window,
      ...rangesOf(...pairs),
    };
  });

const unconnectedFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant(FrameType.connect),
    isn: u32,
    lspVersion: u16,
    appVersion: u32,
    token,
    ...offer,
  }),
  fc.record({ type: fc.constant(FrameType.challenge), isn: u32, token }),
  fc.record({
    type: fc.constant(FrameType.refuse),
    isn: u32,
    code: u16,
    lspVersion: u16,
    appVersion: u32,
    reason,
  }),
);

const paddingFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constant(FrameType.padding),
  bytes: fc.integer({ min: 5, max: 60 }),
});
const connectedFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant(FrameType.data),
    seq: u53,
    payload: fc.uint8Array({ maxLength: 120 }),
  }),
  ackFrame,
  fc.record({ type: fc.constant(FrameType.close), code: u16, seq: u53, reason }),
  fc.record({ type: fc.constantFrom(FrameType.pathChallenge, FrameType.pathResponse), token }),
  fc
    .record({
      seq: u53,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 120 }),
      isFirst: fc.boolean(),
      remaining: u32,
    })
    .map(({ seq, bytes, isFirst, remaining }): Frame => {
      const marks = remaining === 0 ? Marks.last : isFirst ? Marks.first : Marks.between;
      return { type: FrameType.fragment, seq, marks, remaining, bytes };
    }),
  fc.record({ type: fc.constant(FrameType.unknown), echo: u53 }),
  paddingFrame,
);

const connId = fc.integer({ min: 1, max: 0xffff_ffff });
const number = u53.map((n) => Math.max(1, n));
type Datagram = { connId: number; number: number; frames: Frame[] };
const datagram: fc.Arbitrary<Datagram> = fc.oneof(
  fc.record({ connId, number, frames: fc.array(connectedFrame, { minLength: 1, maxLength: 4 }) }),
  fc
    .record({ connId, number, frame: connectedFrame, isn: u32, ...offer })
    .map(({ connId, number, frame, ...fields }): Datagram => {
      const accept = { type: FrameType.accept, newConnId: connId, ...fields };
      return { connId, number, frames: [accept, frame] };
    }),
  fc.record({
    connId: fc.constant(0),
    number,
    frames: fc.tuple(unconnectedFrame, paddingFrame).map((frames): Frame[] => frames),
  }),
);

/** The values that a CBOR library should see: numbers as numbers, byte strings as plain bytes. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return { bytes: value.toHex() };
  return Array.isArray(value) ? value.map(plain) : value;
}

function tokenBytes(token: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, token);
  return bytes;
}

/** The frame as the array that docs/protocol.md gives for it. */
function elements(frame: Frame): unknown[] {
  const { type } = frame;
  switch (type) {
    case FrameType.padding:
      return [type, new Uint8Array(frame.bytes - 5)];
    case FrameType.connect: {
      const { isn, lspVersion, appVersion, windowMessages, windowBytes } = frame;
      const own = [type, isn, lspVersion, appVersion, tokenBytes(frame.token)];
      return [...own, windowMessages, windowBytes, frame.epochMillis, frame.maxMessageBytes];
    }
    case FrameType.challenge:
      return [type, frame.isn, tokenBytes(frame.token)];
    case FrameType.accept: {
      const { isn, newConnId, windowMessages, windowBytes, epochMillis, maxMessageBytes } = frame;
      return [type, isn, newConnId, windowMessages, windowBytes, epochMillis, maxMessageBytes];
    }
    case FrameType.refuse:
      return [type, frame.isn, frame.code, frame.lspVersion, frame.appVersion, frame.reason];
    case FrameType.data:
      return [type, frame.seq, frame.payload];
    case FrameType.ack: {
      const { cumulative, echo, echoDelayMicros, windowMessages, windowBytes, ranges } = frame;
      const offsets = Array.from(ranges, (seq) => seq - cumulative);
      return [type, cumulative, echo, echoDelayMicros, windowMessages, windowBytes, offsets];
    }
    case FrameType.close:
      return [type, frame.code, frame.seq, frame.reason];
    case FrameType.pathChallenge:
    case FrameType.pathResponse:
      return [type, tokenBytes(frame.token)];
    case FrameType.fragment:
      return [type, frame.seq, frame.marks, frame.remaining, frame.bytes];
    case FrameType.unknown:
      return [type, frame.echo];
  }
}

/** Numbers of eight bytes as bigints: cbor-x writes those as integers, larger numbers as floats. */
function wide(value: unknown): unknown {
  if (typeof value === "number" && value >= 2 ** 32) return BigInt(value);
  return Array.isArray(value) ? value.map(wide) : value;
}

/** Frames of every type whose values are so large that CBOR's shortest form is ours. */
const wideSamples: readonly Frame[] = samples.slice(0, FrameType.fragment).map((frame): Frame => {
  const large = 2 ** 32 - 1;
  const window = { windowMessages: large, windowBytes: large };
  const offer = { ...window, epochMillis: 70000, maxMessageBytes: large };
  const reason = "a reason of twenty-four letters or more";
  switch (frame.type) {
    case FrameType.padding:
      return { ...frame, bytes: 300 };
    case FrameType.data:
      return { ...frame, payload: new Uint8Array(300).fill(9) };
    case FrameType.connect:
      return { ...frame, ...offer, isn: large, lspVersion: 256, appVersion: 65536 };
    case FrameType.accept:
      return { ...frame, ...offer, isn: large, newConnId: large };
    case FrameType.refuse:
      return { ...frame, isn: large, code: 256, lspVersion: 256, appVersion: 65536, reason };
    case FrameType.close:
      return { ...frame, code: 256, seq: 2 ** 32, reason };
    case FrameType.challenge:
      return { ...frame, isn: large };
    case FrameType.ack: {
      const cumulative = 2 ** 32;
      const pairs = Array.from({ length: 24 }, (_, i) => cumulative + 65536 + 2 * i);
      const times = { cumulative, echo: 2 ** 32, echoDelayMicros: 65536 };
      return { ...frame, ...times, ...window, ...rangesOf(...pairs) };
    }
    default:
      return frame;
  }
});

describe("the native codec", () => {
  test("every frame type has a sample and a layout", () => {
    const types = [...FRAME_FIELDS.keys()].filter((type) => FRAME_FIELDS[type] !== undefined);
    expect(samples.map((frame): number => frame.type)).toEqual(types);
  });

  test("reads back every frame as it was written", () => {
    for (const frame of samples) {
      const connId = connIdFor(frame.type);
      const read = readDatagram(datagramOf(connId, 2 ** 53 - 1, frame));
      expect(read).toEqual({ connId, number: 2 ** 53 - 1, frames: [frame] });
    }
  });

  test("reads back any mixture of frames", () => {
    fc.assert(
      fc.property(datagram, (sent) => {
        expect(readDatagram(datagramOf(sent.connId, sent.number, ...sent.frames))).toEqual(sent);
      }),
      { numRuns: 300 },
    );
  });

  test("cbor-x reads the same values behind the header", () => {
    fc.assert(
      fc.property(datagram, ({ connId, number, frames }) => {
        const bytes = datagramOf(connId, number, ...frames).subarray(HEADER_BYTES);
        const key = connId === 0 ? [] : [KEY_BYTES];
        const values = [connId, number, ...key, ...frames.map(elements)];
        expect(plain(decodeMultiple(bytes))).toEqual(plain(values));
      }),
      { numRuns: 300 },
    );
  });

  test("cbor-x writes the same bytes where its shortest form has our widths", () => {
    const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
    for (const frame of wideSamples) {
      const connId = frame.type >= 1 && frame.type <= 3 ? 0 : 2 ** 32 - 1;
      const frameBytes = encoder.encode(wide(elements(frame)));
      const ours = datagramOf(connId, 2 ** 53 - 1, frame);
      expect(ours.subarray(framesAt(connId)).toHex()).toBe(frameBytes.toString("hex"));
      const theirs = framesOf(frameBytes, connId);
      expect(readDatagram(theirs).frames).toEqual([frame]);
    }
  });

  test("a fast checksum gives the same bytes and reads them", () => {
    const frame: Frame = { type: FrameType.data, seq: 1, payload: new Uint8Array(900).fill(7) };
    const seal = new ChecksumSeal(crc32Native);
    const writer = new DatagramWriter(seal);
    const into = new Uint8Array(1200);
    writer.begin(into, 7, KEY, 1);
    write(writer, frame);
    const bytes = into.slice(0, writer.finish());
    expect(bytes.toHex()).toBe(datagramOf(7, 1, frame).toHex());
    expect(new DatagramReader().open(bytes, seal)).toBe(true);
  });
});

describe("DatagramWriter", () => {
  test("a lone message of 1,100 bytes fits a datagram of the default size", () => {
    expect(DATA_BYTES_MAX).toBeGreaterThanOrEqual(1100);
    const frame: Frame = { type: FrameType.data, seq: 1, payload: new Uint8Array(DATA_BYTES_MAX) };
    expect(datagramOf(1, 1, frame).length).toBe(DATAGRAM_BYTES_MAX);
    const larger = { ...frame, payload: new Uint8Array(DATA_BYTES_MAX + 1) };
    expect(() => datagramOf(1, 1, larger)).toThrow("does not fit");
  });

  test("every frame fits exactly its own size, and one byte less refuses it whole", () => {
    for (const frame of samples) {
      const connId = connIdFor(frame.type);
      const size = datagramOf(connId, 1, frame).length;
      const writer = new DatagramWriter();
      const into = new Uint8Array(size + 5).fill(0xee);
      writer.begin(into, connId, KEY, 1, size - 1);
      expect(write(writer, frame)).toBe(false);
      expect([writer.frames, writer.remaining]).toEqual([0, size - 1 - framesAt(connId)]);
      writer.begin(into, connId, KEY, 1, size);
      expect(writer.fits(size - framesAt(connId))).toBe(true);
      expect(writer.fits(size - framesAt(connId) + 1)).toBe(false);
      expect(write(writer, frame)).toBe(true);
      expect([writer.frames, writer.remaining, writer.finish()]).toEqual([1, 0, size]);
      expect(into.subarray(size)).toEqual(new Uint8Array(5).fill(0xee));
    }
  });

  test("the overheads are what frames really cost", () => {
    const data: Frame = { type: FrameType.data, seq: 1, payload: new Uint8Array(9) };
    const dataBytes = DATAGRAM_OVERHEAD_BYTES + DATA_OVERHEAD_BYTES + 9;
    expect(datagramOf(1, 1, data).length).toBe(dataBytes);
    const ack = samples[FrameType.ack] as AckFields & { type: typeof FrameType.ack };
    const bytes = DATAGRAM_OVERHEAD_BYTES + ACK_BYTES + ack.rangeCount * ACK_RANGE_BYTES;
    expect(datagramOf(1, 1, ack).length).toBe(bytes);
    const piece = { marks: Marks.last, remaining: 0, bytes: new Uint8Array(PIECE_BYTES) };
    const fragment: Frame = { type: FrameType.fragment, seq: 1, ...piece };
    expect(datagramOf(1, 1, fragment).length).toBe(DATAGRAM_BYTES_MAX);
  });

  test("padding hides what the buffer held before", () => {
    const into = new Uint8Array(100).fill(0xee);
    const writer = new DatagramWriter();
    writer.begin(into, 7, KEY, 1);
    writer.padding(71);
    expect(writer.finish()).toBe(100);
    expect(into.subarray(34)).toEqual(new Uint8Array(66));
  });

  test("a full Ack carries its limit of ranges", () => {
    const pairs = Array.from({ length: 2 * ACK_RANGES_MAX }, (_, i) => 12 + 2 * i);
    const ack = samples[FrameType.ack] as AckFields & { type: typeof FrameType.ack };
    const full = { ...ack, cumulative: 10, ...rangesOf(...pairs) };
    expect(readDatagram(datagramOf(1, 1, full)).frames).toEqual([full]);
  });

  test("a reason becomes one line of at most 200 bytes, cut between characters", () => {
    const close = { type: FrameType.close, code: CloseCode.done, seq: 1 };
    const reasonOf = (reason: string) =>
      (
        readDatagram(datagramOf(1, 1, { ...close, reason })).frames[0] as typeof close & {
          reason: string;
        }
      ).reason;
    expect(reasonOf("two\r\nlines\u2028\u009bx\0")).toBe("two  lines  x ");
    expect(reasonOf("é".repeat(300))).toBe("é".repeat(REASON_BYTES_MAX / 2));
    expect(reasonOf(`x${"é".repeat(300)}`)).toBe(`x${"é".repeat(REASON_BYTES_MAX / 2 - 1)}`);
    expect(reasonOf("\ud800")).toBe("\ufffd");
  });

  test("our own mistakes throw", () => {
    const writer = new DatagramWriter();
    const into = new Uint8Array(1200);
    expect(() => writer.begin(into, 1, KEY, 0)).toThrow("invariant");
    expect(() => writer.begin(into, 2 ** 32, KEY, 1)).toThrow("invariant");
    expect(() => writer.begin(new Uint8Array(28), 1, KEY, 1)).toThrow("invariant");
    writer.begin(into, 1, KEY, 1);
    expect(() => writer.finish()).toThrow("invariant");
    const none = new Uint8Array(0);
    for (const seq of [-1, 2 ** 53, Number.NaN, 1.5]) {
      expect(() => writer.data(seq, none)).toThrow("invariant");
    }
    const one = new Uint8Array(1);
    expect(() => writer.fragment(1, Marks.first, 5, none)).toThrow("invariant");
    expect(() => writer.fragment(1, Marks.whole, 5, one)).toThrow("invariant");
    expect(() => writer.fragment(1, Marks.last, 5, one)).toThrow("invariant");
    expect(() => writer.fragment(1, Marks.between, 0, one)).toThrow("invariant");
    expect(() => writer.close(65536, 1, "")).toThrow("invariant");
    expect(() => writer.pathChallenge(2n ** 64n)).toThrow("invariant");
    expect(() => writer.padding(4)).toThrow("invariant");
    const ack = samples[FrameType.ack] as AckFields;
    for (const pairs of [
      [11, 12],
      [13, 12],
      [12, 13, 14, 15],
      [9, 9],
    ]) {
      expect(() => writer.ack({ ...ack, cumulative: 10, ...rangesOf(...pairs) })).toThrow();
    }
  });
});
