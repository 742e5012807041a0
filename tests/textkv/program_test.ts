/** The program textkv.ts as people and scripts meet it; the session of its page, typed. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import type { Counts } from "../../textkv/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { until } from "../support/waiting.ts";
import { killClients, TcpClient } from "./tcp_client.ts";

afterEach(async () => {
  killClients();
  await killAll();
});

const LISTENING = /^listening on 127\.0\.0\.1:(\d+)\n/;

async function started(...args: string[]): Promise<{ script: Script; port: number }> {
  const script = new Script("textkv.ts", ["0", ...args]);
  const [, port] = await script.said(LISTENING, "stdout");
  return { script, port: Number(port) };
}

/** What is typed and what comes back, in the session of docs/textkv.md. */
async function sessionOfDocs(): Promise<{ typed: string; shown: string[] }[]> {
  const page = await Bun.file(join(import.meta.dir, "../../docs/textkv.md")).text();
  const block = /\$ nc 127\.0\.0\.1 6080\n([^]*?)\n```/.exec(page)![1]!;
  const turns: { typed: string; shown: string[] }[] = [];
  for (const line of block.split("\n")) {
    if (/^(Put|Get|Delete|Update):/.test(line)) turns.push({ typed: line, shown: [] });
    else turns.at(-1)!.shown.push(line);
  }
  return turns;
}

test("the session in docs/textkv.md goes as it is shown, with netcat where there is one", async () => {
  const turns = await sessionOfDocs();
  assert(turns.length >= 10);
  const { port } = await started();
  const netcat = Bun.which("nc");
  if (netcat === null) {
    console.warn("no nc on this machine: the session is typed over a socket of Bun");
    const client = await TcpClient.connect(port);
    for (const { typed, shown } of turns) {
      client.received = "";
      client.send(`${typed}\n`);
      assertEquals(await client.linesTo(shown.length), shown);
    }
    return;
  }
  const nc = Bun.spawn([netcat, "127.0.0.1", String(port)], { stdin: "pipe", stdout: "pipe" });
  let all = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const part of nc.stdout) all += decoder.decode(part, { stream: true });
  })();
  let expected = "";
  for (const { typed, shown } of turns) {
    nc.stdin.write(`${typed}\n`);
    await nc.stdin.flush();
    expected += shown.map((line) => `${line}\n`).join("");
    await until(`the answer to ${typed}`, () => all.length >= expected.length);
    assertEquals(all, expected);
  }
  nc.kill();
  await nc.exited;
});

test("the ready line is all of stdout, the counts come at the end, and signals have their codes", async () => {
  for (const [signal, code] of [
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const { script, port } = await started();
    const client = await TcpClient.connect(port);
    client.send("Put:a:1\nnonsense\nGet:a\n");
    await client.linesTo(1);
    script.kill(signal);
    assertEquals(await script.exit(), code);
    assertEquals(script.stdout, `listening on 127.0.0.1:${port}\n`);
    assertEquals(
      script.stderr.replace(/^\S+Z /, ""),
      "0 clients, 1 gone; 2 requests; 0 lines dropped; 1 line ignored (unknown 1); 1 value of 1 key\n",
    );
    await client.until("its end", () => client.isClosed);
  }
});

test("serve is its verb and may be left out; --json and --quiet do as everywhere", async () => {
  const verb = new Script("textkv.ts", ["serve", "0", "--quiet"]);
  await verb.said(LISTENING, "stdout");
  verb.kill("SIGINT");
  assertEquals([await verb.exit(), verb.stderr], [130, ""]);
  const json = new Script("textkv.ts", ["0", "--json"]);
  const [ready] = await json.said(/^.*\n/, "stdout");
  const { kind, host, port } = JSON.parse(ready);
  assertEquals([kind, host], ["listening", "127.0.0.1"]);
  const client = await TcpClient.connect(port);
  client.send("Put:a:1\nGet:a\n");
  await client.linesTo(1);
  json.kill("SIGTERM");
  assertEquals(await json.exit(), 143);
  const last = JSON.parse(json.stdout.trim().split("\n").at(-1)!);
  assertEquals([last.kind, last.requests, last.dropped], ["counts", 2, 1]);
  assertEquals(json.stderr, "");
});

test("--admin gives the counts as JSON over HTTP, to readers on this machine", async () => {
  const { script, port } = await started("--admin", "0");
  const [, at] = await script.said(/counts at (http:\/\/127\.0\.0\.1:\d+\/)\n/);
  const client = await TcpClient.connect(port);
  client.send("Put:a:1\nPut:a:2\nwhat\nGet:a\n");
  await client.linesTo(2);
  const answer = await fetch(at!);
  assertEquals(answer.headers.get("content-type")?.split(";")[0], "application/json");
  const counts = (await answer.json()) as Counts;
  assertEquals(
    [counts.active, counts.dropped, counts.requests, counts.ignored.unknown, counts.values],
    [1, 0, 3, 1, 2],
  );
  assertEquals((await fetch(`${at}nothing`)).status, 404);
  assertEquals((await fetch(at!, { method: "POST", body: "x" })).status, 405);
  assertEquals((await fetch(at!, { method: "HEAD" })).status, 200);
});

describe("what cannot work gets one line on stderr, and its exit code:", () => {
  const fails = async (args: string[], code: number, why: string): Promise<void> => {
    const script = new Script("textkv.ts", args);
    assertEquals([await script.exit(), script.stdout], [code, ""], args.join(" "));
    assertEquals(script.stderr.split("\n").length, 2, script.stderr);
    assertStringIncludes(script.stderr, why);
  };

  test("a port in use, for either", async () => {
    const { port } = await started();
    await fails([String(port)], 1, `textkv: 127.0.0.1:${port} is in use by another program`);
    await fails(["0", "--admin", String(port)], 1, `127.0.0.1:${port}, for --admin, is in use`);
  });

  test("wrong usage", async () => {
    await fails(["70000"], 2, 'PORT is "70000"');
    await fails(["6080", "6081"], 2, "expected [PORT]");
    await fails(["0", "--admin", "http"], 2, '--admin is "http"');
    await fails(["0", "--advertise", "here"], 2, '--advertise is "here", expected HOST:PORT');
    await fails(["0", "--store", "127.0.0.1:0"], 2, 'PORT is "0"');
  });

  test("a host of another machine", async () => {
    await fails(["0", "--host", "192.0.2.1"], 1, "cannot listen on 192.0.2.1:0");
  });
});

test("with another host it warns that there is no authentication, and says how it is reached", async () => {
  const script = new Script("textkv.ts", ["0", "--host", "0.0.0.0", "--advertise", "kv.lan:6080"]);
  await script.said(/^listening on 0\.0\.0\.0:\d+\n/, "stdout");
  await script.said(/others reach this at kv\.lan:6080; there is no authentication yet/);
});

test("--help lists every flag there is", async () => {
  const script = new Script("textkv.ts", ["-h"]);
  assertEquals(await script.exit(), 0);
  for (const flag of [
    "data",
    "store",
    "admin",
    "host",
    "advertise",
    "json",
    "quiet",
    "version",
    "help",
  ]) {
    assertStringIncludes(script.stdout, `--${flag}`);
  }
  assertStringIncludes(script.stdout, "[serve] [PORT]");
});
