/** The one time limit holds in every test file of a run, not in the first alone as Bun has it. */
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FILES = ["first_test.ts", "second_test.ts", "third_test.ts"];

test("a test that hangs fails after MOTHERLODE_TEST_SECONDS, in whichever file it is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-limit-"));
  try {
    const hangs = `import { test } from "bun:test"; test("hangs", () => new Promise(() => {}));`;
    const paths = FILES.map((name) => join(directory, name));
    for (const path of paths) await Bun.write(path, hangs);
    const run = Bun.spawn([process.execPath, "test", ...paths], {
      cwd: root,
      env: { ...process.env, MOTHERLODE_TEST_SECONDS: "0.25" },
      stdout: "ignore",
      stderr: "pipe",
    });
    const told = await new Response(run.stderr).text();
    assertEquals(await run.exited, 1);
    assertEquals(told.split("timed out after 250ms").length - 1, FILES.length, told);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
