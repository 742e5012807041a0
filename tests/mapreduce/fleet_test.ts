/** Jobs on a fleet of real processes: server, miners, client, and what becomes of them. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";
import { until } from "../support/waiting.ts";
import { Desk, mapreduce, outputsIn } from "./jobs.ts";
import { countWords, indexFiles, text } from "./twin.ts";

const desk = new Desk();
const TEXTS = Array.from({ length: 6 }, (_, i) => text(i + 1, 8_000));
const BOOKS = TEXTS.map((contents, i) => desk.file(`books/${i}.txt`, contents));
const EXPECTED = countWords(TEXTS, 4);

/** A miner that is killed is missed after two seconds, not five. */
const SOON_LOST = ["--epoch-millis", "200"];

let at = "";
let server: Script;

/** A miner that runs code of users. */
const codeMiner = (where: string, name: string): Script => ownMiner(where, name, "--allow-code");

/** A miner with its files in a directory of its own: one that is killed leaves them. */
function ownMiner(where: string, name: string, ...flags: string[]): Script {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = join(desk.file(`${name}/keep`, ""), "..");
  try {
    return startMiner(where, "--name", name, ...flags);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}

beforeAll(async () => {
  ({ server, at } = await startServer(...SOON_LOST));
});
afterAll(async () => {
  await killAll();
  desk.remove();
});

/** Waits until the server knows of so many miners of that name. */
async function joined(of: Script, name: string): Promise<void> {
  await of.said(new RegExp(`\\(${name}\\) hashes with`));
}

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
    const miners = ["a", "b", "c"].map((name) => ownMiner(at, name));
    await Promise.all(["a", "b", "c"].map((name) => joined(server, name)));
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
    for (const miner of miners) miner.kill("SIGKILL");
  });

  test("code of users runs only where that is allowed; its errors harm nobody", async () => {
    const miner = ownMiner(at, "plain");
    await joined(server, "plain");
    const app = gated("map", desk.file("open-gate", ""));
    const out = desk.out();
    const job = new Script("mapreduce.ts", [
      "run",
      at,
      app,
      ...BOOKS,
      "--reducers",
      "4",
      "--out",
      out,
    ]);
    await job.said(/no miner of this server runs code of users/);
    const coder = codeMiner(at, "coder");
    await coder.said(/runs code of users, with the rights of this miner/);
    assertEquals(await job.exit(), 0);
    assertEquals(outputsIn(out), EXPECTED);
    const bad = async (name: string, body: string, ...flags: string[]): Promise<string> => {
      const file = desk.file(
        name,
        `export function* map(name: string) { ${body} }\nexport const reduce = () => "";`,
      );
      const failed = desk.out();
      const got = await mapreduce(at, file, BOOKS[0]!, "--out", failed, ...flags);
      assertEquals([got.code, existsSync(failed)], [1, false], got.stderr);
      return got.stderr;
    };
    const thrown = await bad("throw.ts", `throw new RangeError("no map of " + name);`);
    assertMatch(thrown, /\n\s+at .*\n.*map 0 failed 3 times: .*RangeError: no map of .*0\.txt/s);
    const ended = await bad("exit.ts", `process.exit(4);`);
    assertMatch(ended, /map 0 failed 12 times: its process ended with exit code 4/);
    const late = await bad("late.ts", `for (;;);`, "--task-timeout", "0.3");
    assertMatch(late, /map 0 failed 3 times: it ran longer than 0\.3 s/);
    const after = await mapreduce(at, "wc", BOOKS[0]!, "--stdout");
    assertEquals([after.code, after.stdout], [0, countWords([TEXTS[0]!], 1)[0]!]);
    for (const of of [miner, coder]) of.kill("SIGKILL");
  });

  test("workers that are killed in a map, and between the phases, change nothing", async () => {
    const names = ["one", "two", "three"];
    const miners = names.map((name) => codeMiner(at, name));
    await Promise.all(names.map((name) => joined(server, name)));
    const gate = join(desk.path, "map-gate");
    const out = desk.out();
    const flags = ["--reducers", "4", "--out", out, "--json"];
    const inMap = new Script("mapreduce.ts", ["run", at, gated("map", gate), ...BOOKS, ...flags]);
    await inMap.said(/"mapsDone":0.*/, "stdout");
    await server.said(/accepted: code:.*6 maps/);
    miners[0]!.kill("SIGKILL");
    await server.said(/\(one\) left/);
    writeFileSync(gate, "");
    assertEquals(await inMap.exit(), 0, inMap.stderr);
    assertEquals(outputsIn(out), EXPECTED);

    const second = join(desk.path, "reduce-gate");
    const later = desk.out();
    const app = gated("reduce", second);
    const between = new Script("mapreduce.ts", ["run", at, app, ...BOOKS, ...flags.with(3, later)]);
    await between.said(/"mapsDone":6/, "stdout");
    const revived = codeMiner(at, "four");
    await joined(server, "four");
    miners[1]!.kill("SIGKILL");
    await server.said(/\(two\) left/);
    writeFileSync(second, "");
    assertEquals(await between.exit(), 0, between.stderr);
    assertEquals(outputsIn(later), EXPECTED);
    for (const of of [...miners, revived]) of.kill("SIGKILL");
  });

  test("tasks that end their process, or sleep, as they like change nothing", async () => {
    const names = ["red", "green", "blue"];
    const miners = names.map((name) => codeMiner(at, name));
    await Promise.all(names.map((name) => joined(server, name)));
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
    for (const miner of miners) miner.kill("SIGKILL");
  });

  test("a partition that its disk has damaged is never used", async () => {
    const { server: other, at: where } = await startServer(...SOON_LOST);
    const miners = ["left", "right"].map((name) => codeMiner(where, name));
    await Promise.all(["left", "right"].map((name) => joined(other, name)));
    const gate = join(desk.path, "damage-gate");
    const out = desk.out();
    const app = gated("reduce", gate);
    const flags = ["--reducers", "4", "--out", out, "--json"];
    const job = new Script("mapreduce.ts", ["run", where, app, ...BOOKS, ...flags]);
    await job.said(/"mapsDone":6/, "stdout");
    // Two reduces run and wait; the others will find that every map's output is damaged.
    let damaged = 0;
    for (const name of ["left", "right"]) {
      const root = join(desk.path, name);
      for (const file of readdirSync(root, { recursive: true, encoding: "utf8" })) {
        if (!/\bmap-\d+$/.test(file)) continue;
        const bytes = readFileSync(join(root, file));
        for (let i = 0; i < bytes.length; i += 50) bytes[i]! ^= 1;
        writeFileSync(join(root, file), bytes);
        damaged++;
      }
    }
    assertEquals(damaged, 6);
    writeFileSync(gate, "");
    assertEquals(await job.exit(), 0, job.stderr);
    assertEquals(outputsIn(out), EXPECTED);
    for (const of of [...miners, other]) of.kill("SIGKILL");
  });

  test("a client that is interrupted leaves no files, and its job is dropped", async () => {
    const miner = codeMiner(at, "last");
    await joined(server, "last");
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
    const root = join(desk.path, "last");
    const hasFiles = (): boolean =>
      readdirSync(root, { recursive: true, encoding: "utf8" }).some((file) =>
        /job-\d+\b/.test(file),
      );
    await until("the miner to forget the jobs", () => !hasFiles());
    miner.kill("SIGKILL");
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
