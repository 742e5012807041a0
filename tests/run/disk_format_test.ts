/** The bytes on disk are those of docs/storage.md. A change of them is a new format. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "../../base/crc.ts";
import type { StoredState } from "../../base/store.ts";
import { openDisk } from "../../run/disk.ts";
import { encodeBatch, findBatch, visitItems } from "../../run/disk_batches.ts";
import {
  decodeSegmentHeader,
  decodeSnapshotEnd,
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

  number(bytes: 1 | 4 | 8, value: number): this {
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
    const written = new Writer().text("mlodelog").number(4, 2).number(4, 0).number(4, 72);
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

  const stores = [
    { kind: "store", token: 9, log: { at: 300, records: [bytesOf("one"), bytesOf("")] } },
    { kind: "store", token: 10, meta: bytesOf("m") },
  ] as const;

  /** What is found in a batch that lies at the beginning of a segment. */
  function found(bytes: Uint8Array): unknown[] {
    const segment = new Uint8Array(400);
    segment.set(bytes);
    const view = new DataView(segment.buffer);
    const batch = findBatch(segment, view, 0, header.salt, 6);
    const items: unknown[] = [batch?.end, batch?.sequence];
    const text = (start: number, length: number): string =>
      textOf(segment.subarray(start, start + length));
    visitItems(segment, view, batch!, {
      meta: (start, length) => items.push(`meta ${text(start, length)}`),
      log: (at) => items.push(at),
      record: (start, length) => items.push(text(start, length)),
    });
    return items;
  }

  test("a batch", () => {
    const written = new Writer().zeros(8).number(4, 38).number(4, 0).number(8, 6);
    written.number(1, 2).number(1, 0xac).number(1, 2).number(1, 2).number(1, 0);
    written.number(1, 3).number(1, 0).text("one");
    written.number(1, 0).number(1, 0).number(1, 2).text("m");
    const expected = written.bytes;
    assertEquals(expected.length, 38);
    withNumber(expected, 0, 0xb27c_4a9e);
    withNumber(expected, 12, crc32c(expected, 24, 38, header.salt));
    withNumber(expected, 4, crc32c(expected, 8, 24, header.salt));
    const into = new Uint8Array(100).fill(0xff);
    assertEquals(encodeBatch(into, stores, 6, header.salt), 40);
    assertEquals(into.slice(0, 38), expected);
    assertEquals(into.slice(38, 41), Uint8Array.of(0, 0, 0xff));
    assertEquals(found(expected), [40, 6, 300, "one", "", "meta m"]);
  });

  /** A batch as format 1 had it. */
  function formerBatch(at: number): Uint8Array {
    const written = new Writer().zeros(8).number(4, 76).number(4, 2).number(8, 6).zeros(32);
    written.number(8, at).number(4, 2).number(4, 0).number(4, 3).number(4, 0).text("one");
    written.number(8, 0).number(4, 0).number(4, 2).text("m");
    const { bytes } = written;
    withNumber(bytes, 0, 0xb17c_4a9e);
    withNumber(bytes, 24, crc32c(bytes, 32, 76, header.salt));
    return withNumber(bytes, 4, crc32c(bytes, 8, 32, header.salt));
  }

  test("a batch of the format before", () => {
    assertEquals(found(formerBatch(300)), [80, 6, 300, "one", "", "meta m"]);
  });

  test("a directory of the format before is read, goes on, and is of this format then", async () => {
    const directory = mkdtempSync(join(tmpdir(), "motherlode-format-"));
    try {
      const begin = { ...header, number: 1, size: 16 << 10, firstBatch: 6, next: 1 };
      const segment = new Uint8Array(begin.size);
      segment.set(withNumber(encodeSegmentHeader(begin), 8, 1));
      withNumber(segment, 12, crcAround(segment.slice(0, 72), 12));
      segment.set(formerBatch(1), 72);
      writeFileSync(join(directory, "log-0000000001"), segment);
      const lines = "motherlode disk format 1\nkind toy\nid one\n";
      const checksum = crc32c(bytesOf(lines)).toString(16).padStart(8, "0");
      writeFileSync(join(directory, "owner"), `${lines}checksum ${checksum}\n`);
      const options = { directory, kind: "toy", id: "one", segmentBytes: begin.size };
      const first = openDisk(options);
      const texts = ({ records }: StoredState): string[] =>
        Array.from({ length: records.next - records.first }, (_, i) => {
          return textOf(records.at(records.first + i));
        });
      assertEquals(texts(first.state), ["one", ""]);
      assertEquals(first.state.meta, bytesOf("m"));
      const stored = Promise.withResolvers<void>();
      first.disk.start((input) => input.kind === "stored" && stored.resolve());
      const log = { at: 3, records: [bytesOf("three")] };
      first.disk.handle({ kind: "store", token: 1, log });
      await stored.promise;
      await first.disk.close();
      const owner = readFileSync(join(directory, "owner"), "utf8");
      assertStringIncludes(owner, "motherlode disk format 2\n");
      const second = openDisk(options);
      assertEquals(texts(second.state), ["one", "", "three"]);
      await second.disk.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("the end of a snapshot", () => {
    const about = bytesOf("of term 7");
    const footer = { index: 42, size: 7, checksum: 0x1234_5678, firstBatch: 3, logFrom: 40, about };
    const written = new Writer().text("of term 7mlodesna").number(4, 2).number(4, 0);
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
    const lines = "motherlode disk format 2\nkind raft\nid group 1, node 2\n";
    const checksum = crc32c(bytesOf(lines)).toString(16).padStart(8, "0");
    assertEquals(text, `${lines}checksum ${checksum}\n`);
  });

  test("a newer one is named, with the one that is known", () => {
    const bytes = withNumber(encodeSegmentHeader(header), 8, 3);
    assertStringIncludes(String(decodeSegmentHeader(bytes)), "it has format 3, known is 2");
    assertEquals(textOf(bytes.subarray(0, 8)), "mlodelog");
  });
});
