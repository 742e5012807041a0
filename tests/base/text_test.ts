/** Strangers' words, cut to a length without harm. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../base/cbor.ts";
import { clipped, oneLine, utf8Length } from "../../base/text.ts";

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

test("oneLine() keeps a stranger's text from steering the terminal", () => {
  expect(oneLine("a\x1b[2Jb\r\nc\u2028d\u202ee")).toBe("a [2Jb c d e");
});
