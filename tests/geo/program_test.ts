/** The program geo.ts as people and scripts meet it: every verb, every exit code, bad input. */
import { afterAll } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../bench/processes.ts";
import { type Ended, killAll, runScriptToEnd, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-geo-"));
afterAll(async () => {
  await killAll();
  rmSync(directory, { recursive: true });
});

const test = sideBySide();

const LISTENING = /^listening on (127\.0\.0\.1:\d+)\n/;

async function served(...args: string[]): Promise<{ server: Script; at: string }> {
  const server = new Script("geo.ts", ["serve", ...args]);
  const [, at] = await server.said(LISTENING, "stdout");
  return { server, at: at! };
}

const geo = (...args: string[]): Promise<Ended> => runScriptToEnd("geo.ts", args);

test("keys and counters are put, read, listed, deleted and watched over two servers", async () => {
  const first = await served("0", "--actors", "2");
  const second = await served("0", "--join", first.at);
  const none = await geo("get", first.at, "x");
  assertEquals([none.code, none.stdout], [3, ""]);
  assertStringIncludes(none.stderr, 'there is no key "x"');
  const watcher = new Script("geo.ts", ["watch", second.at, "--limit", "3"]);
  await watcher.said(/watching/);
  assertEquals(await geo("put", first.at, "x", "hello"), { code: 0, stdout: "", stderr: "" });
  await watcher.said(/^put x\n/, "stdout");
  assertEquals((await geo("get", second.at, "x")).stdout, "hello");
  assertEquals((await geo("add", second.at, "n", "5")).stdout, "5\n");
  await watcher.said(/count 5 n\n/, "stdout");
  assertEquals((await geo("add", second.at, "--", "n", "-7")).stdout, "-2\n");
  assertEquals(await watcher.exit(), 0);
  assertEquals(
    (await geo("get", second.at, "n", "--json")).stdout,
    '{"key":"n","value":null,"count":-2}\n',
  );
  assertEquals((await geo("list", second.at)).stdout, "n\nx\n");
  assertEquals(
    (await geo("list", second.at, "x", "--json", "--limit", "1")).stdout,
    '{"key":"x","value":"hello"}\n',
  );
  assertEquals((await geo("delete", second.at, "x")).code, 0);
  assertEquals((await geo("get", second.at, "x")).code, 3);
  const status = await geo("status", `${first.at},${second.at}`);
  assertEquals(status.code, 0);
  assertStringIncludes(status.stdout, `${first.at}: 2 actors`);
  assertStringIncludes(status.stdout, `  ${second.at}: `);
  // The first server does not answer: the next one does.
  assertEquals((await geo("get", `127.0.0.1:9,${second.at}`, "n")).stdout, "-2\n");
});

test("what is acknowledged with --data is there after a kill -9, byte by byte", async () => {
  const [port] = await freePorts(1);
  const data = join(directory, "data");
  const { server, at } = await served(`${port}`, "--data", data);
  const file = join(directory, "bytes");
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i * 31);
  await Bun.write(file, bytes);
  assertEquals((await geo("put", at, "x", "--file", file)).code, 0);
  assertEquals((await geo("add", at, "n", "3")).code, 0);
  server.kill("SIGKILL");
  await server.exit();
  const again = await served(`${port}`, "--data", data);
  const got = Bun.spawn([process.execPath, "geo.ts", "get", again.at, "x"], { stdout: "pipe" });
  assertEquals(await got.stdout.bytes(), bytes);
  assertEquals((await geo("add", again.at, "n", "1")).stdout, "4\n");
  const inUse = await geo("serve", "0", "--data", data);
  assertEquals([inUse.code, inUse.stdout], [1, ""]);
  again.server.kill("SIGTERM");
  assertEquals(await again.server.exit(), 143);
  const [other] = await freePorts(1);
  const foreign = await geo("serve", `${other}`, "--data", data);
  assertEquals([foreign.code, foreign.stderr.split("\n").length], [1, 2], foreign.stderr);
  assertStringIncludes(foreign.stderr, `it belongs to geo "127.0.0.1:${port}"`);
});

test("a server that is gone for good is forgotten: one line for what cannot be", async () => {
  const first = await served("0");
  const second = await served("0", "--join", `${first.at},127.0.0.1:9`);
  let known = "";
  while (!known.includes(`  ${first.at}: `)) known = (await geo("status", second.at)).stdout;
  const alive = await geo("forget", second.at, first.at);
  assertEquals([alive.code, alive.stdout], [1, ""]);
  assertEquals(alive.stderr, "geo: that server still answers: end it first, and wait 10 s\n");
  const none = await geo("forget", second.at, "127.0.0.1:10");
  assertEquals([none.code, none.stderr], [3, "geo: there is no server 127.0.0.1:10\n"]);
  const done = await geo("forget", second.at, "127.0.0.1:9");
  assertEquals(done, { code: 0, stdout: "", stderr: "" });
  assertEquals((await geo("forget", second.at, "127.0.0.1:9")).code, 3);
  assertStringIncludes((await geo("status", second.at)).stdout, `  ${first.at}: `);
});

test("a server that is silent: one line, and exit 4", async () => {
  const late = await geo("put", "127.0.0.1:9", "x", "y", "--timeout", "0.1");
  assertEquals([late.code, late.stdout], [4, ""]);
  const { server, at } = await served("0");
  server.kill("SIGSTOP");
  const silent = await geo("status", at, "--timeout", "0.1");
  assertEquals([silent.code, silent.stdout], [4, ""]);
  server.kill("SIGCONT");
});

for (const [args, why] of [
  [["put", "127.0.0.1:9", "x"], "expected VALUE or --file, one of the two"],
  [["put", "127.0.0.1:9", "", "x"], "a key has 0 bytes, expected 1..1024"],
  [["put", "127.0.0.1:9", "k".repeat(1025), "x"], "a key has 1025 bytes, expected 1..1024"],
  [["get", "127.0.0.1:99999", "x"], "99999"],
  [["add", "127.0.0.1:9", "x", "1.5"], 'NUMBER is "1.5"'],
  [["serve", "0", "--actors", "0"], "--actors"],
  [["serve", "0", "--join", "nowhere:0x"], "--join"],
  [["serve", "0", "--data", ""], '--data is ""'],
  [["bless", "127.0.0.1:9"], "is no verb"],
] as const) {
  test(`geo.ts ${args.join(" ").slice(0, 40)} is a usage error of one line`, async () => {
    const { code, stdout, stderr } = await geo(...args);
    assertEquals([code, stdout, stderr.split("\n").length], [2, "", 2], stderr);
    assert(stderr.includes(why), stderr);
  });
}
