/** Messages: what is copied is what encoding and decoding gives; what cannot be told, and where. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  MESSAGE_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MessageError,
} from "../../actors/mod.ts";
import { copyMessage } from "../../actors/copy.ts";

/** Through bytes. */
function recoded(message: Message): Message {
  const decoded = decodeMessage(encodeMessage(message));
  assert(decoded !== undefined, "what was encoded can be decoded");
  return decoded.message;
}

/** Both ways that a message may take. */
const WAYS = { copied: copyMessage, recoded } as const;

/** So many arrays in each other. */
function nested(depth: number): Message {
  let message: Message = [];
  for (let i = 1; i < depth; i++) message = [message];
  return message;
}

/** An array of that length with nothing in it. */
function holes(length: number): Message[] {
  const array: Message[] = [];
  array.length = length;
  return array;
}

const text = fc.string({ unit: "binary" });
const { message: anyMessage } = fc.letrec<{ message: Message }>((tie) => ({
  message: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.double(),
    fc.maxSafeInteger(),
    fc.bigInt(),
    text,
    fc.boolean(),
    fc.constantFrom(null, undefined, -0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32, -25, 2 ** 53),
    fc.uint8Array(),
    fc.array(tie("message"), { maxLength: 8 }),
    fc.dictionary(fc.oneof(text, fc.constant("__proto__")), tie("message"), { maxKeys: 8 }),
  ),
}));

describe("a message", () => {
  test("comes out as it went in, of the same types, by either way", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const plain = WAYS.copied(message);
        assertEquals(WAYS.recoded(message), plain);
        assertEquals(encodeMessage(plain), encodeMessage(message));
        // An object without a prototype comes out as a plain one; nothing else changes.
        assertEquals(structuredClone(plain), structuredClone(message));
      }),
      { numRuns: 400, seed: 7 },
    );
  });

  for (const [way, through] of Object.entries(WAYS)) {
    test(`${way}: numbers keep their kind`, () => {
      const numbers = [0, -0, 1, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53 - 1, -(2 ** 53 - 1)];
      for (const number of [...numbers, 2 ** 53, 2 ** 64, 5e-324, 24, 256, 65_536, 2 ** 32]) {
        assert(Object.is(through(number), number), String(number));
      }
      for (const number of [0n, -1n, 1n << 64n, -(1n << 64n), (1n << 700n) + 1n, 255n, -256n]) {
        assertEquals(through(number), number);
      }
    });

    test(`${way}: nothing is shared`, () => {
      const bytes = new Uint8Array([1, 2, 3]);
      const message = { bytes, list: [{ deep: [1] }] };
      const got = through(message) as typeof message;
      assertEquals(got, message);
      bytes[0] = 9;
      message.list[0]!.deep.push(2);
      assertEquals(got, { bytes: new Uint8Array([1, 2, 3]), list: [{ deep: [1] }] });
      assert(got.bytes.buffer.byteLength === 3, "bytes of its own");
    });

    test(`${way}: a Buffer becomes bytes, a hole undefined, __proto__ a field`, () => {
      const got = through([Buffer.from("ab"), holes(1)]) as Message[];
      assertEquals((got[0] as object).constructor, Uint8Array);
      assertEquals(got[1], [undefined]);
      const message = JSON.parse('{"__proto__": {"x": 1}}') as Message;
      const fields = through(message) as Record<string, Message>;
      assertEquals(Object.keys(fields), ["__proto__"]);
      assertEquals(Object.getPrototypeOf(fields), Object.prototype);
    });

    test(`${way}: what cannot be told is refused, with its path`, () => {
      const cyclic: Message[] = [];
      cyclic.push(cyclic);
      const cases: readonly [unknown, string, RegExp][] = [
        [() => 1, "$", /function/],
        [[1, Symbol("x")], "$[1]", /symbol/],
        [{ when: new Date(0) }, "$.when", /Date/],
        [{ a: [{ "b c": new Map() }] }, '$.a[0]["b c"]', /Map/],
        [{ set: new Set() }, "$.set", /Set/],
        [{ list: new Float64Array(1) }, "$.list", /Float64Array/],
        [[new Error("x")], "$[0]", /Error/],
        [["\ud800"], "$[0]", /lone surrogate/],
        [{ ["\ud800"]: 1 }, "$", /key/],
        [{ ["x".repeat(30) + "\udc00"]: 1 }, "$", /key/],
        [["y".repeat(40) + "\udc00"], "$[0]", /lone surrogate/],
        [[new (class Point {})()], "$[0]", /Point/],
        [cyclic, `$${"[0]".repeat(38)}[0...`, /stands in 64 others/],
        ["x".repeat(MESSAGE_BYTES_MAX), "$", /more than 1048576 bytes/],
        [new Uint8Array(MESSAGE_BYTES_MAX), "$", /more than 1048576 bytes/],
        [holes(MESSAGE_BYTES_MAX + 1), "$", /more than 1048576 bytes/],
        [holes(2 ** 31), "$", /more than 1048576 bytes/],
        [1n << BigInt(8 * MESSAGE_BYTES_MAX), "$", /more than 1048576 bytes/],
        ["\u00e9".repeat(MESSAGE_BYTES_MAX / 2), "$", /more than 1048576 bytes/],
      ];
      for (const [value, path, why] of cases) {
        const error = assertThrows(() => through(value as Message), MessageError);
        assertEquals(error.path, path);
        assert(why.test(error.message), error.message);
        assert(error.message.startsWith(`Cannot tell ${path}: `), error.message);
        assert(!error.message.includes("\n") && error.message.length < 250, error.message);
      }
    });

    test(`${way}: what is just small enough passes`, () => {
      const largest = new Uint8Array(MESSAGE_BYTES_MAX - 5);
      assertEquals((through(largest) as Uint8Array).length, largest.length);
      assertEquals(through("x".repeat(MESSAGE_BYTES_MAX - 5)), "x".repeat(MESSAGE_BYTES_MAX - 5));
      // More than a guess by the length of the text would allow.
      const accents = "\u00e9".repeat(MESSAGE_BYTES_MAX / 2 - 3);
      assertEquals(through(accents), accents);
      assertEquals(through(nested(MESSAGE_DEPTH_MAX)), nested(MESSAGE_DEPTH_MAX));
      assertThrows(() => through(nested(MESSAGE_DEPTH_MAX + 1)), MessageError, "stands in 64");
    });
  }

  test("a large one among small ones is whole: where it is written has to grow", () => {
    for (const size of [5000, 10, 100_000, 4096, 4095, 70_000, 1, 300_000, 5000]) {
      const message = {
        size,
        bytes: new Uint8Array(size).fill(size & 0xff),
        text: "y".repeat(size),
      };
      assertEquals(recoded(message), message);
    }
  });

  test("is read strictly: what was not written by us is no message", () => {
    const cases: Readonly<Record<string, string>> = {
      nothing: "",
      "two items": "0102",
      "half a number": "19ff",
      "half a text": "6361",
      "half an array": "8201",
      "half a map": "a26161",
      "a key that is a number": "a10101",
      "an indefinite length": "9f01ff",
      "a half float": "f93c00",
      "a single float": "fa3f800000",
      "a tag of another kind": "c001",
      "a bignum of no bytes string": "c201",
      "a number that is not safe": "1b0020000000000000",
      "a negative number that is not safe": "3b001fffffffffffff",
      "text that is no UTF-8": "62c328",
      "an unknown simple value": "f8ff",
      "a break alone": "ff",
      "a length of 2^64": "5bffffffffffffffff",
    };
    for (const [what, hex] of Object.entries(cases)) {
      assertEquals(decodeMessage(Uint8Array.fromHex(hex)), undefined, what);
    }
    assertEquals(decodeMessage(new Uint8Array(MESSAGE_BYTES_MAX + 1).fill(0x80)), undefined);
    const deep = new Uint8Array(10_000).fill(0x81);
    assertEquals(decodeMessage(deep), undefined);
  });

  test("reading never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeMessage(bytes);
        if (decoded !== undefined) encodeMessage(decoded.message);
      }),
      { numRuns: 3000, seed: 11 },
    );
  });

  test("a name that was read before is found by its bytes, and by nothing else", () => {
    // The name "dbÀ", and bytes that are its three characters, and no UTF-8: they share a place.
    assert(decodeMessage(Uint8Array.fromHex("a1646462c38001")) !== undefined);
    assertEquals(decodeMessage(Uint8Array.fromHex("a1636462c001")), undefined);
    for (let i = 0; i < 3000; i++)
      assertEquals(recoded({ [`${i}é`]: i, [i]: 0 }), { [`${i}é`]: i, [i]: 0 });
  });

  test("long text keeps a U+FEFF at its beginning", () => {
    for (const length of [1, 20, 100]) {
      const marked = `\ufeff${"x".repeat(length)}`;
      assertEquals(recoded(marked), marked);
    }
  });
});
