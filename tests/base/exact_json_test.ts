/** Exact JSON: what Go's encoder writes, and what JSON.parse would quietly change. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { readExactObject } from "../../base/exact_json.ts";

const utf8 = new TextEncoder();
const read = (text: string) => readExactObject(utf8.encode(text), new Set(["a", "seqnum"]));
const valueOf = (text: string): unknown => {
  const members = read(`{"a":${text}}`);
  return typeof members === "string" ? members : members.a;
};

describe("readExactObject", () => {
  test("gives any whole number of 64 bits as it was written", () => {
    const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(fc.property(uint64, (n) => assertEquals(BigInt(valueOf(`${n}`) as number), n)));
    assertEquals(valueOf("9007199254740991"), Number.MAX_SAFE_INTEGER);
    assertEquals(valueOf("9007199254740992"), 2n ** 53n);
    assertEquals(valueOf("9007199254740993"), 2n ** 53n + 1n);
    assertEquals(valueOf("18446744073709551615"), 2n ** 64n - 1n);
  });

  test("gives NaN for every other number", () => {
    for (const text of ["-1", "-0", "1.0", "1.5", "1e0", "1E3", "1e400", "1".repeat(21)]) {
      assertEquals(valueOf(text), Number.NaN, text);
    }
  });

  test("leaves all else alone, also inside", () => {
    assertEquals(valueOf('"12345678901234567890"'), "12345678901234567890");
    assertEquals(valueOf("null"), undefined);
    assertEquals(valueOf("[true, 7, 1.5]"), [true, 7, Number.NaN]);
  });

  test("reads every text as a reader does that looks at each number", () => {
    const exact = (_key: string, value: unknown, { source = "" } = {}): unknown => {
      if (typeof value !== "number") return value;
      if (!/^\d{1,20}$/.test(source)) return Number.NaN;
      return Number.isSafeInteger(value) ? value : BigInt(source);
    };
    const odd = ["-0", "-7", "0.5", "1e0", "1E+2", "9007199254740991", "9007199254740992", "0e1"];
    const string = fc.oneof(fc.string(), fc.constantFrom(":-1", "[1.5", ",1e0", '": 12'));
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(...odd, "true", "null", "0", "123456789012345", "1234567890123456"),
        fc.nat().map(String),
        string.map((text) => JSON.stringify(text)),
        fc.array(tie("value"), { maxLength: 3 }).map((items) => `[ ${items.join(" ,\n")}]`),
        tie("value").map((inner) => `{"b":\t${inner}}`),
      ),
    }));
    fc.assert(
      fc.property(value, (text) => {
        const reviver = exact as (key: string, value: unknown) => unknown;
        assertEquals(valueOf(text), JSON.parse(text, reviver) ?? undefined, text);
      }),
      { numRuns: 1000 },
    );
  });

  test("takes keys in any case, of several the last, and no others", () => {
    const text = '{"SeqNum":1,"SEQNUM":2,"b":3,"__proto__":{"a":4},"constructor":5}';
    assertEquals(read(text), { seqnum: 2 });
    assertEquals(read('{"a":7,"A":null}'), { a: undefined });
  });

  test("says why there is no object", () => {
    for (const text of ["", "{", "{}{}", "\ufeff{}", "{'a':1}", '{"a":01}']) {
      assertEquals(read(text), "not JSON", text);
    }
    for (const text of ["[]", "null", "7", '"{}"']) assertEquals(read(text), "not a JSON object");
    const broken = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d);
    assertEquals(readExactObject(broken, new Set<string>()), "not JSON");
  });
});
