/**
 * The one time limit holds in every test file of a run, not in the first alone as Bun has it; and
 * what is done behind the last one may take its time, too.
 */
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FILES = ["first_test.ts", "second_test.ts", "third_test.ts"];

/** Runs tests of this text, once for each name; with what exit code it ends, and what it says. */
async function runTests(
  names: readonly string[],
  text: string,
  { flags = [], env = {} }: { flags?: string[]; env?: Record<string, string> } = {},
): Promise<{ code: number; told: string }> {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-limit-"));
  try {
    const paths = names.map((name) => join(directory, name));
    for (const path of paths) await Bun.write(path, text);
    const run = Bun.spawn([process.execPath, "test", ...flags, ...paths], {
      cwd: root,
      env: { ...process.env, ...env },
      stdout: "ignore",
      stderr: "pipe",
    });
    const told = await new Response(run.stderr).text();
    return { code: await run.exited, told };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("a test that hangs fails after MOTHERLODE_TEST_SECONDS, in whichever file it is", async () => {
  const hangs = `import { test } from "bun:test"; test("hangs", () => new Promise(() => {}));`;
  const env = { MOTHERLODE_TEST_SECONDS: "0.25" };
  const { code, told } = await runTests(FILES, hangs, { env });
  assertEquals(code, 1);
  assertEquals(told.split("timed out after 250ms").length - 1, FILES.length, told);
});

// Regression: behind the last file Bun's own limit held, five seconds; on a busy machine it takes
// longer to remove the built programs, and the whole run had failed.
test("what is removed behind the last test may take longer than Bun's limit for a hook", async () => {
  const leavesMuch = `import { test } from "bun:test";
    import { mkdtempSync } from "node:fs";
    import { join } from "node:path";
    import { tmpdir } from "node:os";
    import { leftovers } from ${JSON.stringify(join(root, "tests/support/leftovers.ts"))};
    test("leaves much", () => {
      for (let i = 0; i < 300; i++) leftovers.add(mkdtempSync(join(tmpdir(), "motherlode-left-")));
    });`;
  const { code, told } = await runTests(FILES.slice(0, 1), leavesMuch, { flags: ["--timeout=1"] });
  assertEquals(code, 0, told);
});
