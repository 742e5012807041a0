/** The classic protocol's JSON messages, read and written. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type ClassicMessage,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "grapheme", maxLength: 8 });

describe("decodeClassicMessage()", () => {
  const request: ClassicMessage = {
    type: 1,
    data: "msg",
    lower: 0n,
    upper: 9999n,
    hash: 0n,
    nonce: 0n,
  };
  const json = (text: string) => decodeClassicMessage(new TextEncoder().encode(text));

  test("writes the six keys in the classic order", () => {
    expect(new TextDecoder().decode(encodeClassicMessage(request))).toBe(
      '{"Type":1,"Data":"msg","Lower":0,"Upper":9999,"Hash":0,"Nonce":0}',
    );
  });

  test("gives back what encodeClassicMessage() was given, 64-bit exact", () => {
    const type = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
    const message = fc.record({
      type,
      data: text,
      lower: uint64,
      upper: uint64,
      hash: uint64,
      nonce: uint64,
    });
    fc.assert(
      fc.property(message, (m) => expect(decodeClassicMessage(encodeClassicMessage(m))).toEqual(m)),
    );
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
    expect(decodeClassicMessage(Uint8Array.of(0x22, 0xff, 0x22))).toBe("not JSON");
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
