/** Telling a torn tail from damage, on segments that are put together by hand. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Store } from "../../base/store.ts";
import { DiskError } from "../../run/disk_errors.ts";
import { aligned, BATCH_HEADER_BYTES, encodeBatch, itemBytes } from "../../run/disk_batches.ts";
import { encodeSegmentHeader, type SnapshotFooter } from "../../run/disk_format.ts";
import { recover, type Recovered, segmentFile } from "../../run/disk_recovery.ts";
import { bytesOf, textsOf } from "../support/disks.ts";

const SIZE = 16 << 10;
const SALT = 0x1234_5678;
const SECTOR = 512;

function record(at: number, ...texts: string[]): Store {
  return { kind: "store", token: at, log: { at, records: texts.map(bytesOf) } };
}

function batch(store: Store, sequence: number, salt = SALT): Uint8Array {
  const into = new Uint8Array(aligned(BATCH_HEADER_BYTES + itemBytes(store)));
  return into.subarray(0, encodeBatch(into, [store], sequence, salt));
}

/** A segment with these batches, and where each begins and the last one ends. */
function segment(
  batches: readonly Uint8Array[],
  header: { number?: number; firstBatch?: number; next?: number } = {},
): { file: string; bytes: Uint8Array; starts: number[] } {
  const { number = 1, firstBatch = 1, next = 1 } = header;
  const bytes = new Uint8Array(SIZE);
  const meta = undefined;
  bytes.set(encodeSegmentHeader({ number, firstBatch, next, size: SIZE, salt: SALT, meta }));
  const starts = [64];
  for (const each of batches) {
    bytes.set(each, starts.at(-1));
    starts.push(starts.at(-1)! + each.length);
  }
  return { file: segmentFile(number), bytes, starts };
}

function snapshotAt(index: number): SnapshotFooter {
  const logFrom = index + 1;
  return { index, size: 0, checksum: 0, firstBatch: 0, logFrom, about: undefined };
}

function texts(recovered: Recovered): string[] {
  const { records } = recovered;
  return textsOf({ records, meta: undefined, snapshot: undefined });
}

function refusal(...segments: { file: string; bytes: Uint8Array }[]): string {
  return assertThrows(() => recover("dir", segments, undefined), DiskError).message;
}

describe("recover", () => {
  test("keeps all batches but a last one of which any sectors are missing", () => {
    const large = "torn ".repeat(700);
    const lost = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(fc.nat(400), lost, (padding, isLost) => {
        const first = batch(record(1, "a", "x".repeat(padding)), 1);
        const { file, bytes, starts } = segment([first, batch(record(3, large), 2)]);
        const [, from = 0, to = 0] = starts;
        for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) {
          if (!isLost[sector % 8]) continue;
          const start = Math.max(from, sector * SECTOR);
          bytes.fill(0, start, Math.min(to, (sector + 1) * SECTOR));
        }
        const recovered = recover("dir", [{ file, bytes }], undefined);
        const isWhole = recovered.records.next === 4;
        assertEquals(texts(recovered).slice(0, 2), ["a", "x".repeat(padding)]);
        assert(isWhole || recovered.records.next === 3, `${recovered.records.next}`);
        assert(!isWhole || !isLost.every(Boolean), "lost sectors are not made up");
        // What is torn lies in the tail, all of it.
        const rest = bytes.subarray(recovered.tail.to);
        assert(rest.every((byte) => byte === 0));
        assertEquals(recovered.tail.from, isWhole ? from : 64);
        assertEquals(recovered.position, isWhole ? to : from);
      }),
    );
  });

  test("takes no stranger's record for a batch that follows, however it looks", () => {
    // A user of the store who has read docs/storage.md, and guesses all but the salt.
    const forged: Uint8Array[] = [];
    for (let sequence = 1; sequence < 20; sequence++) {
      for (const salt of [0, 1, 0xffff_ffff]) {
        forged.push(batch(record(1, "forged"), sequence, salt));
      }
    }
    const records = [new Uint8Array(Buffer.concat(forged))];
    for (let shift = 0; shift < 8; shift++) {
      const store = { kind: "store", token: 1, log: { at: 2, records } } as const;
      const hostile = batch({ ...store, meta: new Uint8Array(shift) }, 2);
      const { file, bytes, starts } = segment([batch(record(1, "a"), 1), hostile]);
      bytes.fill(0, starts[1], starts[1]! + 8);
      assertEquals(texts(recover("dir", [{ file, bytes }], undefined)), ["a"]);
    }
  });

  test("takes a whole batch behind a bad one for damage, and says where both are", () => {
    const batches = [1, 2, 3].map((at) => batch(record(at, `record ${at}`), at));
    const { file, bytes, starts } = segment(batches);
    bytes.fill(0, starts[1], starts[2]);
    const line = refusal({ file, bytes });
    assertStringIncludes(line, `dir: ${file} is damaged at offset ${starts[1]}: `);
    assertStringIncludes(line, `a whole batch follows, at offset ${starts[2]}; restore`);
  });

  test("looks for a batch that follows as far as there is anything but zeros", () => {
    const zeros = "\0".repeat(1000);
    const batches = [
      batch(record(1, "a"), 1),
      batch(record(2, "b"), 2),
      batch(record(3, zeros), 3),
    ];
    const { file, bytes, starts } = segment(batches);
    bytes.fill(0, starts[1], starts[2]);
    assertStringIncludes(refusal({ file, bytes }), `a whole batch follows, at offset ${starts[2]}`);
  });

  test("takes a segment that does not go on where the one before ends for damage", () => {
    const first = segment([batch(record(1, "a"), 1), batch(record(2, "b"), 2)]);
    const second = segment([batch(record(3, "c"), 3)], { number: 2, firstBatch: 3, next: 3 });
    assertEquals(texts(recover("dir", [second, first], undefined)), ["a", "b", "c"]);
    first.bytes.fill(0, first.starts[1], first.starts[2]);
    const line = refusal(second, first);
    assertStringIncludes(line, `${first.file} is damaged at offset ${first.starts[1]}: `);
  });

  test("takes a first segment that begins behind what is known for damage", () => {
    const later = segment([batch(record(3, "c"), 3)], { number: 2, firstBatch: 3, next: 3 });
    assertStringIncludes(
      refusal(later),
      `${later.file} is damaged at offset 0: record 1 is missing`,
    );
    const snapshot = snapshotAt(1);
    const error = assertThrows(() => recover("dir", [later], snapshot), DiskError);
    assertStringIncludes(error.message, "record 2 is missing");
    const covering = recover("dir", [later], snapshotAt(2));
    assertEquals(texts(covering), ["c"]);
  });

  test("forgets segments from before a gap, which a snapshot has made obsolete", () => {
    const first = segment([batch(record(1, "a"), 1)]);
    const third = segment([batch(record(5, "e"), 5)], { number: 3, firstBatch: 5, next: 5 });
    const recovered = recover("dir", [first, third], snapshotAt(4));
    assertEquals(recovered.obsolete, [first.file]);
    assertEquals([recovered.records.first, ...texts(recovered)], [5, "e"]);
  });
});
