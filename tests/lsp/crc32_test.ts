/**
 * The checksum against the standard's check value, Bun's native code, and a bit-by-bit twin.
 *
 * @module
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { crc32 } from "../../lsp/crc32.ts";
import { crc32Native } from "../../lsp/crc32_native.ts";

/** The definition: polynomial division, one bit at a time. */
function bitByBit(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("crc32: the check value of the nine digits, and of nothing", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test("crc32: equals the definition and Bun.hash.crc32 at every length up to 300", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 167) ^ (i >> 3));
  for (let length = 0; length <= 300; length++) {
    const part = bytes.subarray(0, length);
    expect(crc32(part)).toBe(bitByBit(part));
    expect(crc32(part)).toBe(Bun.hash.crc32(part));
  }
});

test("crc32 and crc32Native: any slice after any beginning", () => {
  const length = { minLength: 0, maxLength: 1300 };
  fc.assert(
    fc.property(fc.uint8Array(length), fc.nat(1300), fc.nat(1300), (bytes, x, y) => {
      const [start, end] = [Math.min(x, y, bytes.length), Math.min(Math.max(x, y), bytes.length)];
      const before = crc32(bytes, 0, start);
      expect(crc32(bytes, start, end, before)).toBe(crc32(bytes.subarray(0, end)));
      expect(crc32Native(bytes, start, end, before)).toBe(crc32(bytes, start, end, before));
    }),
  );
});

test("crc32Native: a whole datagram, whose checksum counts for nothing and stays", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 1300 }), (bytes) => {
      bytes[0] = 0xd1;
      bytes[1] = 0;
      const before = crc32(bytes, 0, 2);
      const copy = bytes.slice();
      expect(crc32Native(bytes, 6, bytes.length, before)).toBe(crc32(copy, 6, copy.length, before));
      expect(bytes).toEqual(copy);
    }),
  );
});
