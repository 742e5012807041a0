/** `kv.ts check` as people and scripts meet it, and the format of histories. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../base/random.ts";
import { historyLine, HistoryError, readHistory } from "../../kv/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { drawnHistory } from "./histories.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-kv-"));
afterAll(async () => {
  await killAll();
  rmSync(directory, { recursive: true });
});

const PUT = '{"client":0,"op":"put","key":"x","value":"a","call":0,"return":2}';
const SEEN = '{"client":1,"op":"get","key":"x","value":"a","version":1,"call":3,"return":4}';
const UNSEEN = '{"client":1,"op":"get","key":"x","value":null,"version":0,"call":3,"return":4}';

async function check(lines: readonly string[], ...flags: string[]): Promise<[number, Script]> {
  const path = join(directory, "history.jsonl");
  await Bun.write(path, lines.join("\n"));
  const script = new Script("kv.ts", ["check", path, ...flags]);
  return [await script.exit(), script];
}

test("kv.ts check prints the verdict and exits with 0, 3, 4 or 2", async () => {
  const [good, said] = await check([PUT, "", SEEN]);
  assertEquals([good, said.stdout, said.stderr], [0, "linearizable\n", ""]);

  const page = join(directory, "page.html");
  const [bad, why] = await check([PUT, UNSEEN], "--html", page);
  assertEquals([bad, why.stdout], [3, "not linearizable\n"]);
  assertStringIncludes(why.stderr, "the shortest prefix that cannot be linearized, 2 operations");
  assertStringIncludes(why.stderr, "client 1  3..4  get x -> absent version 0");
  assertStringIncludes(await Bun.file(page).text(), "<h1>Not linearizable</h1>");

  const [unknown, open] = await check([PUT, UNSEEN], "--steps", "1", "--json");
  assertEquals(unknown, 4);
  const { verdict, operations } = JSON.parse(open.stdout) as Record<string, unknown>;
  assertEquals([verdict, operations], ["unknown", 2]);
  assertStringIncludes(open.stderr, "without being certain");

  const [unread, error] = await check([PUT, '{"client":1,"op":"got"}']);
  assertEquals([unread, error.stdout], [2, ""]);
  assertStringIncludes(error.stderr, 'line 2: op is "got", expected one of get, put');
});

test("kv.ts names its verbs", async () => {
  const script = new Script("kv.ts", ["chekc", "x"]);
  assertEquals(await script.exit(), 2);
  assertStringIncludes(script.stderr, '"chekc" is no verb, expected');
});

const parsed = (line: string): unknown => JSON.parse(line);
const again = (lines: readonly string[]): unknown[] =>
  readHistory(lines.join("\n")).map((operation) => parsed(historyLine(operation)));

describe("a history", () => {
  test("is read as it was written", () => {
    const shape = { operations: 200, clients: 5, keys: 3, values: 0, overlap: 3 };
    for (const versions of [false, true]) {
      const drawn = drawnHistory(seededRandom(1), { ...shape, silentShare: 0.1, versions });
      const lines = drawn.map(historyLine);
      assertEquals(again(lines), lines.map(parsed));
    }
    const joint = [
      '{"client":"a","op":"multi","changes":[{"key":"x","value":null,"at":3}],"ok":false,"call":1,"return":2}',
      '{"client":"a","op":"list","prefix":"x","entries":[{"key":"xy","value":"1"}],"call":3,"return":4}',
      '{"client":"a","op":"cas","key":"x","expect":null,"value":"1","call":5}',
    ];
    assertEquals(again(joint), joint.map(parsed));
  });

  test.each([
    ["[1]", "got [1], expected an object"],
    ["{", "line 1: "],
    ['{"client":0,"op":"get","key":"x","call":0,"return":1}', "value is nothing, expected text"],
    ['{"op":"get","key":"x","call":0}', "client is nothing, expected a number or a name"],
    ['{"client":0,"op":"get","key":7,"call":0}', "key is 7, expected text"],
    ['{"client":0,"op":"put","key":"x","value":"","call":"0"}', 'call is "0", expected a time'],
    ['{"client":0,"op":"get","key":"x","value":"","call":2,"return":1}', "is before call 2"],
    ['{"client":0,"op":"put","key":"x","value":"","call":0,"at":-1}', "at is -1, expected a whole"],
    [
      '{"client":0,"op":"put","key":"x","value":"","call":0,"expect":""}',
      "expect is no field of put",
    ],
    ['{"client":0,"op":"put","key":"x","value":"","call":0,"return":1,"ok":1}', "ok is 1"],
    ['{"client":0,"op":"multi","changes":[1],"call":0}', "expected an array of objects"],
    [
      '{"client":0,"op":"multi","changes":[{"key":"x","value":""},{"key":"x","value":""}],"call":0}',
      'changes has the key "x" twice',
    ],
  ])("%s is no operation", (line, why) => {
    const error = assertThrows(() => readHistory(line), HistoryError, "line 1: ");
    assert(error.message.includes(why), error.message);
  });
});
