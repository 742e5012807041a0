/** Code of users on a fleet whose miners are lost, and whose disks damage. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "../support/processes.ts";
import { eventually } from "../support/waiting.ts";
import { EXPECTED, Fleet, TEXTS } from "./fleet.ts";
import { mapreduce, outputsIn } from "./jobs.ts";
import { countWords } from "./twin.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.begin();
  for (const name of ["a", "b"]) fleet.start(name, "--allow-code");
  await fleet.joined("a", "b");
});
afterAll(() => fleet.end());

describe("code of users on a fleet", () => {
  test("workers that are killed in a map, and between the phases, change nothing", async () => {
    for (const name of ["one", "two"]) fleet.start(name, "--allow-code");
    await fleet.joined("one", "two");
    const run = (phase: "map" | "reduce", reducers: number, out: string): Script => {
      const app = fleet.gated(phase, join(fleet.desk.path, `${phase}-gate`));
      const flags = ["--reducers", `${reducers}`, "--out", out, "--json"];
      return new Script("mapreduce.ts", ["run", fleet.at, app, ...fleet.books, ...flags]);
    };
    // One of the four reduces; the others map.
    const [betweenOut, inMapOut] = [fleet.desk.out(), fleet.desk.out()];
    const between = run("reduce", 1, betweenOut);
    await between.said(/"mapsDone":6/, "stdout");
    const inMap = run("map", 4, inMapOut);
    await inMap.said(/"mapsDone":0.*/, "stdout");
    await fleet.server.said(/accepted from client \d+, 127\.0\.0\.1: code:.*6 maps, 4 reduces/);
    await Promise.all(["one", "two"].map((name) => fleet.lose(name, "SIGKILL")));
    for (const phase of ["map", "reduce"])
      writeFileSync(join(fleet.desk.path, `${phase}-gate`), "");
    assertEquals([await inMap.exit(), await between.exit()], [0, 0], inMap.stderr + between.stderr);
    assertEquals([outputsIn(inMapOut), outputsIn(betweenOut)], [EXPECTED, countWords(TEXTS, 1)]);
  });

  test("tasks that end their process, or sleep, as they like change nothing", async () => {
    const app = fleet.desk.file(
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
    const out = fleet.desk.out();
    const job = [app, ...fleet.books, "--reducers", "4", "--out", out];
    const { code, stderr } = await mapreduce(fleet.at, ...job);
    assertEquals(code, 0, stderr);
    assertEquals(outputsIn(out), EXPECTED);
  });

  test("a partition that its disk has damaged is never used", async () => {
    const gate = join(fleet.desk.path, "damage-gate");
    const out = fleet.desk.out();
    const app = fleet.gated("reduce", gate);
    const flags = ["--reducers", "4", "--out", out, "--json"];
    const job = new Script("mapreduce.ts", ["run", fleet.at, app, ...fleet.books, ...flags]);
    await job.said(/"mapsDone":6/, "stdout");
    // Two reduces run and wait; the others will find that every map's output is damaged.
    const damaged = fleet.files(/\bmap-\d+$/);
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
    const out = fleet.desk.out();
    const app = fleet.gated("map", join(fleet.desk.path, "never"));
    const flags = ["--out", out, "--json"];
    const job = new Script("mapreduce.ts", ["run", fleet.at, app, ...fleet.books, ...flags]);
    await job.said(/"mapsDone":0/, "stdout");
    job.kill("SIGINT");
    assertEquals(await job.exit(), 130);
    await fleet.server.said(/dropped: it was cancelled/);
    assert(!existsSync(out));
    const after = await mapreduce(fleet.at, "wc", fleet.books[0]!, "--stdout");
    assertEquals(after.stdout, countWords([TEXTS[0]!], 1)[0]!);
    const hasForgotten = (): boolean => fleet.files(/\bjob-\d+\b/).length === 0;
    await eventually("the miners to forget the jobs", hasForgotten);
  });
});
