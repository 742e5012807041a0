/** Our strict CBOR reader against cbor-x, and against what it must refuse. */
import { describe, expect, test } from "bun:test";
import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";
import fc from "fast-check";
import { decodeCbor, encodeCbor, CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from "../../base/cbor.ts";

/** Datagrams that hang cbor-x, make it allocate without bound, or decode to surprises. */
const HOSTILE: Record<string, string> = {
  "a packed table that hangs cbor-x 1.6.8": "82d9dfff831affffffff81617405da5368726400",
  "a lone break": "ff",
  "an indefinite-length array": "9f01ff",
  "an indefinite-length string": "7f6161ff",
  "an empty map": "a0",
  "a date tag": "c11a514b67b0",
  "a set tag": "d9010281",
  "a record definition": "d9dfff",
  null: "f6",
  "a float": "fb3ff0000000000000",
  "a negative number": "20",
  "reserved length bits": "1c",
  "an array longer than the payload": "9bffffffffffffffff",
  "a string longer than the payload": "7affffffff61",
  "text that is not UTF-8": "62c328",
  "an overlong UTF-8 blank": "62c0a0",
  "two items": "0000",
  "a lone argument byte": "18",
  nothing: "",
};

describe("decodeCbor() rejects", () => {
  for (const [what, hex] of Object.entries(HOSTILE)) {
    test(what, () => {
      expect(decodeCbor(Uint8Array.fromHex(hex))).toBeUndefined();
    });
  }

  test("arrays deeper than the limit, and takes those at it", () => {
    const nested = (depth: number) =>
      Uint8Array.from({ length: depth + 1 }, (_, i) => (i < depth ? 0x81 : 0));
    expect(decodeCbor(nested(CBOR_DEPTH_MAX))).toEqual([[[[0]]]]);
    expect(decodeCbor(nested(CBOR_DEPTH_MAX + 1))).toBeUndefined();
  });

  test("more items than the limit, and takes those at it", () => {
    const flat = (items: number) =>
      new Encoder({ useRecords: false }).encode(Array(items - 1).fill(7));
    expect(decodeCbor(flat(CBOR_ITEMS_MAX))).toHaveLength(CBOR_ITEMS_MAX - 1);
    expect(decodeCbor(flat(CBOR_ITEMS_MAX + 1))).toBeUndefined();
  });
});

describe("text", () => {
  // Regression: cbor-x, without its native addon, dropped the mark from more than 64 bytes.
  test.each([61, 62, 1000])("keeps a leading U+FEFF before %d more bytes", (length) => {
    const text = `\ufeff${"a".repeat(length)}`;
    expect(decodeCbor(encodeCbor([text]))).toEqual([text]);
  });

  test("is the same text back, NUL, decomposed letters and U+FFFD included", () => {
    for (const text of ["a\0b", "u\u0308", "\u00fc", "\ufffd", "\u{10ffff}", "\ufeff", "\r\n"]) {
      for (const long of [text, text.repeat(100)]) {
        expect(decodeCbor(encodeCbor(long))).toBe(long);
        expect(Buffer.from(encodeCbor(long)).includes(new TextEncoder().encode(long))).toBe(true);
      }
    }
  });

  test("with a lone surrogate is not written, for it would be read as another", () => {
    for (const text of ["\ud800", "a\udc00", `${"m".repeat(100)}\ud800`]) {
      expect(() => encodeCbor([1, [text]])).toThrow("well-formed");
    }
  });
});

test("decodeCbor() reads what cbor-x reads, of all that it takes", () => {
  const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
  const byte = fc.oneof(fc.constantFrom(0x00, 0x18, 0x1b, 0x41, 0x62, 0x81, 0x83), fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 40 }), (numbers) => {
      const bytes = Uint8Array.from(numbers);
      const value = decodeCbor(bytes);
      if (value !== undefined) expect(value).toEqual(decoder.decode(bytes));
    }),
    { numRuns: 20_000 },
  );
});

test("decodeCbor() gives back what encodeCbor() was given", () => {
  const leaf = fc.oneof(
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.nat(),
    fc.string({ unit: "binary" }),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(leaf, fc.array(leaf, { maxLength: 5 })), { maxLength: 20 }),
      (value) => {
        const back = decodeCbor(encodeCbor(value as never));
        expect(JSON.stringify(back, plain)).toBe(JSON.stringify(value, plain));
      },
    ),
  );
});

test("encodeCbor() gives memory of its own, however large the value, in any order", () => {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
  const values = [0, 1, 4095, 4096, 5000, 65_536, 3, 300_000, 4096].map((length) => [
    7,
    bytes(length),
    "größer".repeat(length / 100),
    [bytes(length >> 1)],
  ]);
  const written = values.map((value) => encodeCbor(value));
  for (const [i, value] of values.entries()) {
    expect(decodeCbor(written[i]!)).toEqual(value);
    expect(written[i]!.constructor).toBe(Uint8Array);
    // As cbor-x writes it elsewhere.
    const plainly = new Encoder({ useRecords: false, tagUint8Array: false }).encode(value);
    expect(Buffer.compare(written[i]!, plainly)).toBe(0);
  }
});

test("decodeCbor() never throws, and what it takes encodes to the same value again", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const value = decodeCbor(bytes);
      if (value === undefined) return;
      const again = decodeCbor(encodeCbor(value));
      expect(JSON.stringify(again, plain)).toBe(JSON.stringify(value, plain));
    }),
    { numRuns: 20_000 },
  );
});

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`;
  return value instanceof Uint8Array
    ? value.toHex()
    : typeof value === "number"
      ? `${value}`
      : value;
}
