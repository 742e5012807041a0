/** The workloads that a text server must hold, over real TCP with real slow readers. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { TextServer, TextServerError } from "../../textkv/mod.ts";
import { until } from "../support/waiting.ts";
import { killClients, TcpClient } from "./tcp_client.ts";
import { Twin } from "./virtual.ts";

const servers: TextServer[] = [];
afterEach(async () => {
  killClients();
  for (const server of servers.splice(0)) await server.close();
});

async function started(): Promise<TextServer> {
  const server = new TextServer();
  servers.push(server);
  await server.start({ port: 0 });
  return server;
}

const settled = (server: TextServer, requests: number): Promise<void> =>
  until(`${requests} requests`, () => server.counts().requests === requests);

/** One client's share of a workload: keys of its own, and what it must read. */
class Worker {
  readonly twin = new Twin();
  readonly expected: string[] = [];
  readonly client: TcpClient;
  readonly #random: Random;
  readonly #name: string;
  #deletes: number;

  constructor(client: TcpClient, random: Random, name: string, deletes: number) {
    this.client = client;
    this.#random = random;
    this.#name = name;
    this.#deletes = deletes;
  }

  /** Sends `count` requests, reading what is answered now and then. */
  async work(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const line = this.#line(count - i);
      this.expected.push(...this.twin.answer(line));
      this.client.send(`${line}${chance(this.#random, 0.1) ? "\r" : ""}\n`);
      if (i % 20 === 19) await this.client.linesTo(this.expected.length);
    }
    await this.client.linesTo(this.expected.length);
  }

  #line(left: number): string {
    const key = `${this.#name}-${integerBetween(this.#random, 0, 4)}`;
    if (chance(this.#random, this.#deletes / left)) {
      this.#deletes--;
      return `Delete:${key}`;
    }
    const value = `v:${integerBetween(this.#random, 0, 9)}`;
    const kind = integerBetween(this.#random, 0, 3);
    if (kind === 0) return `Put:${key}:${value}`;
    if (kind === 1) return `Update:${key}:${integerBetween(this.#random, 0, 9)}:${value}`;
    return `Get:${key}`;
  }
}

describe("every line is read exactly as often as expected,", () => {
  test.each([
    [1, 1500, 50],
    [2, 700, 10],
    [5, 1000, 20],
    [10, 1500, 50],
  ])("by %d clients with %d requests and %d deletes each", async (count, requests, deletes) => {
    const server = await started();
    const workers = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const client = await TcpClient.connect(server.port);
        return new Worker(client, seededRandom(count, i), `client${i}`, deletes);
      }),
    );
    await Promise.all(workers.map((worker) => worker.work(requests)));
    for (const { client, expected } of workers) assertEquals(client.lines, expected);
    assertEquals(server.counts().requests, count * requests);
    assertEquals([server.counts().droppedLines, server.counts().active], [0, count]);
  });

  test("by clients that share their keys", async () => {
    const server = await started();
    const clients = await Promise.all([1, 2, 3, 4].map(() => TcpClient.connect(server.port)));
    for (const [i, client] of clients.entries()) {
      for (let n = 0; n < 300; n++) client.send(`Put:shared:${i}.${n}\n`);
    }
    await settled(server, 1200);
    for (const client of clients) client.send("Get:shared\n");
    const all = await Promise.all(clients.map((client) => client.linesTo(1200)));
    for (const lines of all) {
      assertEquals(lines, all[0]!);
      for (const i of clients.keys()) {
        const own = lines.filter((line) => line.startsWith(`shared:${i}.`));
        assertEquals(
          own,
          Array.from({ length: 300 }, (_, n) => `shared:${i}.${n}`),
        );
      }
    }
  });
});

test("connects and kills in rounds of up to 50 are counted exactly", async () => {
  const server = await started();
  const connected: TcpClient[] = [];
  let gone = 0;
  for (const [connects, kills] of [
    [50, 10],
    [1, 41],
    [50, 50],
    [20, 0],
    [7, 27],
    [50, 50],
  ] as const) {
    const more = Array.from({ length: connects }, () => TcpClient.connect(server.port));
    connected.push(...(await Promise.all(more)));
    for (const [i, client] of connected.splice(0, kills).entries()) {
      // Some go politely, some from one moment to the next, some in the middle of a line.
      if (i % 3 === 0) client.end();
      else if (i % 3 === 1) client.kill();
      else client.send("Put:half a li").kill();
    }
    gone += kills;
    await until(`${connected.length} active, ${gone} gone`, () => {
      const { active, dropped } = server.counts();
      return active === connected.length && dropped === gone;
    });
  }
  assertEquals(connected.length, 0);
  assertEquals(server.counts().refused, 0);
});

/** Gets one value `count` times, asking for so many only as there is room for in its queue. */
async function getAll(client: TcpClient, count: number): Promise<void> {
  for (let asked = 0; asked < count;) {
    const more = Math.min(count - asked, 250);
    client.send("Get:k\n".repeat(more));
    asked += more;
    await client.linesTo(asked - 200);
  }
  await client.linesTo(count);
}

describe("slow readers", () => {
  test("four that read nothing until two others have everything lose lines, the two none", async () => {
    const server = await started();
    const line = `k:${"v".repeat(4096)}`;
    const writer = await TcpClient.connect(server.port);
    writer.send(`Put:${line}\n`);
    await settled(server, 1);
    const slow = await Promise.all(
      [1, 2, 3, 4].map(() => TcpClient.connect(server.port, { reads: false })),
    );
    const good = await Promise.all([1, 2].map(() => TcpClient.connect(server.port)));
    for (const client of slow) client.send("Get:k\n".repeat(2000));
    await Promise.all(good.map((client) => getAll(client, 2000)));
    for (const client of good) {
      const lines = client.lines;
      assertEquals([lines.length, lines.every((one) => one === line)], [2000, true]);
    }
    await settled(server, 1 + 6 * 2000);
    await until("all that fits to be queued", () => server.counts().waitingLines === 4 * 500);
    const { droppedLines, active } = server.counts();
    assert(droppedLines > 0);
    assertEquals(active, 7);
    for (const client of slow) client.resume();
    const kept = 4 * 2000 - droppedLines;
    await until(`${kept} lines`, () => {
      return slow.reduce((sum, { received }) => sum + received.length, 0) >= kept * 4099;
    });
    for (const client of slow) {
      const lines = client.lines;
      assert(lines.length >= 500 && lines.length < 2000, `${lines.length} lines`);
      assert(lines.every((one) => one === line) && client.received.endsWith("\n"));
    }
    assertEquals(server.counts().droppedLines, droppedLines);
    slow[0]!.send("Put:l:alive\nGet:l\n");
    await slow[0]!.until("an answer", () => slow[0]!.received.endsWith("l:alive\n"));
  });

  test("one that reads a list of 100 MB now and then loses nothing of it", async () => {
    const server = await started();
    const value = (i: number): string => `${i}:${"v".repeat(10_000)}`;
    const writer = await TcpClient.connect(server.port);
    let left = 0;
    for (let i = 0; i < 10_000; i++) {
      writer.send(`Put:k:${value(i)}\n`);
      left += `k:${value(i)}\n`.length;
      if (i % 1000 === 0) await until("the writing", () => writer.unsent === 0);
    }
    await settled(server, 10_000);
    const reader = await TcpClient.connect(server.port, { reads: false });
    reader.send("Get:k\n");
    const other = await TcpClient.connect(server.port);
    for (let next = 0; next < 10_000;) {
      reader.resume();
      const enough = Math.min(left, reader.received.length + 4_000_000);
      await reader.until("more", () => reader.received.length >= enough);
      reader.pause();
      // Meanwhile others are served.
      other.send(`Put:o:${next}\nGet:o\nDelete:o\n`);
      await other.until("an answer", () => other.received.endsWith(`o:${next}\n`));
      left -= reader.received.length;
      const lines = reader.received.split("\n");
      reader.received = lines.pop()!;
      left += reader.received.length;
      for (const line of lines) assert(line === `k:${value(next++)}`);
    }
    assertEquals([server.counts().droppedLines, reader.received, left], [0, "", 0]);
  });
});

describe("half a connection", () => {
  test("one that sends no more is answered, and then its connection ends", async () => {
    const server = await started();
    const client = await TcpClient.connect(server.port);
    client.send("Put:a:1\nPut:a:2\nGet:a\nGet:a").end();
    await client.until("the end", () => client.isClosed);
    assertEquals(client.lines, ["a:1", "a:2"]);
    await until("it to be counted", () => server.counts().dropped === 1);
    assertEquals(server.counts().ignored.unfinished, 1);
  });
});

describe("TextServer", () => {
  test("close ends all connections at once, and what it counted stays", async () => {
    const server = await started();
    const clients = await Promise.all([1, 2, 3].map(() => TcpClient.connect(server.port)));
    clients[0]!.send("Put:a:1\nGet:a\n");
    await clients[0]!.linesTo(1);
    await until("all to be there", () => server.counts().active === 3);
    await server.close();
    await server.close();
    for (const client of clients) await client.until("its end", () => client.isClosed);
    const { active, dropped, requests } = server.counts();
    assertEquals([active, dropped, requests], [0, 3, 2]);
    await server.closed;
  });

  test("starts once, and not after close", async () => {
    const server = await started();
    const again = await assertRejects(() => server.start({ port: 0 }), TextServerError, "already");
    assertEquals(again.code, "STARTED");
    await server.close();
    const late = await assertRejects(() => server.start({ port: 0 }), TextServerError, "closed");
    assertEquals(late.code, "CLOSED");
    const unused = new TextServer();
    assertEquals([unused.host, unused.port], ["", 0]);
    await unused.close();
    await assertRejects(() => unused.start(), TextServerError, "make a new one");
  });

  test("does not start on a port in use or a host of another machine, and says so", async () => {
    const { port } = await started();
    await using other = new TextServer();
    const used = await assertRejects(() => other.start({ port }), TextServerError);
    assertEquals(
      [used.code, used.message],
      [
        "ADDRESS_IN_USE",
        `127.0.0.1:${port} is in use by another program; stop that one, or name another port`,
      ],
    );
    const host = "192.0.2.1";
    const far = await assertRejects(() => other.start({ host, port: 0 }), TextServerError);
    assertEquals(far.code, "CANNOT_LISTEN");
    await other.start({ port: 0 });
    assert(other.port > 0);
  });

  test("is closed by the end of its scope", async () => {
    let client: TcpClient;
    {
      await using server = new TextServer();
      await server.start({ port: 0 });
      client = await TcpClient.connect(server.port);
      await until("it", () => server.counts().active === 1);
    }
    await client.until("its end", () => client.isClosed);
  });
});
