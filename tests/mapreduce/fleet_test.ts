/** Jobs on a fleet of real processes: server, miners, client. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Script } from "../support/processes.ts";
import { EXPECTED, Fleet, TEXTS } from "./fleet.ts";
import { mapreduce, outputsIn } from "./jobs.ts";
import { hugeKey, longLine, manyKeys, peakMib, WORKER_MIB_MAX } from "./scenarios.ts";
import { countWords, indexFiles } from "./twin.ts";

let fleet: Fleet;
/** A directory that one miner shares, with the books. */
let shared = "";
let sharedBooks: string[] = [];

beforeAll(async () => {
  fleet = await Fleet.begin();
  sharedBooks = TEXTS.map((contents, i) => fleet.desk.file(`shared/books/${i}.txt`, contents));
  shared = join(fleet.desk.path, "shared");
  fleet.start("plain");
  fleet.start("sharing", "--shared", shared);
  await fleet.joined("plain", "sharing");
});
afterAll(() => fleet.end());

describe("on a fleet", () => {
  test("wc and indexer give what the twin gives, on miners that know nothing else", async () => {
    const [wc, index] = [fleet.desk.out(), fleet.desk.out()];
    const [counted, indexed] = await Promise.all([
      mapreduce(fleet.at, "wc", ...fleet.books, "--reducers", "4", "--out", wc),
      mapreduce(fleet.at, "indexer", ...fleet.books, "--reducers", "2", "--out", index),
    ]);
    assertEquals([counted.code, indexed.code], [0, 0], counted.stderr + indexed.stderr);
    assertEquals(outputsIn(wc), EXPECTED);
    assertEquals(
      outputsIn(index),
      indexFiles(
        fleet.books.map((path, i) => [path, TEXTS[i]!] as const),
        2,
      ),
    );
    const empty = fleet.desk.file("empty.txt", "");
    const none = await mapreduce(fleet.at, "wc", empty, "--stdout");
    assertEquals([none.code, none.stdout], [0, ""]);
  });

  test("many keys, a long line and one huge key are right, in bounded memory", async () => {
    // Several times the memory for sorting; the full ones are in scenarios_soak.ts.
    const scale = { keys: 80_000, lineBytes: 8_500_000, values: 100_000, sortMemory: 1 };
    await Promise.all(
      [manyKeys, longLine, hugeKey].map((check) => check(fleet.at, fleet.desk, scale)),
    );
    for (const miner of fleet.miners.values()) {
      const peak = peakMib(miner) ?? 0;
      assert(peak <= WORKER_MIB_MAX, `a miner had ${peak} MiB`);
    }
  });

  test("a miner that shares a directory reads and writes there; the others fetch", async () => {
    const out = join(shared, "out");
    const flags = ["--reducers", "4", "--out", out, "--shared", shared];
    const { code, stderr } = await mapreduce(fleet.at, "wc", ...sharedBooks, ...flags);
    assertEquals(code, 0, stderr);
    assertEquals(outputsIn(out), EXPECTED);
    assertEquals(
      readdirSync(out).sort(),
      [0, 1, 2, 3].map((r) => `mr-out-${r}`),
    );
  });

  test("outputs of a job whose client left are fetched by its id, and kept ones again", async () => {
    const job = ["run", fleet.at, "wc", ...fleet.books, "--reducers", "4", "--quiet"];
    const [detached, kept] = [
      new Script("mapreduce.ts", [...job, "--detach"]),
      new Script("mapreduce.ts", [...job, "--keep", "--out", fleet.desk.out()]),
    ];
    assertEquals([await detached.exit(), await kept.exit()], [0, 0], detached.stderr + kept.stderr);
    const fetched = async (id: string): Promise<number> => {
      const out = fleet.desk.out();
      const code = await new Script("mapreduce.ts", ["fetch", fleet.at, id, "--out", out]).exit();
      if (code === 0) assertEquals(outputsIn(out), EXPECTED);
      else assert(!existsSync(out));
      return code;
    };
    const id = detached.stdout.trim();
    assertMatch(id, /^[a-z]{5}-[a-z]{5}$/);
    const names = [
      ...fleet.server.stderr.matchAll(
        /job (\w+-\w+) accepted from client \d+, \S+: wc, 6 maps, 4 reduces/g,
      ),
    ];
    const other = names.map(([, name]) => name!).findLast((name) => name !== id)!;
    const twice = async (name: string): Promise<number[]> => [
      await fetched(name),
      await fetched(name),
    ];
    assertEquals(await Promise.all([twice(id), twice(other)]), [
      [0, 3],
      [0, 0],
    ]);
    const status = new Script("mapreduce.ts", ["status", fleet.at, other, "--json"]);
    assertEquals(await status.exit(), 0);
    assertStringIncludes(status.stdout, `"state":"done"`);
    assertEquals(await new Script("mapreduce.ts", ["cancel", fleet.at, other]).exit(), 0);
    // It failed, and that is why.
    assertEquals(await fetched(other), 1);
  });

  test("code of users runs only where that is allowed; its errors harm nobody", async () => {
    const app = fleet.gated("map", fleet.desk.file("open-gate", ""));
    const out = fleet.desk.out();
    const flags = ["--reducers", "4", "--out", out];
    const job = new Script("mapreduce.ts", ["run", fleet.at, app, ...fleet.books, ...flags]);
    await job.said(/no miner of this server runs code of users/);
    const coders = ["coder", "other-coder"];
    for (const coder of coders.map((name) => fleet.start(name, "--allow-code"))) {
      await coder.said(/runs code of users, with the rights of this miner/);
    }
    await fleet.joined(...coders);
    assertEquals(await job.exit(), 0);
    assertEquals(outputsIn(out), EXPECTED);
    const bad = async (name: string, body: string, ...more: string[]): Promise<string> => {
      const file = fleet.desk.file(
        name,
        `export function* map(name: string) { ${body} }\nexport const reduce = () => "";`,
      );
      const failed = fleet.desk.out();
      const got = await mapreduce(fleet.at, file, fleet.books[0]!, "--out", failed, ...more);
      assertEquals([got.code, existsSync(failed)], [1, false], got.stderr);
      return got.stderr;
    };
    const [thrown, ended, late] = await Promise.all([
      bad("throw.ts", `throw new RangeError("no map of " + name);`),
      bad("exit.ts", `process.exit(4);`),
      bad("late.ts", `for (;;);`, "--task-timeout", "0.3"),
    ]);
    assertMatch(thrown!, /\n\s+at .*\n.*map 0 failed 3 times: .*RangeError: no map of .*0\.txt/s);
    assertMatch(ended!, /map 0 failed 12 times: its process ended with exit code 4/);
    assertMatch(late!, /map 0 failed 3 times: it ran longer than 0\.3 s/);
    const after = await mapreduce(fleet.at, "wc", fleet.books[0]!, "--stdout");
    assertEquals([after.code, after.stdout], [0, countWords([TEXTS[0]!], 1)[0]!]);
    // The other tests are of a fleet that runs no code of users, in whatever order they run.
    await Promise.all(coders.map((name) => fleet.lose(name, "SIGTERM")));
  });

  test("a server that refuses, or is not there, is one line", async () => {
    const nobody = await mapreduce(
      "127.0.0.1:1",
      "wc",
      fleet.books[0]!,
      "--stdout",
      "--epoch-millis",
      "20",
    );
    assertEquals(nobody.code, 1);
    assertStringIncludes(nobody.stderr, "127.0.0.1:1");
  });
});
