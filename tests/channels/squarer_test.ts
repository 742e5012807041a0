/** The suite for squarers, itself tested; the right squarer; the program that checks yours. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Channel, checkSquarer, PROPERTIES, Squarer } from "../../channels/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { WAIT_MS } from "../support/waiting.ts";
import { makeRight, READS_AHEAD, WRONG_SQUARERS } from "./wrong_squarers.ts";

/** Long enough for what comes; a wrong squarer that hangs costs this much a property. */
const LATE_MS = 500;
const directory = mkdtempSync(join(tmpdir(), "motherlode-squarer-"));
const root = join(import.meta.dir, "../..");
afterAll(async () => {
  await killAll();
  rmSync(directory, { recursive: true });
});

/** The check of a squarer that blocks its thread takes seconds: it runs beside the other tests. */
let stuck: Promise<{ code: number; out: string }>;
beforeAll(async () => {
  const path = await strange(
    "stuck",
    `export class Squarer extends Right { close() { for (;;); } }`,
  );
  stuck = check(path, "--quiet");
  stuck.catch(() => {}); // the test that waits for it says so
});

describe("the suite catches a squarer that is", () => {
  const wrong = sideBySide();
  for (const { name, make, breaks } of [...WRONG_SQUARERS, READS_AHEAD]) {
    wrong(name, async () => {
      const options = { deadlineMs: LATE_MS, only: breaks };
      const runs = [1, 2, 3].map((seed) => checkSquarer(make, { ...options, seed }));
      for (const verdicts of await Promise.all(runs)) {
        const broken = verdicts.filter(({ why }) => why !== undefined);
        assertEquals(
          broken.map(({ property }) => property),
          PROPERTIES.filter((property) => breaks.includes(property)),
        );
      }
    });
  }

  test("none of these: the right one passes a thousand times", async () => {
    // Many at a time: each of them mostly waits.
    for (const first of [0, 500]) {
      const batch = Array.from({ length: 500 }, (_, i) =>
        checkSquarer(makeRight, { seed: first + i, deadlineMs: WAIT_MS }),
      );
      for (const verdicts of await Promise.all(batch)) {
        assertEquals(
          verdicts,
          PROPERTIES.map((property) => ({ property, why: undefined })),
        );
      }
    }
  });

  test("there is a wrong squarer for every kind that docs/channels.md names, and it names them", async () => {
    const page = await Bun.file(join(root, "docs/channels.md")).text();
    assertEquals(WRONG_SQUARERS.length, 8);
    for (const { name, breaks } of WRONG_SQUARERS) {
      assertStringIncludes(page, `| ${name} `);
      assertStringIncludes(page, breaks[0]!);
    }
    for (const property of PROPERTIES) assertStringIncludes(page, property);
  });
});

describe("Squarer", () => {
  test("ends its output when its input has ended, after the last square", async () => {
    const input = new Channel<number>(3);
    for (const number of [3, -4, 0]) await input.send(number);
    input.close();
    const squares: number[] = [];
    for await (const square of new Squarer().initialize(input)) squares.push(square);
    assertEquals(squares, [9, 16, 0]);
  });

  test("is stopped by a reader that closes the output", async () => {
    const input = new Channel<number>();
    const squarer = new Squarer();
    const output = squarer.initialize(input);
    output.close();
    await input.send(2);
    await squarer.close();
    assertEquals(input.trySend(3), false);
  });

  test("leaves nobody waiting at either channel once it is closed", async () => {
    for (const pending of [true, false]) {
      const input = new Channel<number>();
      const squarer = new Squarer();
      const output = squarer.initialize(input);
      if (pending) await input.send(2);
      await squarer.close();
      assertEquals([input.trySend(1), output.tryReceive()], [false, undefined]);
    }
  });

  test("is initialized once, and can be closed before and twice", async () => {
    const squarer = new Squarer();
    squarer.initialize(new Channel());
    assertThrows(() => squarer.initialize(new Channel()), Error, "initialized once");
    await squarer.close();
    await squarer.close();
    const unused = new Squarer();
    await unused.close();
    assertThrows(() => unused.initialize(new Channel()), Error, "after its close");
  });
});

/** A file with a squarer of somebody else's. */
async function strange(name: string, body: string): Promise<string> {
  const path = join(directory, `${name}.ts`);
  await Bun.write(
    path,
    `import { Channel, Squarer as Right } from "${root}/channels/mod.ts";\n${body}`,
  );
  return path;
}

async function check(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const script = new Script("channels/check.ts", args);
  return { code: await script.exit(), out: script.stdout, err: script.stderr };
}

describe("channels/check.ts", () => {
  test("says that every property of a right squarer holds, and exits 0", async () => {
    const path = await strange("right", "export class Squarer extends Right {}");
    const { code, out, err } = await check(path, "--times", "2");
    assertEquals([code, err], [0, ""]);
    const lines = PROPERTIES.map((property) => `holds   ${property}\n`).join("");
    assertEquals(out, lines + lines);
    assertEquals(await check(path, "--quiet"), { code: 0, out: "", err: "" });
  });

  test("says what a wrong one breaks, as lines or as JSON, and exits 1", async () => {
    const path = await strange(
      "wrong",
      `export class Squarer extends Right {
           initialize(input) {
             const twice = new Channel();
             const out = super.initialize(twice);
             (async () => { for await (const n of input) await twice.send(n + 1); })();
             return out;
           }
         }`,
    );
    const { code, out } = await check(path, "--quiet");
    assertEquals(code, 1);
    assertStringIncludes(out, `broken  ${PROPERTIES[0]}: square 1 of `);
    const json = await check(path, "--json", "--seed", "5");
    const first = JSON.parse(json.out.split("\n")[0]!);
    assertEquals(
      [json.code, first.property, first.holds, first.seed],
      [1, PROPERTIES[0], false, 5],
    );
  });

  test("finds out one that throws where nobody catches", async () => {
    const thrower = await strange(
      "thrower",
      `export class Squarer extends Right {
           initialize(input) { setImmediate(() => { throw new Error("late") });
             return super.initialize(input); }
         }`,
    );
    const { code, out } = await check(thrower, "--quiet");
    assertEquals(code, 1);
    assertStringIncludes(out, "threw where nobody catches: ");
  });

  test("exits 2 for what it cannot use, in one line that says why", async () => {
    const files: [string, string][] = [
      [join(directory, "missing.ts"), "there is no such file"],
      [await strange("empty", "export const squarer = 1;"), "does not export a class Squarer"],
      [
        await strange("half", "export class Squarer { initialize() {} }"),
        "its class Squarer has no method close",
      ],
      [await strange("broken", "throw new Error('no luck')"), "cannot be imported: no luck"],
    ];
    for (const [path, why] of files) {
      const { code, out, err } = await check(path);
      assertEquals([code, out, err.split("\n").length], [2, "", 2], err);
      assertStringIncludes(err, why);
    }
  });

  test("finds out one that blocks its thread", async () => {
    const { code, out } = await stuck;
    assertEquals(code, 1);
    assertStringIncludes(out, `broken  ${PROPERTIES[0]}: gave no sign of life for`);
  });
});
