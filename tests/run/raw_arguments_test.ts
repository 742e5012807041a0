/** Arguments reach the hash as the bytes that were typed, or not at all. */
import { describe, test } from "bun:test";
import { join } from "node:path";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../run/errors.ts";
import { checkArguments } from "../../run/raw_arguments.ts";

const root = join(import.meta.dirname, "../..");
const bytes =
  (...texts: string[]) =>
  () =>
    texts.map((text) => new TextEncoder().encode(text));
const ODD = ["", "ä", "u\u0308", "\ufeffmark", "a\nb", "\u{10ffff}", "-x", "  "];

describe("checkArguments", () => {
  test("asks for the bytes only when a character may stand for others", () => {
    checkArguments(ODD, () => {
      throw new Error("asked");
    });
  });

  test("takes a U+FFFD that was typed, refuses one that stands for other bytes", () => {
    checkArguments(["a", "\ufffd"], bytes("a", "\ufffd"));
    const raw = () => [Uint8Array.of(0x61), Uint8Array.of(0x6d, 0xff, 0xfe)];
    const { message } = assertThrows(() => checkArguments(["a", "m\ufffd\ufffd"], raw), UsageError);
    assertEquals(message, "argument 2 is not UTF-8: got ff fe at byte 1, expected UTF-8 text");
    const cut = () => [Uint8Array.of(0xc3)];
    assertThrows(() => checkArguments(["\ufffd"], cut), UsageError, "got c3 at byte 0");
  });

  test("where no bytes are to be had, refuses what may stand for others, and says so", () => {
    for (const text of ["\ufffd", "a\ud800"]) {
      const { message } = assertThrows(() => checkArguments([text], () => undefined), UsageError);
      assertStringIncludes(message, "argument 1 has a character U+FFFD or a lone surrogate");
    }
  });
});

/** Runs `script` with the shell's words `args`, in which $'...' is spelled by printf. */
async function run(script: string, args: string): Promise<[number, string, string]> {
  const child = Bun.spawn(["sh", "-c", `exec "$0" "$1" ${args}`, process.execPath, script], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return [await child.exited, ...out];
}

describe("a program", () => {
  // Regression: it hashed three other bytes in the place of each, and exited with 0.
  test.each(["\\377\\376", "\\355\\240\\200", "x\\344y", "\\300\\257"])(
    "given %s refuses it in one line, with 2",
    async (octal) => {
      const [code, stdout, stderr] = await run("client.ts", `127.0.0.1:1 "$(printf '${octal}')" 9`);
      assertEquals([code, stdout], [2, ""]);
      assertEquals(stderr.split("\n").length, 2, stderr);
      assertStringIncludes(stderr, "argument 2");
    },
  );

  test("gets every argument that is UTF-8 as it was typed", async () => {
    const code = "console.log(JSON.stringify(process.argv.slice(1)))";
    const child = Bun.spawn([process.execPath, "-e", code, "--", ...ODD, "\ufffd"], {
      stdout: "pipe",
    });
    assertEquals(JSON.parse(await new Response(child.stdout).text()), [...ODD, "\ufffd"]);
  });
});
