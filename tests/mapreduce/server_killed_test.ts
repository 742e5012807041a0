/**
 * A server with `--data` that is killed in each phase of a job: real processes, and no map or
 * reduce that was done is done again.
 */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killAll, Script, startLastingServer } from "../support/processes.ts";
import { eventually } from "../support/waiting.ts";
import { Desk, outputsIn } from "./jobs.ts";
import { countWords, text } from "./twin.ts";

const desk = new Desk();
const TEXTS = Array.from({ length: 6 }, (_, i) => text(i + 1, 3_000));
const BOOKS = TEXTS.map((contents, i) => desk.file(`books/${i}.txt`, contents));
const REDUCERS = 4;
const EXPECTED = countWords(TEXTS, REDUCERS);
/** Lost connections are noticed after three seconds, not five; a busy machine is silent for one. */
const LSP = ["--epoch-millis", "300"];
const DATA = join(desk.path, "data");

let server: Script;
let at = "";
/** What servers said that are gone. */
let logs = "";
const miners: Script[] = [];

/** What an application did, a line for each task that began, and for each that ended. */
const done = (name: string): string[] => {
  const lines = readFileSync(join(desk.path, `${name}.log`), "utf8").split("\n");
  return lines.filter((line) => line !== "").toSorted();
};

/** An application that counts words, says what it does, and waits for a file in `phase`. */
function gated(name: string, phase: "map" | "reduce"): string {
  desk.file(`${name}.log`, "");
  const [log, gate] = ["log", "gate"].map((end) =>
    JSON.stringify(join(desk.path, `${name}.${end}`)),
  );
  const wait = `while (!existsSync(${gate!})) await Bun.sleep(20);`;
  return desk.file(
    `${name}.ts`,
    `import { appendFileSync, existsSync } from "node:fs";
     const say = (what: string): void => appendFileSync(${log!}, what + "\\n");
     const wait = async (phase: string): Promise<void> => {
       if (phase !== ${JSON.stringify(phase)}) return;
       ${wait}
     };
     let reducing = false;
     export async function map(name: string, contents: string): Promise<[string, string][]> {
       say("map " + name.at(-5));
       await wait("map");
       return [...contents.matchAll(/\\p{L}+/gu)].map(([word]) => [word, "1"]);
     }
     export async function reduce(key: string, values: Iterable<string>): Promise<string> {
       if (!reducing) say("reduce");
       reducing = true;
       await wait("reduce");
       return String([...values].length);
     }`,
  );
}

const open = (name: string): void => writeFileSync(join(desk.path, `${name}.gate`), "");
const MAPS = BOOKS.map((_, i) => `map ${i}`);

/** What all said, for one who reads that a test failed. */
function said(client: Script): () => string {
  return () => [client, server, ...miners].map(({ stderr }) => stderr).join("\n---\n");
}

/** Kills the server, and waits until its miners have noticed. */
async function killServer(): Promise<void> {
  const noticed = miners.map((miner) => miner.stderr.length);
  server.kill("SIGKILL");
  await server.exit();
  logs += server.stderr;
  await eventually("the miners to notice", () =>
    miners.every((miner, i) => /lost|trying/.test(miner.stderr.slice(noticed[i]))),
  );
}

async function startAgain(): Promise<void> {
  server = new Script("server.ts", [at.split(":")[1]!, "--data", DATA, ...LSP]);
  await server.said(/^listening on/, "stdout");
}

beforeAll(async () => {
  ({ server, at } = await startLastingServer("--data", DATA, ...LSP));
  for (const name of ["one", "two", "three"]) {
    const flags = ["--name", name, "--kernel", "plain", "--allow-code", ...LSP];
    const miner = new Script("miner.ts", [at, "--threads", "3", "--niceness", "normal", ...flags]);
    miners.push(miner);
  }
  await Promise.all(
    ["one", "two", "three"].map((name) => server.said(new RegExp(`\\(${name}\\) hashes with`))),
  );
});
afterAll(async () => {
  await killAll();
  desk.remove();
});

describe("a server with --data that is killed", () => {
  const run = (app: string, ...more: string[]): Script => {
    const flags = ["--reducers", `${REDUCERS}`, ...more, ...LSP];
    return new Script("mapreduce.ts", ["run", at, app, ...BOOKS, ...flags]);
  };
  const ask = async (verb: string, id: string, ...more: string[]): Promise<Script> => {
    const script = new Script("mapreduce.ts", [verb, at, id, ...more, ...LSP]);
    await script.exit();
    return script;
  };

  test("with jobs in each phase: all go on, and no map that was done is done again", async () => {
    const [first, second] = [desk.out(), desk.out()];
    // One is done, and waits to be fetched; ...
    const detached = run(gated("detached", "reduce"), "--detach", "--quiet");
    open("detached");
    assertEquals(await detached.exit(), 0, detached.stderr);
    const id = detached.stdout.trim();
    assertEquals((await ask("wait", id)).process.exitCode, 0);
    // ... one reduces, ...
    const reducing = run(gated("reduces", "reduce"), "--out", first, "--json");
    const isReducing = (): boolean => done("reduces").includes("reduce");
    await eventually("a reduce to begin", isReducing, said(reducing));
    await reducing.said(/"mapsDone":6/, "stdout");
    // ... one maps, which goes on while no server is there.
    const mapping = run(gated("maps", "map"), "--out", second, "--json");
    await eventually("maps to begin", () => done("maps").length >= 2, said(mapping));
    await killServer();
    open("maps");
    await startAgain();
    await server.said(/goes on: 10 of 10 tasks were done before/);
    await server.said(/goes on: 6 of 10 tasks were done before/);
    open("reduces");

    assertEquals([await mapping.exit(), await reducing.exit()], [0, 0], mapping.stderr);
    assertEquals([outputsIn(first), outputsIn(second)], [EXPECTED, EXPECTED]);
    const [waited, status] = await Promise.all([ask("wait", id), ask("status", id)]);
    assertEquals(waited.process.exitCode, 0);
    assertMatch(status.stdout, new RegExp(`^${id} .*: done, 6/6 maps, 4/4`));
    const out = desk.out();
    const fetched = await ask("fetch", id, "--out", out);
    assertEquals([fetched.process.exitCode, outputsIn(out)], [0, EXPECTED], fetched.stderr);
    // On a machine that is too busy a miner is lost, or comes back too late, or a task waits for so
    // long that another miner does it as well; and a server says so.
    const late = /waits no longer|\((one|two|three)\) left|has stalled|does it as well/;
    const isLate = late.test(logs + server.stderr);
    const maps = (name: string): string[] => done(name).filter((line) => line !== "reduce");
    for (const name of isLate ? [] : ["detached", "reduces"]) assertEquals(maps(name), MAPS, name);
    // Of maps that ran the next server hears from their miners, of which one may come first.
    assertEquals([...new Set(maps("maps"))], MAPS);
    const gone = await ask("status", id);
    assertEquals(gone.process.exitCode, 3);
    assertStringIncludes(gone.stderr, `there is no job ${id}`);
  });
});
