/** The program kv.ts as people and scripts meet it: one server, every verb, every exit code. */
import { afterAll, describe, test as single } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KV } from "../../kv.ts";
import { UsageError } from "../../run/errors.ts";
import { runServing } from "../../run/verbs.ts";
import { type Ended, killAll, runScriptToEnd, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-kv-"));
afterAll(async () => {
  await killAll();
  rmSync(directory, { recursive: true });
});

const test = sideBySide();

const LISTENING = /^listening on (127\.0\.0\.1:\d+)\n/;
let stores = 0;

async function served(...args: string[]): Promise<{ server: Script; at: string }> {
  const server = new Script("kv.ts", ["serve", "0", ...args]);
  const [, at] = await server.said(LISTENING, "stdout");
  return { server, at: at! };
}

const kv = (...args: string[]): Promise<Ended> => runScriptToEnd("kv.ts", args);

const newData = (): string => join(directory, `data ${++stores}`);

test("what is put is there after a kill -9, byte by byte", async () => {
  const data = newData();
  const { server, at } = await served("--data", data);
  const file = join(directory, "bytes");
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i * 31);
  await Bun.write(file, bytes);
  assertEquals(await kv("put", at, "x", "--file", file), {
    code: 0,
    stdout: "version 1\n",
    stderr: "",
  });
  server.kill("SIGKILL");
  await server.exit();
  const again = await served("--data", data);
  const got = Bun.spawn([process.execPath, "kv.ts", "get", again.at, "x"], { stdout: "pipe" });
  assertEquals(await got.stdout.bytes(), bytes);
  again.server.kill("SIGTERM");
  assertEquals(await again.server.exit(), 143);
  const other = new Script("kv.ts", ["serve", "0", "--node", "2", "--data", data]);
  assertEquals(await other.exit(), 1);
  assertEquals(other.stderr.split("\n").length, 2, other.stderr);
});

test("keys are read, changed under conditions, listed and deleted", async () => {
  const { at } = await served("--memory");
  const none = await kv("get", at, "x");
  assertEquals([none.code, none.stdout], [3, ""]);
  assertStringIncludes(none.stderr, 'there is no key "x"');
  const absent = await kv("get", at, "x", "--json");
  assertEquals(absent.stdout, '{"key":"x","value":null,"version":0,"revision":0}\n');
  await kv("put", at, "x", "hello", "--at", "0");
  const refused = await kv("put", at, "x", "hi", "--at", "0");
  assertEquals([refused.code, refused.stdout], [3, ""]);
  assertStringIncludes(refused.stderr, 'refused: "x" has version 1, asked for was 0');
  assertEquals((await kv("append", at, "x", " you", "--at", "1")).stdout, "version 2\n");
  assertEquals((await kv("get", at, "x")).stdout, "hello you");
  const shown = JSON.parse((await kv("get", at, "x", "--json", "--stale")).stdout) as unknown;
  assertEquals(shown, { key: "x", value: "hello you", version: 2, revision: 2 });
  assertEquals(
    (await kv("cas", at, "x", "2", "1", "y", "0", "2")).stdout,
    "version 3\nversion 1\n",
  );
  const late = await kv("cas", at, "x", "2", "1", "y", "-", "2");
  assertEquals([late.code, late.stdout], [3, "version 3\nversion 1\n"]);
  assertEquals((await kv("list", at)).stdout, "x\ny\n");
  assertEquals((await kv("list", at, "--limit", "1", "--after", "x")).stdout, "y\n");
  const listed = (await kv("list", at, "y", "--json")).stdout;
  assertEquals(listed, '{"key":"y","value":"2","version":1}\n');
  assertEquals((await kv("delete", at, "y")).stdout, "version 1\n");
  assertEquals((await kv("delete", at, "y")).code, 3);
  const seen = await kv("watch", at, "--after", "2", "--limit", "3");
  assertEquals(seen.stdout, "3 put 3 x\n4 put 1 y\n5 delete 1 y\n");
});

test("export and import copy everything", async () => {
  const first = await served("--memory");
  const second = await served("--memory");
  const file = join(directory, "bytes of a key");
  await Bun.write(file, new Uint8Array([0, 255, 10]));
  await kv("put", first.at, "binary", "--file", file);
  await kv("put", first.at, "text", "x");
  const copy = join(directory, "copy.jsonl");
  // What goes with a lease, as the lock does that is held meanwhile, is not in it.
  const exporting = [process.execPath, "kv.ts", "export", first.at, copy];
  const made = await kv("lock", first.at, "held", "--", ...exporting);
  assertStringIncludes(made.stderr, "2 keys as of revision 3");
  assertEquals((await kv("import", second.at, copy)).code, 0);
  const again = await kv("export", second.at, "-");
  const text = await Bun.file(copy).text();
  assertEquals(again.stdout, text.replace('"revision":3', '"revision":2'));
  await Bun.write(copy, text.split("\n").slice(0, 2).join("\n"));
  const cut = await kv("import", second.at, copy);
  assertEquals(cut.code, 2);
  assertStringIncludes(cut.stderr, "has 1 keys, its first line says 2");
  // Nothing is put of a file that has a mistake further down.
  await Bun.write(copy, `${text.replace('"keys":2', '"keys":3')}{"key":"","value":""}\n`);
  const empty = await served("--memory");
  const bad = await kv("import", empty.at, copy);
  assertStringIncludes(bad.stderr, "line 4 of");
  assertEquals([bad.code, (await kv("list", empty.at)).stdout], [2, ""]);
});

describe("kv.ts lock", () => {
  test("runs a command with a token, and passes its code on", async () => {
    const { at } = await served("--memory");
    const shown = await kv(
      "lock",
      at,
      "a",
      "--",
      "sh",
      "-c",
      "echo $MOTHERLODE_LOCK_TOKEN; exit 7",
    );
    assertEquals([shown.code, shown.stdout], [7, "1\n"]);
    const holder = new Script("kv.ts", [
      "lock",
      at,
      "a",
      "--",
      "sh",
      "-c",
      "echo held; exec sleep 100",
    ]);
    await holder.said(/held/, "stdout");
    const late = await kv("lock", at, "a", "--timeout", "0.1", "--", "true");
    assertEquals(late.code, 4);
    // A busy machine may be too late even to be told that it is not free.
    assert(/the lock a was not (free|taken) in time/.test(late.stderr), late.stderr);
    const next = new Script("kv.ts", ["lock", at, "a", "--", "sh", "-c", "echo mine"]);
    holder.kill("SIGTERM");
    assertEquals(await holder.exit(), 143);
    assertEquals(await next.exit(), 0);
    assertEquals(next.stdout, "mine\n");
    assertEquals((await kv("lock", at, "b", "--", "no such command")).code, 127);
  });

  test("ends the command with SIGTERM when the lock is lost, and exits with 4", async () => {
    const { server, at } = await served("--memory");
    const command = "trap 'echo told; exit 0' TERM; echo held; while :; do sleep 0.1; done";
    const holder = new Script("kv.ts", ["lock", at, "a", "--ttl", "2", "--", "sh", "-c", command]);
    await holder.said(/held/, "stdout");
    server.kill("SIGKILL");
    assertEquals(await holder.exit(), 4);
    assertEquals(holder.stdout, "held\ntold\n");
    assertStringIncludes(holder.stderr, "the lock is lost");
  });
});

test("status shows the cluster; a silent server is code 4", async () => {
  const { at } = await served("--memory");
  const [head, row, ...rest] = (await kv("status", at)).stdout.split("\n");
  assertEquals(head!.split(/\s+/).slice(0, 4), ["node", "address", "role", "term"]);
  assertEquals([row!.split(/\s+/).slice(0, 3), rest], [["1", at, "leader"], [""]]);
  const json = JSON.parse((await kv("status", at, "--json")).stdout) as Record<string, unknown>;
  assertEquals([json["role"], json["lag"]], ["leader", 0]);
  assertEquals((await kv("member", at, "promote", "1")).stdout, "node 1 is a voter\n");
  const stranger = await kv("transfer", at, "9");
  assertEquals(stranger.code, 1);
  assertStringIncludes(stranger.stderr, "node 9 is no voter: the voters are 1");
  assertStringIncludes((await kv("transfer", at)).stderr, "nobody else can lead");
  const silent = await kv("status", "127.0.0.1:9", "--timeout", "0.1");
  assertEquals([silent.code, silent.stdout], [4, ""]);
  const late = await kv("put", "127.0.0.1:9", "x", "y", "--timeout", "0.1");
  assertEquals(late.code, 4);
  assertStringIncludes(late.stderr, "it was not done (no answer from 127.0.0.1:9)");
});

single.each([
  [["put", "127.0.0.1:9", "x"], "expected VALUE or --file, one of the two"],
  [["put", "127.0.0.1:9", "", "x"], "a key has 0 bytes, expected 1..1024"],
  [["put", "127.0.0.1:9", "x", "y", "--at", "-1"], "--at"],
  [["get", "127.0.0.1:99999", "x"], "99999"],
  [["cas", "127.0.0.1:9", "x", "1"], "expected KEY VERSION VALUE"],
  [["member", "127.0.0.1:9", "add", "2"], "kv.ts serve PORT --node 2 --join 127.0.0.1:9"],
  [["member", "127.0.0.1:9", "bless", "2"], "expected add, promote or remove"],
  [["lock", "127.0.0.1:9", "x", "--ttl", "0.01", "--", "true"], "expected 0.1..86400 seconds"],
  [["lock", "127.0.0.1:9", "", "--", "true"], "the lock has no name"],
  [["serve", "0", "--memory", "--data", "x"], "expected one of the two"],
  [["serve", "0", "--cluster", "1=a:1"], "--node is missing"],
  [["serve", "0", "--node", "2", "--cluster", "1=a:1"], "which --cluster does not have"],
  [["serve", "0", "--node", "1", "--cluster", "1=a:1,1=a:2"], "has node 1 twice"],
  [
    ["serve", "0", "--node", "1", "--memory", "--cluster", "1=a:1"],
    "--memory is for a single node",
  ],
  [["import", "127.0.0.1:9", "kv.ts"], "line 1 of kv.ts"],
])("kv.ts %p is a usage error of one line", async (args, why) => {
  // What becomes of one is seen below, once: each process takes a tenth of a second.
  const error = await assertRejects(() => runServing(KV, args), UsageError, why);
  assert(!error.message.includes("\n"), error.message);
});

test("a usage error is a line on stderr, and code 2", async () => {
  const { code, stdout, stderr } = await kv("serve", "0", "--memory", "--data", "x");
  assertEquals([code, stdout, stderr.split("\n").length], [2, "", 2], stderr);
  assertStringIncludes(stderr, "expected one of the two");
});
