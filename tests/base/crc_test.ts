/** CRC-32C against the vectors of its standard, and a twin that works bit by bit. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32c } from "../../base/crc.ts";

/** The definition: polynomial division, one bit at a time. */
function bitByBit(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("crc32c: the vectors of RFC 3720, appendix B.4, and the check value", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(ascending), 0x46dd794e);
  assertEquals(crc32c(ascending.toReversed()), 0x113fdb5c);
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

test("crc32c: equals the definition, in one piece and in two", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
      const middle = Math.min(cut, bytes.length);
      const before = crc32c(bytes, 0, middle);
      assertEquals(crc32c(bytes), bitByBit(bytes));
      assertEquals(crc32c(bytes, middle, bytes.length, before), bitByBit(bytes));
    }),
  );
});
