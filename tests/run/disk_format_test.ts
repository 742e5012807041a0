/** The bytes on disk are those of docs/storage.md. A change of them is a new format. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { crc32c } from "../../base/crc.ts";
import {
  decodeSegmentHeader,
  decodeSnapshotEnd,
  encodeBatch,
  encodeSegmentHeader,
  encodeSnapshotEnd,
} from "../../run/disk_format.ts";
import { ownerText } from "../../run/disk_owner.ts";
import { bytesOf, textOf } from "../support/disks.ts";

/** Puts a file together as the document tells it. */
class Writer {
  readonly #parts: number[] = [];

  text(text: string): this {
    this.#parts.push(...bytesOf(text));
    return this;
  }

  number(bytes: 4 | 8, value: number): this {
    for (let i = 0; i < bytes; i++) this.#parts.push(Math.floor(value / 256 ** i) % 256);
    return this;
  }

  zeros(to: number): this {
    while (this.#parts.length < to) this.#parts.push(0);
    return this;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}

/** The CRC of `bytes` without the four at `hole`. */
function crcAround(bytes: Uint8Array, hole: number): number {
  return crc32c(Uint8Array.from([...bytes.slice(0, hole), ...bytes.slice(hole + 4)]));
}

function withNumber(bytes: Uint8Array, at: number, value: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(at, value, true);
  return bytes;
}

describe("the format on disk", () => {
  const header = {
    number: 3,
    size: 2 ** 33,
    firstBatch: 2 ** 40 + 1,
    next: 77,
    salt: 0xfedc_ba98,
    meta: bytesOf("meta!"),
  };

  test("a segment's header", () => {
    const written = new Writer().text("mlodelog").number(4, 1).number(4, 0).number(4, 72);
    written
      .number(4, 6)
      .number(8, 3)
      .number(8, 2 ** 40 + 1)
      .number(8, 77)
      .number(8, 2 ** 33);
    written.number(4, 0xfedc_ba98).zeros(64).text("meta!").zeros(72);
    const { bytes } = written;
    assertEquals(encodeSegmentHeader(header), withNumber(bytes, 12, crcAround(bytes, 12)));
    assertEquals(decodeSegmentHeader(encodeSegmentHeader(header)), header);
  });

  test("a batch", () => {
    const records = [bytesOf("one"), bytesOf("")];
    const stores = [
      { kind: "store", token: 9, log: { at: 5, records } },
      { kind: "store", token: 10, meta: bytesOf("m") },
    ] as const;
    const written = new Writer().zeros(8).number(4, 76).number(4, 2).number(8, 6).zeros(32);
    written.number(8, 5).number(4, 2).number(4, 0).number(4, 3).number(4, 0).text("one");
    written.number(8, 0).number(4, 0).number(4, 2).text("m");
    const expected = written.bytes;
    assertEquals(expected.length, 76);
    withNumber(expected, 0, 0xb17c_4a9e);
    withNumber(expected, 24, crc32c(expected, 32, 76, header.salt));
    withNumber(expected, 4, crc32c(expected, 8, 32, header.salt));
    const into = new Uint8Array(100).fill(0xff);
    assertEquals(encodeBatch(into, stores, 6, header.salt), 80);
    assertEquals(into.slice(0, 76), expected);
    assertEquals(into.slice(76, 81), Uint8Array.of(0, 0, 0, 0, 0xff));
  });

  test("the end of a snapshot", () => {
    const about = bytesOf("of term 7");
    const footer = { index: 42, size: 7, checksum: 0x1234_5678, firstBatch: 3, logFrom: 40, about };
    const written = new Writer().text("of term 7mlodesna").number(4, 1).number(4, 0);
    written.number(4, 0x1234_5678).number(4, 10).number(8, 42).number(8, 7).number(8, 3);
    const { bytes } = written.number(8, 40).zeros(9 + 64);
    const expected = withNumber(bytes, 9 + 12, crcAround(bytes, 9 + 12));
    assertEquals(encodeSnapshotEnd(footer), expected);
    assertEquals(decodeSnapshotEnd(Uint8Array.from([...bytesOf("content"), ...expected])), footer);
    const plain = { ...footer, about: undefined };
    assertEquals(encodeSnapshotEnd(plain).length, 64);
    assertEquals(decodeSnapshotEnd(encodeSnapshotEnd(plain)), plain);
  });

  test("the owner's text", () => {
    const text = ownerText({ kind: "raft", id: "group 1, node 2" });
    const lines = "motherlode disk format 1\nkind raft\nid group 1, node 2\n";
    const checksum = crc32c(bytesOf(lines)).toString(16).padStart(8, "0");
    assertEquals(text, `${lines}checksum ${checksum}\n`);
  });

  test("a newer one is named, with the one that is known", () => {
    const bytes = withNumber(encodeSegmentHeader(header), 8, 2);
    assertStringIncludes(String(decodeSegmentHeader(bytes)), "it has format 2, known is 1");
    assertEquals(textOf(bytes.subarray(0, 8)), "mlodelog");
  });
});
