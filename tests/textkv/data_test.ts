/** The server with --data on real files: what it keeps through kill -9, and whom it refuses. */
import { afterAll, describe } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "../../run/disk_errors.ts";
import { TextServer, TextServerError } from "../../textkv/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { until } from "../support/waiting.ts";
import { killClients, TcpClient } from "./tcp_client.ts";

const directories: string[] = [];
afterAll(async () => {
  killClients();
  await killAll();
  for (const directory of directories) rmSync(directory, { recursive: true });
});

const test = sideBySide();

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-textkv-"));
  directories.push(directory);
  return directory;
}

async function started(data: string): Promise<{ script: Script; port: number }> {
  const script = new Script("textkv.ts", ["0", "--data", data, "--quiet"]);
  const [, port] = await script.said(/^listening on 127\.0\.0\.1:(\d+)\n/, "stdout");
  return { script, port: Number(port) };
}

test("twenty times kill -9: what a Get has shown is there, what was sent last may be", async () => {
  const data = newDirectory();
  let [sent, shown] = [0, 0];
  for (let life = 0; life < 20; life++) {
    const { script, port } = await started(data);
    const client = await TcpClient.connect(port);
    client.send("Get:k\nPut:end:1\nGet:end\nDelete:end\n");
    await client.until("all of it", () => client.received.endsWith("end:1\n"));
    const kept = client.lines.length - 1;
    assertEquals(
      client.lines.slice(0, -1),
      Array.from({ length: kept }, (_, i) => `k:${i}`),
    );
    assert(kept >= shown && kept <= sent, `${kept} are kept, ${shown} were shown, ${sent} sent`);
    sent = kept;
    client.received = "";
    for (let turn = 0; turn < 5 + life; turn++) {
      for (let i = 0; i < 20; i++) client.send(`Put:k:${sent++}\n`);
      client.send(`Update:n:${sent - 20}:${sent}\nGet:n\n`);
      // The last turns are not waited for: the server dies in the middle of them.
      if (turn < 3)
        await client.until(`n to be ${sent}`, () => client.received.endsWith(`:${sent}\n`));
    }
    // The reader may yet read what was shown before the end.
    script.kill("SIGKILL");
    await client.until("the end", () => client.isClosed);
    shown = Number(/n:(\d+)\n[^\n]*$/.exec(client.received)![1]);
    await script.exit();
  }
  assert(shown > 500);
});

test("a server that ends in good order keeps what nobody has read back, too", async () => {
  const data = newDirectory();
  const first = await started(data);
  const client = await TcpClient.connect(first.port);
  client.send("Put:a:1\nPut:b:2\nDelete:a\nPut:\0:ÿ\0\r\nGet:none\nPut:c:3\nGet:c\n");
  await client.linesTo(1);
  client.send("Put:d:4\n");
  await client.until("it to be sent", () => client.unsent === 0);
  // What it has got when the signal comes is carried out: it is asked for by another client.
  const other = await TcpClient.connect(first.port);
  other.send("Get:d\n");
  await other.linesTo(1);
  first.script.kill("SIGINT");
  assertEquals(await first.script.exit(), 130);
  const second = await started(data);
  const reader = await TcpClient.connect(second.port);
  reader.send("Get:a\nGet:b\nGet:\0\nGet:c\nGet:d\n");
  assertEquals(await reader.linesTo(4), ["b:2", "\0:ÿ\0", "c:3", "d:4"]);
});

test("the log is cut now and then: what is on disk stays near what is alive", async () => {
  const data = newDirectory();
  const limits = { snapshotLogBytes: 200_000, snapshotPartBytes: 20_000 };
  const value = "v".repeat(1000);
  let server = new TextServer({ data, limits });
  await server.start({ port: 0 });
  const client = await TcpClient.connect(server.port);
  for (let i = 0; i < 40; i++) client.send(`Put:list:${i}\n`);
  // Two and a half segments of 16 MiB.
  for (let i = 0; i < 40_000; i++) client.send(`Update:k:${i - 1}${value}:${i}${value}\n`);
  client.send("Get:k\n");
  await client.until("it to be durable", () => client.received.endsWith(`k:39999${value}\n`));
  await server.close();
  server = new TextServer({ data, limits });
  await server.start({ port: 0 });
  const { keys, values, disk } = server.counts();
  assertEquals([keys, values, disk], [2, 41, "ready"]);
  await server.close();
  const names = await Array.fromAsync(new Bun.Glob("*-*").scan(data));
  const [logs, snapshots] = ["log-", "snapshot-"].map((head) =>
    names.filter((name) => name.startsWith(head)),
  );
  assert(logs!.length <= 2 && snapshots!.length === 1, names.join(" "));
});

// Only there can the size of a file be limited while a program runs.
if (process.platform === "linux" && Bun.which("prlimit") !== null) {
  test("a disk that fails ends the server with one line, and what was shown is kept", async () => {
    const data = newDirectory();
    const { script, port } = await started(data);
    const limit = ["prlimit", "--fsize=200000", "--pid", String(script.process.pid)];
    await Bun.spawn(limit, { stdio: ["ignore", "ignore", "inherit"] }).exited;
    const client = await TcpClient.connect(port);
    client.send("Put:a:1\nGet:a\n");
    await client.linesTo(1);
    client.send(`Put:b:${"v".repeat(300_000)}\nGet:b\n`);
    assertEquals(await script.exit(), 1);
    const lines = /^\S+Z keeping everything in [^\n]+\ntextkv: cannot write [^\n]+\n$/;
    assert(lines.test(script.stderr), script.stderr);
    await client.until("its end", () => client.isClosed);
    assertEquals(client.received, "a:1\n");
    const again = await started(data);
    const reader = await TcpClient.connect(again.port);
    reader.send("Get:a\n");
    assertEquals(await reader.linesTo(1), ["a:1"]);
  });
}

describe("a directory that cannot be used gets one line:", () => {
  const fails = async (data: string, why: string): Promise<void> => {
    const script = new Script("textkv.ts", ["0", "--data", data]);
    assertEquals([await script.exit(), script.stdout], [1, ""]);
    assertEquals(script.stderr.split("\n").length, 2, script.stderr);
    assertStringIncludes(script.stderr, why);
  };

  test("one that another server has", async () => {
    const data = newDirectory();
    const { script } = await started(data);
    await fails(data, data);
    script.kill("SIGTERM");
    await script.exit();
    await started(data);
  });

  test("one that is something else's, and a file", async () => {
    const data = newDirectory();
    const file = join(data, "letter.txt");
    writeFileSync(file, "dear");
    await fails(data, data);
    await fails(file, file);
    assertEquals(await Bun.file(file).text(), "dear");
  });

  test("and lets go of it again when the port is in use", async () => {
    const data = newDirectory();
    const other = new TextServer();
    await other.start({ port: 0 });
    const server = new TextServer({ data });
    const error = await assertRejects(() => server.start({ port: other.port }), TextServerError);
    assertEquals(error.code, "ADDRESS_IN_USE");
    await other.close();
    await server.start({ port: 0 });
    const second = new TextServer({ data });
    await assertRejects(() => second.start({ port: 0 }), DiskError);
    await second.close();
    await server.close();
    await until("the directory to be free", () => true);
    await using third = new TextServer({ data });
    await third.start({ port: 0 });
  });
});

test("close() is done when what was known is on disk, shown or not", async () => {
  const data = newDirectory();
  for (let life = 0; life < 5; life++) {
    const server = new TextServer({ data });
    await server.start({ port: 0 });
    const client = await TcpClient.connect(server.port);
    client.send(`Put:k:${life}\n`);
    // The first turn in which the server knows of it: nothing can be on disk yet.
    while (server.counts().requests === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.close();
  }
  const server = new TextServer({ data });
  await server.start({ port: 0 });
  const client = await TcpClient.connect(server.port);
  client.send("Get:k\n");
  await client.until("five values", () => client.lines.length >= 5);
  assertEquals(client.lines.slice(0, 5), ["k:0", "k:1", "k:2", "k:3", "k:4"]);
  await server.close();
});
