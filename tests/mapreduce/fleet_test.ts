/** Jobs on a fleet of real processes: server, miners, client, and what becomes of them. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";
import { eventually } from "../support/waiting.ts";
import { Desk, mapreduce, outputsIn } from "./jobs.ts";
import { hugeKey, longLine, manyKeys, peakMib, WORKER_MIB_MAX } from "./scenarios.ts";
import { countWords, indexFiles, text } from "./twin.ts";

const desk = new Desk();
const TEXTS = Array.from({ length: 6 }, (_, i) => text(i + 1, 8_000));
const BOOKS = TEXTS.map((contents, i) => desk.file(`books/${i}.txt`, contents));
const EXPECTED = countWords(TEXTS, 4);

/** A miner that is killed is missed after two seconds, not five. */
const SOON_LOST = ["--epoch-millis", "200"];

let at = "";
let server: Script;
/** Miners by name; those that run code of users, and one that does not. */
const miners = new Map<string, Script>();
/** A directory that one miner shares. */
const SHARED = join(desk.file("shared/books/0.txt", TEXTS[0]!), "../..");
const SHARED_BOOKS = TEXTS.map((contents, i) => desk.file(`shared/books/${i}.txt`, contents));

/** Starts a miner with its files in a directory of its own, where they can be looked at. */
async function start(name: string, ...flags: string[]): Promise<Script> {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = join(desk.file(`${name}/keep`, ""), "..");
  try {
    // Nothing is measured: that would take most of the time of these tests.
    const miner = startMiner(at, "--name", name, "--kernel", "plain", ...flags);
    miners.set(name, miner);
    return miner;
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}

/** Waits until the server knows of the miner of that name. */
async function joined(name: string): Promise<void> {
  await server.said(new RegExp(`\\(${name}\\) hashes with`));
}

async function lose(name: string): Promise<void> {
  miners.get(name)!.kill("SIGKILL");
  await server.said(new RegExp(`\\(${name}\\) left`));
}

/** Files of jobs in the directories of these miners. */
function filesOf(names: readonly string[], pattern: RegExp): string[] {
  return names.flatMap((name) => {
    const root = join(desk.path, name);
    const files = readdirSync(root, { recursive: true, encoding: "utf8" });
    return files.filter((file) => pattern.test(file)).map((file) => join(root, file));
  });
}

beforeAll(async () => {
  ({ server, at } = await startServer(...SOON_LOST));
  await start("plain");
  await start("sharing", "--shared", SHARED);
  await Promise.all(["plain", "sharing"].map(joined));
});
afterAll(async () => {
  await killAll();
  desk.remove();
});

/** An application that counts words, and waits in `phase` for a file to be there. */
function gated(phase: "map" | "reduce", gate: string): string {
  const wait = `while (!existsSync(${JSON.stringify(gate)})) await Bun.sleep(20);`;
  return desk.file(
    `${phase}-${gate.replaceAll(/\W/g, "")}.ts`,
    `import { existsSync } from "node:fs";
     export async function map(_: string, contents: string): Promise<[string, string][]> {
       ${phase === "map" ? wait : ""}
       return [...contents.matchAll(/\\p{L}+/gu)].map(([word]) => [word, "1"]);
     }
     export async function reduce(_: string, values: Iterable<string>): Promise<string> {
       ${phase === "reduce" ? wait : ""}
       return String([...values].length);
     }`,
  );
}

describe("on a fleet", () => {
  test("wc and indexer give what the twin gives, on miners that know nothing else", async () => {
    const [wc, index] = [desk.out(), desk.out()];
    const [counted, indexed] = await Promise.all([
      mapreduce(at, "wc", ...BOOKS, "--reducers", "4", "--out", wc),
      mapreduce(at, "indexer", ...BOOKS, "--reducers", "2", "--out", index),
    ]);
    assertEquals([counted.code, indexed.code], [0, 0], counted.stderr + indexed.stderr);
    assertEquals(outputsIn(wc), EXPECTED);
    assertEquals(
      outputsIn(index),
      indexFiles(
        BOOKS.map((path, i) => [path, TEXTS[i]!] as const),
        2,
      ),
    );
    const empty = desk.file("empty.txt", "");
    const none = await mapreduce(at, "wc", empty, "--stdout");
    assertEquals([none.code, none.stdout], [0, ""]);
  });

  test("many keys, a long line and one huge key are right, in bounded memory", async () => {
    // Several times the memory for sorting; the full ones are in scenarios_soak.ts.
    const scale = { keys: 80_000, lineBytes: 8_500_000, values: 100_000, sortMemory: 1 };
    await Promise.all([manyKeys, longLine, hugeKey].map((check) => check(at, desk, scale)));
    for (const miner of miners.values()) {
      const peak = peakMib(miner) ?? 0;
      assert(peak <= WORKER_MIB_MAX, `a miner had ${peak} MiB`);
    }
  });

  test("a miner that shares a directory reads and writes there; the others fetch", async () => {
    const out = join(SHARED, "out");
    const flags = ["--reducers", "4", "--out", out, "--shared", SHARED];
    const { code, stderr } = await mapreduce(at, "wc", ...SHARED_BOOKS, ...flags);
    assertEquals(code, 0, stderr);
    assertEquals(outputsIn(out), EXPECTED);
    assertEquals(
      readdirSync(out).sort(),
      [0, 1, 2, 3].map((r) => `mr-out-${r}`),
    );
  });

  test("outputs of a job whose client left are fetched by its id, and kept ones again", async () => {
    const job = ["run", at, "wc", ...BOOKS, "--reducers", "4", "--quiet"];
    const [detached, kept] = [
      new Script("mapreduce.ts", [...job, "--detach"]),
      new Script("mapreduce.ts", [...job, "--keep", "--out", desk.out()]),
    ];
    assertEquals([await detached.exit(), await kept.exit()], [0, 0], detached.stderr + kept.stderr);
    const fetched = async (id: string): Promise<number> => {
      const out = desk.out();
      const code = await new Script("mapreduce.ts", ["fetch", at, id, "--out", out]).exit();
      if (code === 0) assertEquals(outputsIn(out), EXPECTED);
      else assert(!existsSync(out));
      return code;
    };
    const id = detached.stdout.trim();
    assertMatch(id, /^[a-z]{5}-[a-z]{5}$/);
    assertEquals([await fetched(id), await fetched(id)], [0, 3]);
    const names = [...server.stderr.matchAll(/\((\w+-\w+)\) accepted: wc, 6 maps, 4 reduces/g)];
    const other = names.map(([, name]) => name!).findLast((name) => name !== id)!;
    assertEquals([await fetched(other), await fetched(other)], [0, 0]);
    const status = new Script("mapreduce.ts", ["status", at, other, "--json"]);
    assertEquals(await status.exit(), 0);
    assertStringIncludes(status.stdout, `"state":"done"`);
    assertEquals(await new Script("mapreduce.ts", ["cancel", at, other]).exit(), 0);
    // It failed, and that is why.
    assertEquals(await fetched(other), 1);
  });

  test("code of users runs only where that is allowed; its errors harm nobody", async () => {
    const app = gated("map", desk.file("open-gate", ""));
    const out = desk.out();
    const flags = ["--reducers", "4", "--out", out];
    const job = new Script("mapreduce.ts", ["run", at, app, ...BOOKS, ...flags]);
    await job.said(/no miner of this server runs code of users/);
    const coder = await start("coder", "--allow-code");
    await coder.said(/runs code of users, with the rights of this miner/);
    assertEquals(await job.exit(), 0);
    assertEquals(outputsIn(out), EXPECTED);
    const bad = async (name: string, body: string, ...more: string[]): Promise<string> => {
      const file = desk.file(
        name,
        `export function* map(name: string) { ${body} }\nexport const reduce = () => "";`,
      );
      const failed = desk.out();
      const got = await mapreduce(at, file, BOOKS[0]!, "--out", failed, ...more);
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
    const after = await mapreduce(at, "wc", BOOKS[0]!, "--stdout");
    assertEquals([after.code, after.stdout], [0, countWords([TEXTS[0]!], 1)[0]!]);
  });

  test("workers that are killed in a map, and between the phases, change nothing", async () => {
    await Promise.all(["one", "two"].map((name) => start(name, "--allow-code")));
    await Promise.all(["coder", "one", "two"].map(joined));
    const run = (phase: "map" | "reduce", reducers: number, out: string): Script => {
      const app = gated(phase, join(desk.path, `${phase}-gate`));
      const flags = ["--reducers", `${reducers}`, "--out", out, "--json"];
      return new Script("mapreduce.ts", ["run", at, app, ...BOOKS, ...flags]);
    };
    // One of the three reduces; the two others map.
    const [betweenOut, inMapOut] = [desk.out(), desk.out()];
    const between = run("reduce", 1, betweenOut);
    await between.said(/"mapsDone":6/, "stdout");
    const inMap = run("map", 4, inMapOut);
    await inMap.said(/"mapsDone":0.*/, "stdout");
    await server.said(/accepted: code:.*6 maps, 4 reduces/);
    await Promise.all([lose("one"), lose("two"), start("three", "--allow-code")]);
    await joined("three");
    for (const phase of ["map", "reduce"]) writeFileSync(join(desk.path, `${phase}-gate`), "");
    assertEquals([await inMap.exit(), await between.exit()], [0, 0], inMap.stderr + between.stderr);
    assertEquals([outputsIn(inMapOut), outputsIn(betweenOut)], [EXPECTED, countWords(TEXTS, 1)]);
  });

  test("tasks that end their process, or sleep, as they like change nothing", async () => {
    const app = desk.file(
      "crash.ts",
      `import { setTimeout as sleep } from "node:timers/promises";
       const maybe = async (): Promise<void> => {
         const luck = Math.random();
         if (luck < 1 / 3) process.exit(1);
         if (luck < 2 / 3) await sleep(300 * Math.random());
       };
       let isFirst = true;
       export async function map(_: string, contents: string): Promise<[string, string][]> {
         await maybe();
         return [...contents.matchAll(/\\p{L}+/gu)].map(([word]) => [word, "1"]);
       }
       export async function reduce(_: string, values: Iterable<string>): Promise<string> {
         if (isFirst) await maybe();
         isFirst = false;
         return String([...values].length);
       }`,
    );
    const out = desk.out();
    const { code, stderr } = await mapreduce(at, app, ...BOOKS, "--reducers", "4", "--out", out);
    assertEquals(code, 0, stderr);
    assertEquals(outputsIn(out), EXPECTED);
  });

  test("a partition that its disk has damaged is never used", async () => {
    const gate = join(desk.path, "damage-gate");
    const out = desk.out();
    const app = gated("reduce", gate);
    const flags = ["--reducers", "4", "--out", out, "--json"];
    const job = new Script("mapreduce.ts", ["run", at, app, ...BOOKS, ...flags]);
    await job.said(/"mapsDone":6/, "stdout");
    // Two reduces run and wait; the others will find that every map's output is damaged.
    const damaged = filesOf(["coder", "three"], /\bmap-\d+$/);
    for (const path of damaged) {
      const bytes = readFileSync(path);
      for (let i = 0; i < bytes.length; i += 50) bytes[i]! ^= 1;
      writeFileSync(path, bytes);
    }
    assertEquals(damaged.length, 6);
    writeFileSync(gate, "");
    assertEquals(await job.exit(), 0, job.stderr);
    assertEquals(outputsIn(out), EXPECTED);
  });

  test("a client that is interrupted leaves no files, and its job is dropped", async () => {
    const out = desk.out();
    const app = gated("map", join(desk.path, "never"));
    const job = new Script("mapreduce.ts", ["run", at, app, ...BOOKS, "--out", out, "--json"]);
    await job.said(/"mapsDone":0/, "stdout");
    job.kill("SIGINT");
    assertEquals(await job.exit(), 130);
    await server.said(/dropped: it was cancelled/);
    assert(!existsSync(out));
    const after = await mapreduce(at, "wc", BOOKS[0]!, "--stdout");
    assertEquals(after.stdout, countWords([TEXTS[0]!], 1)[0]!);
    const left = (): string[] => filesOf(["plain", "sharing", "coder", "three"], /\bjob-\d+\b/);
    await eventually("the miners to forget the jobs", () => left().length === 0);
  });

  test("a server that refuses, or is not there, is one line", async () => {
    const nobody = await mapreduce(
      "127.0.0.1:1",
      "wc",
      BOOKS[0]!,
      "--stdout",
      "--epoch-millis",
      "20",
    );
    assertEquals(nobody.code, 1);
    assertStringIncludes(nobody.stderr, "127.0.0.1:1");
  });
});
