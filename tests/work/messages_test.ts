import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../base/cbor.ts";
import {
  better,
  type ClassicMessage,
  clipped,
  decodeClassic,
  decodeMessage,
  encodeClassic,
  encodeMessage,
  type Message,
  utf8Length,
} from "../../work/messages.ts";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const candidate = fc.record({ hash: uint64, nonce: uint64 });
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const maybe = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value).map((v) => (v === null ? {} : { [name]: v }));
const range = fc
  .tuple(uint64, uint64)
  .map(([a, b]) => (a < b ? { lower: a, upper: b } : { lower: b, upper: a }));
const mixed = (kind: Message["kind"], ...parts: fc.Arbitrary<object>[]): fc.Arbitrary<Message> =>
  fc.tuple(...parts).map((objects) => Object.assign({ kind }, ...objects) as Message);

const marked = fc.string({ unit: "binary", maxLength: 100 }).map((rest) => `\ufeff${rest}`);
const work = [fc.record({ message: fc.oneof(text, marked) }), range, maybe("target", uint64)];
const chunk = fc.record({ chunk: uint32 });
const job = fc.record({ job: uint32 });
const best = maybe("best", candidate);
const anyMessage = fc.oneof(
  mixed("join", fc.record({ threads: uint32, rate: fc.nat(), label: text })),
  mixed("hashing", fc.record({ threads: uint32, rate: fc.nat(), label: text, reason: text })),
  mixed("assign", chunk, ...work),
  mixed("shrink", chunk, fc.record({ upper: uint64 })),
  mixed("shrunk", chunk, fc.record({ upper: uint64 })),
  mixed("stop", chunk),
  mixed("progress", chunk, fc.record({ next: uint64 }), best),
  mixed("stopped", chunk, fc.record({ next: uint64 }), best),
  mixed("result", chunk, fc.record({ best: candidate })),
  mixed("submit", job, ...work),
  mixed("cancel", job),
  mixed(
    "status",
    job,
    fc.record({ done: uint64, jobRate: fc.nat(), fleetRate: fc.nat(), miners: uint32 }),
    best,
  ),
  mixed("answer", job, fc.record({ best: candidate, met: fc.boolean() })),
  mixed("refused", job, fc.record({ reason: text })),
);

describe("decodeMessage()", () => {
  test("gives back what encodeMessage() was given", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 3000 },
    );
  });

  test("never throws on any change of a byte", () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.nat({ max: 255 }), (message, at, byte) => {
        const bytes = encodeMessage(message);
        bytes[at % bytes.length] = byte;
        decodeMessage(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test("names what is wrong", () => {
    expect(decodeMessage(Uint8Array.of(0xff))).toBe("not a plain CBOR array");
    expect(decodeMessage(encodeCbor(7))).toBe("not a plain CBOR array");
    expect(decodeMessage(encodeCbor([99]))).toBe("unknown message type");
    expect(decodeMessage(encodeCbor([]))).toBe("unknown message type");
    expect(decodeMessage(encodeCbor([4]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, "x"]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, 1, 1]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, 2n ** 32n]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([16, 1, "m", 5n, 4n, []]))).toBe("malformed submit");
    expect(decodeMessage(encodeCbor([16, 1, "m", 5n, 6n, [1n, 2n]]))).toBe("malformed submit");
    expect(decodeMessage(encodeCbor([16, 1, "m".repeat(65_537), 5n, 6n, []]))).toBe(
      "malformed submit",
    );
    expect(decodeMessage(encodeCbor([19, 1, [1n, 2n], 2]))).toBe("malformed answer");
    expect(decodeMessage(encodeCbor([9, 1, 2, "kernel"]))).toBe("malformed hashing");
    const long = "r".repeat(257);
    expect(decodeMessage(encodeCbor([9, 1, 2, "kernel", long]))).toBe("malformed hashing");
  });
});

describe("decodeClassic()", () => {
  const request: ClassicMessage = {
    type: 1,
    data: "msg",
    lower: 0n,
    upper: 9999n,
    hash: 0n,
    nonce: 0n,
  };
  const json = (text: string) => decodeClassic(new TextEncoder().encode(text));

  test("writes the six keys in the classic order", () => {
    expect(new TextDecoder().decode(encodeClassic(request))).toBe(
      '{"Type":1,"Data":"msg","Lower":0,"Upper":9999,"Hash":0,"Nonce":0}',
    );
  });

  test("gives back what encodeClassic() was given, 64-bit exact", () => {
    const type = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
    const message = fc.record({
      type,
      data: text,
      lower: uint64,
      upper: uint64,
      hash: uint64,
      nonce: uint64,
    });
    fc.assert(fc.property(message, (m) => expect(decodeClassic(encodeClassic(m))).toEqual(m)));
  });

  test("takes Go's escapes, keys in any order and case, unknown keys, null and missing ones", () => {
    expect(
      json('{"type":1,"DATA":"\\u003ca\\u0026\\u2028","Extra":[1],"Upper":18446744073709551615}'),
    ).toEqual({
      type: 1,
      data: "<a&\u2028",
      lower: 0n,
      upper: 2n ** 64n - 1n,
      hash: 0n,
      nonce: 0n,
    });
    expect(json('{"Type":0,"Data":null,"Lower":null}')).toMatchObject({
      type: 0,
      data: "",
      lower: 0n,
    });
  });

  test("names what is wrong", () => {
    expect(json("{")).toBe("not JSON");
    expect(json("[]")).toBe("not a JSON object");
    expect(json("null")).toBe("not a JSON object");
    expect(json('{"Type":3}')).toBe("unknown message type");
    expect(json('{"Type":"1"}')).toBe("unknown message type");
    expect(json('{"Type":1,"Data":7}')).toBe("Data is not a string");
    for (const bad of ["-1", "1.5", "1e3", "18446744073709551616", '"7"', "{}"]) {
      expect(json(`{"Type":1,"Upper":${bad}}`)).toBe("a number is not an unsigned 64-bit integer");
    }
    expect(decodeClassic(Uint8Array.of(0x22, 0xff, 0x22))).toBe("not JSON");
    // Go's decoder takes no byte order mark either.
    expect(json('\ufeff{"Type":0}')).toBe("not JSON");
  });

  test("refuses Data that no UTF-8 can say, keeps all else as it is", () => {
    for (const lone of ["\\ud800", "a\\udc00b", "\\udc00\\ud800"]) {
      expect(json(`{"Type":1,"Data":"${lone}"}`)).toContain("lone surrogate");
    }
    const kept = "\ufeff\0\ufffdu\u0308\u{1f680}";
    expect(json(`{"Type":1,"Data":${JSON.stringify(kept)}}`)).toMatchObject({ data: kept });
    expect(json('{"Type":1,"Data":"\\ud83d\\ude80"}')).toMatchObject({ data: "\u{1f680}" });
  });
});

describe("clipped()", () => {
  test("keeps whole characters, a leading U+FEFF included", () => {
    expect(clipped("\ufeffaü", 5)).toBe("\ufeffa");
    expect(clipped("\ufeffaü", 6)).toBe("\ufeffaü");
    expect(clipped("\u{1f680}\u{1f680}", 7)).toBe("\u{1f680}");
    expect(clipped("", 7)).toBe("");
  });

  test("gives text that can be sent, whatever it was given", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(20), (input, bytes) => {
        const cut = clipped(`${input}\ud800`, bytes);
        expect(utf8Length(cut)).toBeLessThanOrEqual(bytes);
        expect(decodeCbor(encodeCbor(cut))).toBe(cut);
      }),
    );
  });
});

test("better() prefers the smaller hash, then the smaller nonce", () => {
  const a = { hash: 1n, nonce: 9n };
  expect(better(a, { hash: 2n, nonce: 1n })).toBe(a);
  expect(better({ hash: 1n, nonce: 10n }, a)).toBe(a);
  expect(better(undefined, a)).toBe(a);
  expect(better(a, undefined)).toBe(a);
});
