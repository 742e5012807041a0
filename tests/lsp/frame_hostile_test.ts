/**
 * The cbor wire's reader against damage and malice: a datagram is sound to the last bit, or none
 * of its frames is shown.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DatagramReader, DatagramWriter, FrameType } from "../../lsp/frame.ts";
import {
  connIdFor,
  datagramOf,
  type Frame,
  framesAt,
  framesOf,
  KEY,
  readDatagram,
  samples,
  verdict,
  withHeader,
  write,
} from "./frame_support.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""));

/** The bytes of one frame, without header and prefix. */
function frameBytes(frame: Frame): Uint8Array {
  const connId = connIdFor(frame.type);
  return datagramOf(connId, 1, frame).subarray(framesAt(connId));
}

const bodies: [string, Uint8Array, number][] = samples.map((frame) => [
  Object.keys(FrameType)[frame.type]!,
  frameBytes(frame),
  connIdFor(frame.type),
]);

describe("DatagramReader rejects damage", () => {
  const frames = [samples[FrameType.ack]!, samples[FrameType.data]!];
  const sound = datagramOf(7, 3, ...frames);

  test("sound as it was sent", () => {
    expect(readDatagram(sound)).toEqual({ connId: 7, number: 3, frames });
  });

  test("every flipped bit, whatever the frame type", () => {
    for (const [, body, connId] of bodies) {
      const whole = framesOf(body, connId);
      expect(verdict(whole)).toBe("ok");
      for (let bit = 0; bit < whole.length * 8; bit++) {
        const flipped = whole.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const expected = bit < 8 ? "magic" : bit < 16 ? "flags" : "checksum";
        expect(verdict(flipped)).toBe(expected);
      }
    }
  });

  test("flags are covered by the checksum", () => {
    const body = sound.slice(6);
    expect(verdict(withHeader(body, 0))).toBe("ok");
    const flagged = withHeader(body, 1);
    expect(flagged.subarray(2, 6)).not.toEqual(sound.subarray(2, 6));
    flagged[1] = 0;
    expect(verdict(flagged)).toBe("checksum");
  });

  test("cut off at any length", () => {
    for (let length = 0; length < sound.length; length++) {
      expect(verdict(sound.slice(0, length))).toBe(length < 29 ? "short" : "checksum");
    }
  });

  test("cut off at any length by somebody who computes a checksum", () => {
    for (const [, body, connId] of bodies) {
      for (let length = 1; length < body.length; length++) {
        expect(verdict(framesOf(body.slice(0, length), connId))).toBe("layout");
      }
    }
    for (let length = 0; length < 14; length++) {
      expect(verdict(withHeader(sound.slice(6, 6 + length)))).toBe("short");
    }
  });

  test("bytes behind the last frame", () => {
    for (const [, body, connId] of bodies) {
      for (const rest of ["00", "ff", "f6", "80", "81 00", "82", "82 00"]) {
        expect(verdict(framesOf(Buffer.concat([body, hex(rest)]), connId))).toBe("layout");
      }
    }
  });

  test("a bad frame spoils the good ones before it", () => {
    const data = frameBytes({ type: FrameType.data, seq: 1, payload: hex("aa") });
    expect(verdict(framesOf(Buffer.concat([data, data])))).toBe("ok");
    expect(verdict(framesOf(Buffer.concat([data, hex("820b00")])))).toBe("type");
  });

  test("after a rejected datagram the next one reads well", () => {
    const reader = new DatagramReader();
    expect(reader.open(hex("d1"))).toBe(false);
    expect(reader.next()).toBe(false);
    expect(reader.open(sound)).toBe(true);
    expect(reader.next()).toBe(true);
    expect(reader.open(sound.subarray(1))).toBe(false);
    expect(reader.next()).toBe(false);
  });
});

describe("DatagramReader rejects what hangs, bloats or fools a general CBOR decoder", () => {
  const hostile: [string, string][] = [
    ["the datagram that hangs cbor-x 1.6.8", "82d9dfff831affffffff81617405da5368726400"],
    ["a lone break, which cbor-x reads as {}", "ff"],
    ["a packed table (tag 51)", "d833 82 83 0102 03 80"],
    ["a packed reference (tag 6)", "c6 00"],
    ["a record definition (tag 105)", "d869 84 19e000 81 6161 01"],
    ["a regular expression (tag 27)", "d81b 82 66526567457870 6161"],
    ["a date (tag 1)", "c1 1a 60000000"],
    ["a shared reference (tags 28 and 29)", "d81c 81 d81d 00"],
    ["a typed array (tag 64)", "d840 41 00"],
    ["a map", "a1 00 00"],
    ["an array without a length", "9f 05 1b0000000000000001 590000 ff"],
    ["a payload in chunks", "83 05 1b0000000000000001 5f 4100 ff"],
    ["a payload as text", "83 05 1b0000000000000001 790001 61"],
    ["a float as the sequence number", "83 05 fb3ff0000000000000 590000"],
    ["a negative sequence number", "83 05 3b0000000000000001 590000"],
    ["a bignum as the sequence number", "83 05 c2480000000000000001 590000"],
    ["a short sequence number", "83 05 01 590000"],
    ["a sequence number of four bytes", "83 05 1a00000001 590000"],
    ["a payload with a short length", "83 05 1b0000000000000001 40"],
    ["a payload with a long length", "83 05 1b0000000000000001 5a00000000"],
    ["a payload longer than the datagram", "83 05 1b0000000000000001 59ffff 00"],
    ["a long form of the frame's array", "98 03 05 1b0000000000000001 590000"],
    ["a long form of the frame type", "83 18 05 1b0000000000000001 590000"],
    ["too few elements", "82 05 1b0000000000000001"],
    ["too many elements", "84 05 1b0000000000000001 590000 00"],
    ["an array of no elements", "80"],
    ["an array of one element", "81 05"],
    ["an array of 2^64 - 1 elements", "9b ffffffffffffffff 05"],
    ["nested arrays", "81".repeat(500)],
    ["null", "f6"],
  ];
  test.each(hostile)("%s", (_name, text) => {
    expect(verdict(framesOf(hex(text), 7))).toBe("layout");
    expect(["layout", "context"]).toContain(verdict(framesOf(hex(text), 0)));
    expect(["magic", "short"]).toContain(verdict(hex(text)));
  });

  test("every prefix but the canonical one", () => {
    const data = "8305 1b0000000000000001 590000";
    const prefixes = [
      ["ok", "1a00000007 1b0000000000000001 480000000000000000"],
      ["ok", "1affffffff 1b001fffffffffffff 48ffffffffffffffff"],
      ["prefix", "1a00000007 1b0000000000000000 480000000000000000"],
      ["prefix", "1a00000007 1b0020000000000000 480000000000000000"],
      ["prefix", "1a00000007 1bffffffffffffffff 480000000000000000"],
      ["prefix", "3a00000007 1b0000000000000001 480000000000000000"],
      ["prefix", "1a00000007 3b0000000000000001 480000000000000000"],
      ["prefix", "1a00000007 fb3ff0000000000000 480000000000000000"],
      ["prefix", "07 1b0000000000000001 480000000000000000"],
      ["prefix", "1b0000000000000007 1b0000000000000001 480000000000000000"],
      ["prefix", "1a00000007 1b0000000000000001 1b0000000000000000"],
      ["prefix", "1a00000007 1b0000000000000001 58080000000000000000"],
      ["prefix", "1a00000007 1b0000000000000001"],
    ];
    for (const [expected, prefix] of prefixes) {
      expect(verdict(withHeader(hex(prefix + data)))).toBe(expected!);
    }
    const bare = "1a00000007 1b0000000000000001 480000000000000000";
    expect(verdict(withHeader(hex(bare)))).toBe("empty");
    expect(verdict(withHeader(hex(bare.slice(0, -2))))).toBe("short");
    expect(verdict(withHeader(hex("1a00000000 1b0000000000000001")))).toBe("empty");
  });

  test("unknown and reserved frame types", () => {
    for (const type of [11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]) {
      expect(verdict(framesOf(Uint8Array.of(0x82, type, 0x00)))).toBe("type");
    }
  });

  test("Connect and the like on a connection, and other frames outside of any", () => {
    for (const [name, body, connId] of bodies) {
      if (name === "padding") expect(verdict(framesOf(body, 0))).toBe("ok");
      else expect(verdict(framesOf(body, connId === 0 ? 7 : 0))).toBe("context");
    }
  });

  test("two Connects in one datagram, so that a stranger never asks twice in one", () => {
    const connect = frameBytes(samples[FrameType.connect]!);
    const padding = frameBytes(samples[FrameType.padding]!);
    expect(verdict(framesOf(Buffer.concat([connect, padding, padding]), 0))).toBe("ok");
    expect(verdict(framesOf(Buffer.concat([connect, padding, connect]), 0))).toBe("context");
  });

  test("values that their field doesn't allow", () => {
    const seq = "1b0020000000000000";
    expect(verdict(framesOf(hex(`8305 ${seq} 590000`)))).toBe("value");
    expect(verdict(framesOf(hex("8305 1b8000000000000000 590000")))).toBe("value");
    const ack = "8706 1b001ffffffffffff0 1b0000000000000000 1a00000000 1a00000000 1a00000000 9802";
    expect(verdict(framesOf(hex(`${ack} 1a00000002 1a0000000f`)))).toBe("ok");
    expect(verdict(framesOf(hex(`${ack} 1a00000002 1a00000010`)))).toBe("value");
    const offer = "1a00000001".repeat(4);
    expect(verdict(framesOf(hex(`8704 1a00000005 1a00000007 ${offer}`), 7))).toBe("ok");
    expect(verdict(framesOf(hex(`8704 1a00000005 1a00000008 ${offer}`), 7))).toBe("value");
  });

  test("a piece of nothing, and pieces that contradict themselves", () => {
    const piece = (marks: string, remaining: string, bytes = "590001aa"): string =>
      verdict(framesOf(hex(`850a 1b0000000000000001 19${marks} 1a${remaining} ${bytes}`)));
    expect(piece("0000", "00000001")).toBe("ok");
    expect(piece("0001", "ffffffff")).toBe("ok");
    expect(piece("0002", "00000000")).toBe("ok");
    const contradictory = [
      ["0000", "00000000"],
      ["0001", "00000000"],
      ["0002", "00000001"],
      ["0003", "00000000"],
      ["0003", "00000001"],
      ["0102", "00000000"],
      ["0100", "00000001"],
    ] as const;
    for (const [marks, remaining] of contradictory) expect(piece(marks, remaining)).toBe("value");
    expect(piece("0000", "00000001", "590000")).toBe("value");
    expect(piece("0002", "00000000", "590000")).toBe("value");
  });

  test("an Ack's ranges that overlap, touch, descend, or are too many", () => {
    const ack = (...offsets: number[]): Uint8Array => {
      const head = "8706 1b0000000000000009 1b0000000000000000 1a00000000 1a00000000 1a00000000";
      const list = offsets.map((n) => `1a${n.toString(16).padStart(8, "0")}`).join("");
      return framesOf(hex(`${head} 98${offsets.length.toString(16).padStart(2, "0")}${list}`));
    };
    expect(verdict(ack())).toBe("ok");
    expect(verdict(ack(2, 2, 4, 0xffff_ffff))).toBe("ok");
    const wrong = [
      [0, 1],
      [1, 2],
      [3, 2],
      [2, 4, 4, 5],
      [2, 4, 5, 5],
      [6, 7, 2, 3],
      [2, 2, 4, 3],
    ];
    for (const offsets of wrong) expect(verdict(ack(...offsets))).toBe("value");
    expect(verdict(ack(2))).toBe("layout");
    const many = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 + i * 2);
    expect(verdict(ack(...many(64)))).toBe("ok");
    expect(verdict(ack(...many(66)))).toBe("value");
  });

  test("a reason that is too long, not UTF-8, or could steer a terminal", () => {
    const close = (reason: Uint8Array): Uint8Array => {
      const head = Uint8Array.of(0x78, reason.length);
      return framesOf(Buffer.concat([hex("8407 190000 1b0000000000000001"), head, reason]));
    };
    expect(verdict(close(Buffer.from("é".repeat(100))))).toBe("ok");
    expect(verdict(close(Buffer.alloc(201, "x")))).toBe("value");
    for (const bytes of ["c3", "80", "eda080", "f8", "1b5b324a", "0a", "7f", "c29b", "e280a8"]) {
      expect(verdict(close(hex(bytes)))).toBe("value");
    }
  });
});

describe("DatagramReader and chance", () => {
  test("random bytes behind a right checksum never throw, and pass only if canonical", () => {
    const cborish = fc.constantFrom(
      0x82,
      0x83,
      0x05,
      0x06,
      0x1a,
      0x1b,
      0x59,
      0x98,
      0x78,
      0,
      1,
      0xff,
    );
    const body = fc.array(fc.oneof(cborish, fc.nat(255)), { maxLength: 80 });
    fc.assert(
      fc.property(body, fc.constantFrom(0, 7), (bytes, connId) => {
        const datagram = framesOf(Uint8Array.from(bytes), connId);
        if (verdict(datagram) === "ok") rewriteEqually(datagram);
      }),
      { numRuns: 3000 },
    );
  });

  test("changed bytes of real frames never throw, and pass only if canonical", () => {
    const edit = fc.tuple(fc.nat(400), fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x1a)));
    const edits = fc.array(edit, { maxLength: 3 });
    const picks = fc.array(fc.constantFrom(...bodies), { minLength: 1, maxLength: 4 });
    let passed = 0;
    fc.assert(
      fc.property(picks, edits, fc.constantFrom(0, 7), (picked, changes, connId) => {
        const body = Buffer.concat(picked.map(([, bytes]) => bytes));
        for (const [at, value] of changes) body[at % body.length] = value;
        const datagram = framesOf(body, connId);
        if (verdict(datagram) !== "ok") return;
        passed++;
        rewriteEqually(datagram);
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  /** One canonical form: what passes is, byte for byte, what we would have written. */
  function rewriteEqually(datagram: Uint8Array): void {
    const { connId, number, frames } = readDatagram(datagram);
    const writer = new DatagramWriter();
    const into = new Uint8Array(datagram.length);
    writer.begin(into, connId, KEY, number);
    for (const frame of frames) {
      const filler = frame.type === FrameType.padding;
      if (!write(writer, frame)) throw new Error("what was read cannot be written");
      if (filler) return; // its bytes may be anything
    }
    writer.finish();
    expect(into.toHex()).toBe(datagram.toHex());
  }
});
