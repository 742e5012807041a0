/** Benchmarks say what they measure and take, and refuse what they cannot understand. */
import { describe, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assertEquals, assertMatch } from "@std/assert";

const folder = join(import.meta.dirname, "../../bench");

/** Files of bench/ that are programs; the others are parts of them. */
const PROGRAMS = readdirSync(folder).filter((file) =>
  /^const options = benchOptions|^ *benchOptions\(import|^  const options = benchOptions/m.test(
    readFileSync(join(folder, file), "utf8"),
  ),
);

function run(file: string, ...args: string[]): { code: number; out: string; err: string } {
  const command = [process.execPath, "run", join(folder, file), ...args];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

describe("a benchmark", () => {
  test.each(PROGRAMS)("%s shows its help, and does nothing else", (file) => {
    const { code, out, err } = run(file, "--help");
    assertMatch(
      out,
      new RegExp(`^usage: bun run bench/${file}( PORT)?\n\n\\S[^]*\n  --help +show`),
    );
    assertEquals([code, err], [0, ""]);
  });

  test("with a flag that it does not have, or that is no number, ends with one line and 2", () => {
    for (const args of [["--nonsense"], ["--rounds", "many"]]) {
      const { code, out, err } = run("transport.ts", ...args);
      assertMatch(err, /^bench\/transport: .*\(bun run bench\/transport\.ts --help\)\n$/);
      assertEquals([code, out], [2, ""]);
    }
  });
});
