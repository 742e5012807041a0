/**
 * The json wire's codec against docs/lsp.md, section 8: the exact form written, the
 * tolerant form read, checksum vectors, hostile input.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  classicChecksum,
  type ClassicFrame,
  ClassicType,
  decodeClassicFrame,
  encodeClassicFrame,
  CLASSIC_DATAGRAM_BYTES_MAX,
  CLASSIC_PAYLOAD_BYTES_MAX,
} from "../../lsp/classic_frame.ts";

const utf8 = new TextEncoder();
const abc = utf8.encode("abc");
const none = new Uint8Array(0);

function encode(frame: ClassicFrame): string {
  const into = new Uint8Array(2000);
  return new TextDecoder().decode(into.subarray(0, encodeClassicFrame(into, frame)));
}

function decode(text: string): ReturnType<typeof decodeClassicFrame> {
  return decodeClassicFrame(utf8.encode(text));
}

/** A Data frame in the exact form, any part replaced. */
function dataText(parts: Partial<Record<string, string>> = {}): string {
  const checksum = String(classicChecksum(1, 1, 3, abc));
  const all = { Type: "1", ConnID: "1", SeqNum: "1", Size: "3", Checksum: checksum };
  const merged = { ...all, Payload: `"YWJj"`, ...parts };
  return `{${Object.entries(merged)
    .map(([key, value]) => `"${key}":${value}`)
    .join(",")}}`;
}

describe("classicChecksum", () => {
  const vectors: [number, number, number, Uint8Array, number][] = [
    [1, 1, 0, none, 65533],
    [1, 1, 1, utf8.encode("a"), 65435],
    [1, 1, 2, utf8.encode("ab"), 40346],
    [1, 1, 3, abc, 40246],
    [1, 131071, 3, abc, 40247],
    [1, 4294967295, 3, abc, 40248],
    [70000, 2 ** 31, 4, new Uint8Array(4).fill(0xff), 28298],
    [1, 1, 1000, new Uint8Array(1000).fill(0xff), 64533],
  ];
  test.each(vectors)("section 8 vector: id %d, seq %d, size %d", (id, seq, size, payload, sum) => {
    expect(classicChecksum(id, seq, size, payload)).toBe(sum);
  });

  test("a number above 2^32 counts by its low 32 bits", () => {
    expect(classicChecksum(1, 2 ** 32 + 7, 3, abc)).toBe(classicChecksum(1, 7, 3, abc));
    expect(classicChecksum(1, 2 ** 53 - 1, 3, abc)).toBe(classicChecksum(1, 2 ** 32 - 1, 3, abc));
  });
});

describe("encodeClassicFrame", () => {
  test("section 8: keys in order, no blanks, base64", () => {
    expect(encode({ type: ClassicType.data, connId: 1, seq: 124, payload: abc })).toBe(
      '{"Type":1,"ConnID":1,"SeqNum":124,"Size":3,"Checksum":40123,"Payload":"YWJj"}',
    );
  });

  test("section 8: frames that carry no data have size 0, checksum 0, payload null", () => {
    const [connect, ack, cumulativeAck] = [ClassicType.connect, ClassicType.ack, 3] as const;
    expect(encode({ type: connect, connId: 0, seq: 2 ** 32 - 1, payload: none })).toBe(
      '{"Type":0,"ConnID":0,"SeqNum":4294967295,"Size":0,"Checksum":0,"Payload":null}',
    );
    expect(encode({ type: ack, connId: 9, seq: 2 ** 53 - 1, payload: none })).toBe(
      '{"Type":2,"ConnID":9,"SeqNum":9007199254740991,"Size":0,"Checksum":0,"Payload":null}',
    );
    expect(encode({ type: cumulativeAck, connId: 9, seq: 0, payload: none })).toBe(
      '{"Type":3,"ConnID":9,"SeqNum":0,"Size":0,"Checksum":0,"Payload":null}',
    );
  });

  test('section 8: empty data has the payload ""; padding is written', () => {
    const data = { type: ClassicType.data, connId: 1, seq: 1 };
    expect(encode({ ...data, payload: none })).toBe(
      '{"Type":1,"ConnID":1,"SeqNum":1,"Size":0,"Checksum":65533,"Payload":""}',
    );
    expect(encode({ ...data, payload: Uint8Array.of(0xfb, 0xff) })).toContain('"Payload":"+/8="');
  });

  test("the largest payload and the largest numbers fit the 2000 bytes that Go peers read", () => {
    const payload = new Uint8Array(CLASSIC_PAYLOAD_BYTES_MAX).fill(0xff);
    const largest = { type: ClassicType.data, connId: 2 ** 53 - 1, seq: 2 ** 53 - 1, payload };
    expect(encode(largest).length).toBeLessThanOrEqual(2000);
    const larger = { ...largest, payload: new Uint8Array(CLASSIC_PAYLOAD_BYTES_MAX + 1) };
    expect(() => encode(larger)).toThrow("invariant");
    const ackWithData = { type: ClassicType.ack, connId: 1, seq: 1, payload: abc };
    expect(() => encode(ackWithData)).toThrow("invariant");
  });
});

describe("decodeClassicFrame", () => {
  const frame = { type: ClassicType.data, connId: 1, seq: 1, payload: abc };

  test("reads back whatever encodeClassicFrame writes", () => {
    const number = fc.maxSafeNat();
    const payload = fc.uint8Array({ maxLength: CLASSIC_PAYLOAD_BYTES_MAX });
    const type = fc.constantFrom(...Object.values(ClassicType));
    fc.assert(
      fc.property(type, number, number, payload, (type, connId, seq, payload) => {
        const sent = { type, connId, seq, payload: type === ClassicType.data ? payload : none };
        const into = new Uint8Array(2000);
        const length = encodeClassicFrame(into, sent);
        expect(decodeClassicFrame(into.subarray(0, length))).toEqual(sent);
      }),
    );
  });

  test("section 8: any order and case of keys, unknown keys, blanks", () => {
    const text = ` { "PAYLOAD" : "YWJj" , "note" : {"Type":[7,{}]} , "checksum":${40246},
      "sIZE":3,"seqnum":1,"connId":1,"type":1,"__proto__":{"Type":2}} `;
    expect(decode(text)).toEqual(frame);
  });

  test('section 8: null and "" are alike, and so is an absent payload', () => {
    const empty = { ...frame, payload: none };
    const parts = { Size: "0", Checksum: "65533" };
    expect(decode(dataText({ ...parts, Payload: "null" }))).toEqual(empty);
    expect(decode(dataText({ ...parts, Payload: '""' }))).toEqual(empty);
    expect(decode('{"Type":1,"ConnID":1,"SeqNum":1,"Checksum":65533}')).toEqual(empty);
    const ack = { type: ClassicType.ack, connId: 4, seq: 8, payload: none };
    expect(decode('{"Type":2,"ConnID":4,"SeqNum":8,"Payload":""}')).toEqual(ack);
    expect(decode('{"Type":2,"ConnID":4,"SeqNum":8,"Size":null,"Payload":null}')).toEqual(ack);
  });

  test("section 8: a payload shorter than Size is dropped", () => {
    expect(decode(dataText({ Size: "4" }))).toBe("size");
    expect(decode(dataText({ Payload: "null" }))).toBe("size");
  });

  test("section 8: a longer payload is cut to Size, then its checksum verified", () => {
    expect(decode(dataText({ Payload: `"${utf8.encode("abcdef").toBase64()}"` }))).toEqual(frame);
    const whole = classicChecksum(1, 1, 3, utf8.encode("abcdef"));
    const checksum = String(whole);
    expect(decode(dataText({ Checksum: checksum, Payload: '"YWJjZGVm"' }))).toBe("checksum");
  });

  test("section 8: a wrong checksum is dropped, on Data only", () => {
    expect(decode(dataText({ Checksum: "40247" }))).toBe("checksum");
    expect(decode(dataText({ Checksum: String(40246 + 65536) }))).toBe("checksum");
    expect(decode('{"Type":2,"ConnID":4,"SeqNum":8,"Checksum":77}')).toMatchObject({ seq: 8 });
  });

  test("section 10: a negative size is dropped, on every type", () => {
    expect(decode(dataText({ Size: "-1" }))).toBe("number");
    expect(decode('{"Type":2,"ConnID":4,"SeqNum":8,"Size":-3}')).toBe("number");
  });

  test("section 8: numbers are plain decimal integers below 2^53", () => {
    const largest = classicChecksum(1, 2 ** 53 - 1, 3, abc);
    const parts = { SeqNum: "9007199254740991", Checksum: String(largest) };
    expect(decode(dataText(parts))).toEqual({ ...frame, seq: 2 ** 53 - 1 });
    const wrong = ["9007199254740992", "9007199254740993", "1.0", "1e0", "-1", "-0", '"1"', "null"];
    for (const SeqNum of [...wrong, "true", "[1]", "{}", "1e400", "9007199254740990.9"]) {
      expect(decode(dataText({ SeqNum }))).toBe("number");
    }
    expect(decode('{"Type":2,"ConnID":4}')).toBe("number");
    expect(decode("{}")).toBe("number");
  });

  test("section 8: an unknown type is dropped", () => {
    expect(decode(dataText({ Type: "4" }))).toBe("type");
    expect(decode(dataText({ Type: "9007199254740991" }))).toBe("type");
  });

  test("a payload that is not standard base64 with padding is dropped", () => {
    for (const Payload of ['"YWI"', '"-_8="', '"YWJj!"', '"YQ="', "5", "[97]", '"YWJ="', "{}"]) {
      expect(decode(dataText({ Payload }))).toBe("payload");
    }
  });

  test("section 8: garbage is dropped", () => {
    const deep = `{"a":${"[".repeat(2000)}${"]".repeat(2000)}}`;
    const garbage = ["", "{", "[]", "null", "7", '"x"', `${dataText()}x`, `${dataText()}\0`];
    for (const text of [...garbage, "{'Type':1}", "[{}]"]) expect(decode(text)).toBe("malformed");
    expect(decodeClassicFrame(Uint8Array.of(0x7b, 0xff, 0x7d))).toBe("malformed");
    // Go's decoder takes no byte order mark either.
    expect(decode(`\ufeff${dataText()}`)).toBe("malformed");
    expect(decode(deep)).toBe("number");
    expect(decode("{".repeat(CLASSIC_DATAGRAM_BYTES_MAX + 1))).toBe("long");
  });

  test("never throws, whatever a stranger sends", () => {
    const sound = utf8.encode(dataText());
    const flips = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(flips, fc.nat(sound.length), (changes, length) => {
        const bytes = sound.slice(0, length);
        for (const [at, value] of changes) bytes[at] = value;
        decodeClassicFrame(bytes);
      }),
      { numRuns: 1000 },
    );
    fc.assert(fc.property(fc.json(), (text) => void decode(text)));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeClassicFrame(bytes)));
  });
});
