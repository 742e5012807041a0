/** Benchmarks say what they measure and take, and refuse what they cannot understand. */
import { describe, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { helpOf } from "../support/helps.ts";

const folder = join(import.meta.dirname, "../../bench");

/** Files of bench/ that are programs; the others are parts of them. */
const PROGRAMS = readdirSync(folder).filter((file) =>
  /^const options = benchOptions|^ *benchOptions\(import|^  const options = benchOptions/m.test(
    readFileSync(join(folder, file), "utf8"),
  ),
);

async function run(file: string, ...args: string[]) {
  const command = [process.execPath, "run", join(folder, file), ...args];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}

describe("a benchmark", () => {
  test("shows its help, and does nothing else", async () => {
    assert(PROGRAMS.length > 10, PROGRAMS.join());
    const shown = await Promise.all(PROGRAMS.map((file) => helpOf(`bench/${file}`)));
    for (const [i, { code, stdout, stderr }] of shown.entries()) {
      const start = `^usage: bun run bench/${PROGRAMS[i]}( PORT)?\n\n\\S[^]*\n  --help +show`;
      assertMatch(stdout, new RegExp(start));
      assertEquals([code, stderr], [0, ""]);
    }
  });

  test("with a flag that it does not have, or that is no number, ends with one line and 2", async () => {
    for (const args of [["--nonsense"], ["--rounds", "many"]]) {
      const { code, out, err } = await run("transport.ts", ...args);
      assertMatch(err, /^bench\/transport: .*\(bun run bench\/transport\.ts --help\)\n$/);
      assertEquals([code, out], [2, ""]);
    }
  });
});
