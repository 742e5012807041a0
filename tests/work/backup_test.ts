/** A server's jobs and answers as a file. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeBackup, encodeBackup } from "../../work/backup.ts";

describe("a backup", () => {
  test("gives back what it was made of", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (table) => {
        assertEquals([...decodeBackup(encodeBackup(table))], [...table]);
      }),
    );
  });

  test("that is changed anywhere, cut, or longer is refused with one line", () => {
    const file = encodeBackup(new TextEncoder().encode("a table, as far as this file knows"));
    for (let bit = 0; bit < 8 * file.length; bit++) {
      const bad = file.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const { message } = assertThrows(() => decodeBackup(bad), Error);
      assert(!message.includes("\n"), message);
    }
    for (let length = 0; length < file.length; length++) {
      assertThrows(() => decodeBackup(file.slice(0, length)), Error);
    }
    assertThrows(() => decodeBackup(Uint8Array.of(...file, 0)), Error, "it is damaged");
  });

  test("of another program, or a newer version, is called that", () => {
    const file = encodeBackup(Uint8Array.of(1, 2, 3));
    const newer = file.slice();
    newer[8] = 2;
    assertThrows(() => decodeBackup(newer), Error, "it has format 2, and this program knows 1");
    const foreign = new TextEncoder().encode("SQLite format 3, and a lot more than that");
    assertThrows(() => decodeBackup(foreign), Error, "no file that server.ts export has written");
  });
});
