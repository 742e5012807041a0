/** Fields: what is written is read, and nothing else passes. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../base/cbor.ts";
import { COUNT_MAX, FieldReader, FieldWriter } from "../../base/fields.ts";
import { InvariantError } from "../../base/machine.ts";

const UINT64_MAX = 2n ** 64n - 1n;
const uint64 = fc.bigInt({ min: 0n, max: UINT64_MAX });
const anything = fc.record({
  count: fc.nat({ max: COUNT_MAX }),
  number: uint64,
  real: fc.double({ min: 0, max: 2 ** 53, noNaN: true }),
  isSet: fc.boolean(),
  text: fc.string({ unit: "grapheme", maxLength: 20 }),
  pair: fc.tuple(uint64, uint64),
  perhaps: fc.option(uint64, { nil: undefined }),
});
type Anything = typeof anything extends fc.Arbitrary<infer T> ? T : never;

function write(value: Anything): Uint8Array {
  const fields = new FieldWriter().count(value.count).uint64(value.number).rounded(value.real);
  fields.flag(value.isSet).text(value.text);
  fields.array((inner) => inner.uint64(value.pair[0]).uint64(value.pair[1]));
  fields.optional(value.perhaps, (inner, number) => inner.uint64(number));
  return encodeCbor(fields.values);
}

function read(fields: FieldReader): Anything {
  return {
    count: fields.count(),
    number: fields.uint64(),
    real: fields.rounded(),
    isSet: fields.flag(),
    text: fields.text(80),
    pair: fields.array((inner) => [inner.uint64(), inner.uint64()]),
    perhaps: fields.optional((inner) => inner.uint64()),
  };
}

const readerOf = (...values: (number | bigint | string | bigint[])[]): FieldReader =>
  FieldReader.of(decodeCbor(encodeCbor(values)))!;

describe("FieldReader", () => {
  test("gives back what FieldWriter was given, real numbers rounded", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const fields = FieldReader.of(decodeCbor(write(value)))!;
        assertEquals(read(fields), { ...value, real: Math.round(value.real) });
        assert(fields.isGood);
      }),
      { numRuns: 2000 },
    );
  });

  test("is of arrays only", () => {
    assertEquals(FieldReader.of(7), undefined);
    assertEquals(FieldReader.of(new Uint8Array(1)), undefined);
    assertEquals(FieldReader.of(undefined), undefined);
  });

  test("is no good when a field is missing, or one was left unread", () => {
    const short = readerOf(1);
    assertEquals([short.count(), short.count(), short.isGood], [1, 0, false]);
    const long = readerOf(1, 2);
    assertEquals([long.count(), long.isGood], [1, false]);
  });

  test("is no good when a field is of another type, or out of bounds", () => {
    const wrongs: [FieldReader, (fields: FieldReader) => unknown, unknown][] = [
      [readerOf("1"), (f) => f.count(), 0],
      [readerOf(256), (f) => f.count(255), 0],
      [readerOf(2n ** 32n), (f) => f.count(), 0],
      [readerOf("1"), (f) => f.uint64(), 0n],
      [readerOf(2), (f) => f.flag(), false],
      [readerOf(7), (f) => f.text(9), ""],
      [readerOf("éé"), (f) => f.text(3), ""],
      [readerOf(7), (f) => f.array((inner) => inner.uint64()), 0n],
      [readerOf([1n, 2n]), (f) => f.array((inner) => inner.uint64()), 1n],
      [readerOf([1n, 2n]), (f) => f.optional((inner) => inner.uint64()), 1n],
      [readerOf(7), (f) => f.optional((inner) => inner.uint64()), undefined],
    ];
    for (const [fields, take, instead] of wrongs) {
      assertEquals([take(fields), fields.isGood], [instead, false]);
    }
  });

  test("stays no good, whatever is read after that", () => {
    const fields = readerOf("x", 5, 6);
    fields.count();
    assertEquals([fields.count(), fields.count(), fields.isGood], [5, 6, false]);
    const rejected = readerOf(1);
    rejected.reject();
    assertEquals([rejected.count(), rejected.isGood], [1, false]);
  });
});

describe("FieldWriter", () => {
  test("throws on numbers that have no place on the wire", () => {
    const wrongs: ((fields: FieldWriter) => unknown)[] = [
      (f) => f.count(-1),
      (f) => f.count(1.5),
      (f) => f.count(2 ** 32),
      (f) => f.uint64(-1n),
      (f) => f.uint64(2n ** 64n),
      (f) => f.rounded(-1),
      (f) => f.rounded(Number.NaN),
    ];
    for (const write of wrongs) assertThrows(() => write(new FieldWriter()), InvariantError);
  });

  test("rounds to the nearest whole number, and at most to the largest of 64 bits", () => {
    const rounded = [0, 0.4, 0.6, 2 ** 53, 2 ** 64, 1e30, Infinity].flatMap(
      (value) => new FieldWriter().rounded(value).values,
    );
    assertEquals(rounded, [0n, 0n, 1n, 2n ** 53n, UINT64_MAX, UINT64_MAX, UINT64_MAX]);
  });
});
