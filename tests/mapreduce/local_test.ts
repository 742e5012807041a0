/** Jobs on this machine alone: the built-in applications, those of users, and what is refused. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../mapreduce/bytes.ts";
import { killAll } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { Desk, mapreduce, outputsIn } from "./jobs.ts";
import { byBytes, countWords, filesOf, indexFiles, text } from "./twin.ts";

const desk = new Desk();
afterAll(async () => {
  await killAll();
  desk.remove();
});

const TEXTS = Array.from({ length: 4 }, (_, i) => text(i + 1, 20_000));
const BOOKS = TEXTS.map((contents, i) => desk.file(`books/${i}.txt`, contents));

/** Runs a job that succeeds, and gives its outputs. */
async function outputsOf(
  application: string,
  inputs: string[],
  ...flags: string[]
): Promise<string[]> {
  const out = desk.out();
  const { code, stderr } = await mapreduce(
    "--local",
    application,
    ...inputs,
    "--out",
    out,
    ...flags,
  );
  assertEquals(code, 0, stderr);
  assertEquals(
    readdirSync(out).filter((name) => !name.startsWith("mr-out-")),
    [],
  );
  return outputsIn(out);
}

/** Runs a job that fails, leaves nothing, and gives its last line. */
async function failureOf(code: number, ...args: string[]): Promise<string> {
  const out = desk.out();
  const got = await mapreduce("--local", ...args, "--out", out);
  assertEquals(got.code, code, got.stderr);
  assertEquals([got.stdout, existsSync(out)], ["", false]);
  return got.stderr.trimEnd().split("\n").at(-1)!;
}

// Only there is /dev/full.
if (process.platform === "linux") {
  test("lines that cannot be printed are a failure", async () => {
    const flags = ["mapreduce.ts", "run", "--local", "wc", BOOKS[0]!, "--stdout", "--quiet"];
    const command = ["sh", "-c", `exec "$0" "$@" >/dev/full`, process.execPath, ...flags];
    const cwd = join(import.meta.dirname, "../..");
    const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    assertEquals(await child.exited, 1);
    assertMatch(said, /^mapreduce: cannot write the result to stdout: ENOSPC[^\n]+\n$/);
  });
}

describe("built-in applications", () => {
  const beside = sideBySide();

  beside("wc counts words, byte for byte as the twin does, with little memory too", async () => {
    const expected = countWords(TEXTS, 10);
    assertEquals(await outputsOf("wc", [join(desk.path, "books")], "--reducers", "10"), expected);
    const pattern = join(desk.path, "books", "*.txt");
    const small = ["--reducers", "10", "--sort-memory", "1", "--workers", "3"];
    assertEquals(await outputsOf("wc", [pattern], ...small), expected);
  });

  beside("indexer names the files of every word", async () => {
    const files = BOOKS.map((path, i) => [path, TEXTS[i]!] as const);
    assertEquals(await outputsOf("indexer", BOOKS, "--reducers", "3"), indexFiles(files, 3));
  });

  beside("grep gives the lines that match, with their numbers in the file", async () => {
    const lines = TEXTS[0]!.split("\n");
    if (lines.at(-1) === "") lines.pop();
    const found = lines.flatMap((line, i): [string, string][] => {
      const bare = line.replace(/\r$/, "");
      return /tat|д$/u.test(bare) ? [[`${BOOKS[0]!}:${i + 1}`, bare]] : [];
    });
    assert(found.length > 10);
    const flags = ["--reducers", "2"];
    assertEquals(await outputsOf("grep:tat|д$", [BOOKS[0]!], ...flags), filesOf(found, 2));
  });

  beside("sort gives all lines, in one order with --stdout", async () => {
    const lines = Array.from(
      { length: 50_000 },
      (_, i) => `${(i * 7919) % 10_007}\\${"x".repeat(i % 90)}`,
    );
    const file = desk.file("lines.txt", lines.join("\r\n"));
    const flags = ["--reducers", "7", "--sort-memory", "1"];
    const { code, stdout } = await mapreduce("--local", "sort", file, "--stdout", ...flags);
    assertEquals(code, 0);
    const sorted = lines.sort(byBytes).map((line) => `${line.replaceAll("\\", "\\\\")}\n`);
    assert(stdout === sorted.join(""));
  });

  beside("odd inputs are right: none, empty, no last newline, \\r\\n, no UTF-8", async () => {
    const empty = desk.file("empty.txt", "");
    assertEquals(await outputsOf("wc", [empty], "--reducers", "2"), ["", ""]);
    const bytes = Uint8Array.from([...utf8("é a\r\nb"), 0xff, ...utf8("a é"), 0xc3]);
    const odd = desk.file("odd.txt", bytes);
    assertEquals(await outputsOf("wc", [empty, odd]), ["a 2\nb 1\né 2\n"]);
    const sorted = await outputsOf("sort", [desk.file("crlf.txt", "b\r\n\r\na")]);
    assertEquals(sorted, ["\na\nb\n"]);
  });
});

describe("applications of users", () => {
  const beside = sideBySide();

  const lengths = desk.file(
    "lengths.ts",
    `import { twice } from "./helper.ts";
     export function* map(name: string, contents: string): Iterable<[string, string]> {
       for (const [word] of contents.matchAll(/\\p{L}+/gu)) yield [String([...word].length), "1"];
     }
     export const combine = (_key: string, values: Iterable<string>): string =>
       String([...values].reduce((sum, value) => sum + Number(value), 0));
     export const partition = (key: string, reducers: number): number => Number(key) % reducers;
     export async function reduce(key: string, values: Iterable<string>): Promise<string> {
       await 0;
       return twice(combine(key, values)) + "\\n\\\\";
     }`,
  );
  desk.file("helper.ts", `export const twice = (n: string): string => String(2 * Number(n));`);

  beside("map, combine, partition and an asynchronous reduce, of several modules", async () => {
    const counts = new Map<number, number>();
    for (const [word] of TEXTS.join(" ").matchAll(/\p{L}+/gu)) {
      const length = [...word].length;
      counts.set(length, (counts.get(length) ?? 0) + 1);
    }
    const expected = [0, 1].map((r) =>
      [...counts]
        .filter(([length]) => length % 2 === r)
        .sort(([a], [b]) => byBytes(String(a), String(b)))
        .map(([length, count]) => `${length} ${2 * count}\\n\\\\\n`)
        .join(""),
    );
    assertEquals(await outputsOf(lengths, BOOKS, "--reducers", "2"), expected);
  });

  beside("mapBytes keeps every byte, map gets U+FFFD for what is no UTF-8, counted", async () => {
    const input = desk.file("invalid.txt", Uint8Array.from([0xff, 10, 0xfe, 10]));
    const app = (body: string): string =>
      `export ${body}; export const reduce = (_: string, values: Iterable<string>): string =>
         [...values].join(",");`;
    const bytes = desk.file(
      "bytes.ts",
      app(`function* mapBytes(_: string, chunks: Iterable<Uint8Array>) {
             for (const chunk of chunks) yield ["hex", chunk.toHex()];
           }`),
    );
    assertEquals(await outputsOf(bytes, [input]), ["hex ff0afe0a\n"]);
    const strings = desk.file(
      "strings.ts",
      app(`async function map(_: string, contents: string) { return [["text", contents]] }`),
    );
    const out = desk.out();
    const { code, stderr } = await mapreduce("--local", strings, input, "--out", out);
    assertEquals([code, outputsIn(out)], [0, ["text \ufffd\\n\ufffd\\n\n"]]);
    assertStringIncludes(stderr, "2 times bytes that are no UTF-8 became U+FFFD");
  });

  const REDUCE = `export const reduce = (key: string): string => {
    if (key.startsWith("bad")) throw new Error("no reduce of " + key);
    return "";
  };`;
  const failing = (name: string, body: string): string =>
    desk.file(name, `export function* map(name: string, contents: string) { ${body} }\n${REDUCE}`);

  beside("an error in map or in reduce fails the job with the place and the stack", async () => {
    const inMap = failing("throws.ts", `throw new RangeError("no map");`);
    assertMatch(
      await failureOf(1, inMap, BOOKS[0]!),
      /map 0 failed 3 times:.*0\.txt.*RangeError: no map/,
    );
    const inReduce = failing("reduce.ts", `yield ["bad key", "1"];`);
    const line = await failureOf(1, inReduce, BOOKS[0]!);
    assertMatch(line, /reduce 0 failed 3 times: key "bad key": Error: no reduce of bad key/);
  });

  beside("--skip-bad goes on without the record, and reports it", async () => {
    const skipping = failing("skip.ts", `yield ["bad key", "1"]; yield ["good", "1"];`);
    const out = desk.out();
    const flags = ["--skip-bad", "--out", out];
    const { code, stderr } = await mapreduce("--local", skipping, BOOKS[0]!, ...flags);
    assertEquals([code, outputsIn(out)], [0, ["good \n"]]);
    assertMatch(stderr, /skipped 1 bad record: key "bad key".*no reduce of bad key/);
  });

  // One that ends its process each time is in fleet_test.ts: twelve processes.
  beside("one that never returns or takes all memory fails the job alone", async () => {
    const one = ["--workers", "1"];
    const greedy = `const all = []; for (;;) all.push(new Uint8Array(1 << 22).fill(1));`;
    const [late, fat] = await Promise.all([
      failureOf(1, failing("endless.ts", `for (;;);`), BOOKS[0]!, "--task-timeout", "0.5", ...one),
      failureOf(1, failing("greedy.ts", greedy), BOOKS[0]!, "--task-memory", "200", ...one),
    ]);
    assertMatch(late, /map 0 failed 3 times: it ran longer than 0\.5 s/);
    assertMatch(fat, /map 0 failed 3 times: it took more than 200 MiB of memory/);
  });

  beside("what is no application is refused before any work is done", async () => {
    const bad = async (name: string, contents: string): Promise<string> =>
      failureOf(2, desk.file(name, contents), BOOKS[0]!);
    const said = await Promise.all([
      bad("syntax.ts", "export const map = (;"),
      bad("nomap.ts", REDUCE),
      bad("noreduce.ts", "export const map = () => [];"),
      bad("type.ts", "export const map = 5;"),
      bad("top.ts", `throw new Error("at once");`),
    ]);
    for (const [i, pattern] of [
      /cannot build .*syntax\.ts", line 1/,
      /exports neither map nor mapBytes/,
      /exports no reduce/,
      /map is of type number/,
      /no application: .*at once/,
    ].entries()) {
      assertMatch(said[i]!, pattern);
    }
  });
});

describe("what cannot work is said in one line:", () => {
  const beside = sideBySide();

  beside("applications, inputs, reducers and directories", async () => {
    const file = BOOKS[0]!;
    assertMatch(await failureOf(2, "nothing", file), /no application "nothing", expected wc/);
    assertMatch(await failureOf(2, "grep:(", file), /the application is "grep:\("/);
    assertMatch(await failureOf(2, "wc", join(desk.path, "none")), /there is no input ".*none"/);
    assertMatch(await failureOf(2, "wc", join(desk.path, "*.none")), /no file matches/);
    assertMatch(await failureOf(2, "wc", file, "--reducers", "0"), /--reducers is "0", expected/);
    assertMatch(
      await failureOf(2, "wc", file, "--reducers", "100000"),
      /expected a whole number 1\.\.1000/,
    );
    assertMatch(await failureOf(2, "wc", "/dev/null"), /is no file/);
    const full = join(desk.path, "books");
    const got = await mapreduce("--local", "wc", file, "--out", full);
    assertEquals(got.code, 2);
    assertMatch(got.stderr, /--out .*books is not empty \(\d\.txt\)/);
    const nowhere = await mapreduce("--local", "wc", file, "--out", join(desk.path, "a", "b"));
    assertMatch(nowhere.stderr, /there is no .*a/);
    const neither = await mapreduce("--local", "wc", file);
    assertMatch(neither.stderr, /expected one of --out DIR and --stdout/);
  });
});
