/** What .ci/run repeats at its end: whatever failed, and why, however much has been printed. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failures } from "../../tools/failures.ts";
import { ROOT } from "../support/texts.ts";

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

describe("failures", () => {
  test("of an output in which all passed are none", () => {
    const output = `== test: bun test
tests/base/heap_test.ts:
(pass) a heap > is sorted [1.00ms]
error: said by a program under test
(pass) a heap > is small [1.00ms]

 2 pass
 0 fail
== check: bun run check
check: 5 passed, 0 failed
`;
    assertEquals(failures(output), []);
  });

  test("repeat a test once, with its file, what it printed last and nothing of others", () => {
    const output = [
      "== test: bun test",
      "tests/base/heap_test.ts:",
      "(pass) a heap > is sorted [1.00ms]",
      ...lines(0, 100),
      "(fail) a heap > is small [2.00ms]",
      "(fail) a heap > ends [600000.00ms]",
      "  ^ this test timed out after 600000ms.",
      "(pass) a heap > is fair [1.00ms]",
      "",
      "2 tests failed:",
      "(fail) a heap > is small [2.00ms]",
      "(fail) a heap > ends [600000.00ms]",
      "  ^ this test timed out after 600000ms.",
      " 2 pass",
      " 2 fail",
    ].join("\n");
    assertEquals(failures(output), [
      ["test: tests/base/heap_test.ts", ...lines(71, 100), "(fail) a heap > is small [2.00ms]"],
      [
        "test: tests/base/heap_test.ts",
        "(fail) a heap > ends [600000.00ms]",
        "  ^ this test timed out after 600000ms.",
      ],
    ]);
  });

  test("are the errors outside of tests too", () => {
    const output = `== test: bun test
tests/base/heap_test.ts:

# Unhandled error between tests
-------------------------------
error: nobody waits for this
-------------------------------

tests/base/queue_test.ts:
(pass) a queue > is long [1.00ms]
`;
    const found = failures(output);
    assertEquals(found.length, 1);
    assertEquals(found[0]!.slice(0, 4), [
      "test: tests/base/heap_test.ts",
      "# Unhandled error between tests",
      "-------------------------------",
      "error: nobody waits for this",
    ]);
  });

  test("of a step are its last lines, unless they are repeated already", () => {
    const output = [
      "== check: bun run check",
      ...lines(0, 50),
      "== lint: bun x oxlint --deny-warnings .",
      "x is never used",
      "== lint FAILED: exit code 1",
      "== processor Haswell: tools/emulated_bun Haswell test",
      "tests/base/heap_test.ts:",
      "(fail) a heap > is small [2.00ms]",
      "== processor Haswell FAILED",
    ].join("\n");
    assertEquals(failures(output), [
      ["== lint FAILED: exit code 1", "== lint: bun x oxlint --deny-warnings .", "x is never used"],
      ["processor Haswell: tests/base/heap_test.ts", "(fail) a heap > is small [2.00ms]"],
      ["== processor Haswell FAILED"],
    ]);
  });

  test("are found in what Bun prints", async () => {
    const directory = mkdtempSync(join(tmpdir(), "motherlode-failures-"));
    try {
      const path = join(directory, "fixture_test.ts");
      await Bun.write(
        path,
        `import { expect, test } from "bun:test";
test("passes", () => {});
test("fails", () => expect("got").toBe("expected"));
test("passes too", () => {});`,
      );
      const run = Bun.spawn([process.execPath, "test", path], {
        cwd: ROOT,
        env: { ...process.env, NO_COLOR: "1" },
        stdout: "ignore",
        stderr: "pipe",
      });
      const printed = await run.stderr.text();
      assertEquals(await run.exited, 1, printed);
      const found = failures(`== test: bun test\n${printed}`);
      assertEquals(found.length, 1, printed);
      assertStringIncludes(found[0]!.at(0)!, "fixture_test.ts");
      assertStringIncludes(found[0]!.join("\n"), 'Expected: "expected"');
      assertStringIncludes(found[0]!.at(-1)!, "(fail) fails");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
