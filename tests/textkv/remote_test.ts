/** The text server on a replicated store: the same protocol, and nothing goes with the server. */
import { afterEach, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { openStore, serveStore } from "../../kv/mod.ts";
import { TextServer } from "../../textkv/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { until } from "../support/waiting.ts";
import { killClients, TcpClient } from "./tcp_client.ts";

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  killClients();
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
  await killAll();
});

async function served(): Promise<{ at: string; text: TextServer }> {
  const server = await serveStore({ port: 0 });
  const at = `127.0.0.1:${server.port}`;
  const text = new TextServer({ store: [at] });
  closing.push(server, text);
  await text.start({ port: 0 });
  return { at, text };
}

test("lists are kept in the store, and outlive the text server", async () => {
  const { at, text } = await served();
  const client = await TcpClient.connect(text.port);
  client.send("Put:x:a:b\nPut:x:\nPut:x:c\nUpdate:x:c:b:d\nUpdate:x:none:e\nGet:x\n");
  assertEquals(await client.linesTo(4), ["x:a:b", "x:", "x:b:d", "x:e"]);
  client.send("Put:\xff:\xfe\nnonsense\nGet:x:y\n");
  await until("three lines", () => text.counts().ignored.malformed === 1);
  assertEquals(text.counts().ignored.unknown, 1);
  const store = openStore({ servers: [at] });
  closing.push(store);
  assertEquals((await store.get("list/x"))!.text, "a:b\n\nb:d\ne\n");
  const other = new TextServer({ store: [at] });
  closing.push(other);
  await other.start({ port: 0 });
  const reader = await TcpClient.connect(other.port);
  reader.send("Delete:y\nGet:y\nGet:x\nDelete:x\nGet:x\nPut:x:new\nGet:x\n");
  assertEquals(await reader.linesTo(5), ["x:a:b", "x:", "x:b:d", "x:e", "x:new"]);
});

test("clients of two servers change one list at once, and nothing is lost or doubled", async () => {
  const { at, text } = await served();
  const other = new TextServer({ store: [at] });
  closing.push(other);
  await other.start({ port: 0 });
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, i) => TcpClient.connect([text, other][i % 2]!.port)),
  );
  for (const [i, client] of clients.entries()) {
    const lines = Array.from({ length: 30 }, (_, j) => {
      return j % 3 === 2 ? `Update:x:${i}.${j - 1}:${i}.${j}` : `Put:x:${i}.${j}`;
    });
    client.send(`${lines.join("\n")}\nPut:done ${i}:yes\nGet:done ${i}\n`);
  }
  await Promise.all(clients.map((client) => client.linesTo(1)));
  const reader = await TcpClient.connect(text.port);
  reader.send("Get:x\n");
  const lines = (await reader.linesTo(120)).map((line) => line.slice(2));
  const expected = clients.flatMap((_, i) =>
    Array.from({ length: 30 }, (_one, j) => j)
      .filter((j) => j % 3 !== 1)
      .map((j) => `${i}.${j}`),
  );
  assertEquals(lines.toSorted(), expected.toSorted());
  for (let i = 0; i < clients.length; i++) {
    const own = lines.filter((line) => line.startsWith(`${i}.`)).map((line) => line.split(".")[1]);
    assertEquals(
      own,
      own.toSorted((a, b) => Number(a) - Number(b)),
      `client ${i}`,
    );
  }
});

test("a list that is as long as a value of the store takes no more", async () => {
  const { text } = await served();
  const client = await TcpClient.connect(text.port);
  client.send(`Put:x:${"v".repeat(700_000)}\nPut:x:${"v".repeat(700_000)}\nPut:x:end\n`);
  client.send(`Put:${"k".repeat(2000)}:v\nPut:y:after\nGet:y\n`);
  assertEquals(await client.linesTo(1), ["y:after"]);
  assertEquals([text.counts().ignored.full, text.counts().ignored.malformed], [1, 1]);
});

test("textkv.ts --store serves the store's lists; --data beside it is wrong usage", async () => {
  const { at } = await served();
  const script = new Script("textkv.ts", ["0", "--store", at]);
  const [, port] = await script.said(/^listening on 127\.0\.0\.1:(\d+)\n/, "stdout");
  const client = await TcpClient.connect(Number(port));
  client.send("Put:x:1\nGet:x\n");
  assertEquals(await client.linesTo(1), ["x:1"]);
  const wrong = new Script("textkv.ts", ["0", "--store", at, "--data", "x"]);
  assertEquals(await wrong.exit(), 2);
  assertStringIncludes(wrong.stderr, "got --data and --store, expected one of the two");
  const nowhere = new Script("textkv.ts", ["0", "--store", "127.0.0.1:9"]);
  await nowhere.said(/waiting for the store at 127\.0\.0\.1:9/);
});

test("a server that is closed while it waits for its store says so", async () => {
  const text = new TextServer({ store: ["127.0.0.1:9"] });
  const started = text.start({ port: 0 });
  await text.close();
  const error = await assertRejects(() => started, Error, "closed");
  assert(error.message.length > 0);
});
