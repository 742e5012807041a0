/** Files for people: whole or not at all, and devices are not replaced. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, UsageError } from "../../run/errors.ts";
import { writeWhole } from "../../run/whole_file.ts";

const place = mkdtempSync(join(tmpdir(), "motherlode-whole-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("writeWhole()", () => {
  test("replaces what was there when all is written, and gives a new file its mode", async () => {
    const file = join(place, "a");
    await writeWhole(file, ["one", new TextEncoder().encode(" two")], 0o600);
    assertEquals(readFileSync(file, "utf8"), "one two");
    if (process.platform !== "win32") assertEquals(statSync(file).mode & 0o777, 0o600);
    const broken = (function* () {
      yield "three";
      throw new Error("no more");
    })();
    const failure = await assertRejects(() => writeWhole(file, broken), Failure);
    assertStringIncludes(failure.message, `cannot write ${file}: no more`);
    assertEquals([readFileSync(file, "utf8"), readdirSync(place)], ["one two", ["a"]]);
  });

  test("refuses no name, and a directory", async () => {
    await assertRejects(() => writeWhole("", ["x"]), UsageError, "expected a name");
    mkdirSync(join(place, "b"));
    await assertRejects(() => writeWhole(join(place, "b"), ["x"]), Failure, "cannot write");
    await assertRejects(() => writeWhole(join(place, "c", "d"), ["x"]), Failure, "ENOENT");
    assertEquals(readdirSync(place).sort(), ["a", "b"]);
  });

  if (process.platform !== "win32") {
    // Regression: a device became a file.
    test("writes to what is no file as it is, and behind a link", async () => {
      const [pipe, link] = [join(place, "pipe"), join(place, "link")];
      assertEquals(Bun.spawnSync(["mkfifo", pipe]).exitCode, 0);
      const reader = Bun.spawn(["cat", pipe], { stdin: "ignore", stdout: "pipe" });
      try {
        await writeWhole(pipe, ["x"]);
        assert(statSync(pipe).isFIFO());
        assertEquals(await new Response(reader.stdout).text(), "x");
      } finally {
        reader.kill("SIGKILL");
        await reader.exited;
      }
      symlinkSync(join(place, "a"), link);
      await writeWhole(link, ["new"]);
      assert(lstatSync(link).isSymbolicLink());
      assertEquals(readFileSync(join(place, "a"), "utf8"), "new");
      assertEquals(readdirSync(place).sort(), ["a", "b", "link", "pipe"]);
    });
  }
});
