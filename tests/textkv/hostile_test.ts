/** What hostile clients do to a server: others are served, and memory is bounded. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { DEFAULT_LIMITS, type Counts } from "../../textkv/mod.ts";
import { killAll, Script } from "../support/processes.ts";
import { within } from "../support/waiting.ts";
import { killClients, TcpClient } from "./tcp_client.ts";

afterEach(async () => {
  killClients();
  await killAll();
});

const MIB = 1 << 20;
/** What a server takes that has nothing to do, and some for the garbage of what it does. */
const IDLE_MIB = 250;

/** A server under attack, and a good client of it. */
class Siege {
  readonly script: Script;
  readonly port: number;
  readonly #admin: string;
  readonly #good: TcpClient;
  #asked = 0;

  private constructor(script: Script, port: number, admin: string, good: TcpClient) {
    this.script = script;
    this.port = port;
    this.#admin = admin;
    this.#good = good;
  }

  static async begin(): Promise<Siege> {
    const script = new Script("textkv.ts", ["0", "--admin", "0", "--quiet"]);
    const [, port] = await script.said(/^listening on 127\.0\.0\.1:(\d+)\n/, "stdout");
    const [, admin] = await script.said(/counts at (\S+)\n/);
    return new Siege(script, Number(port), admin!, await TcpClient.connect(Number(port)));
  }

  /** The good client is served, again and again, one request after the other. */
  async serves(times = 20): Promise<void> {
    for (let i = 0; i < times; i++) {
      const value = `good:${this.#asked++}`;
      this.#good.received = "";
      this.#good.send(`Put:good:${value}\nGet:good\nDelete:good\n`);
      assertEquals(await this.#good.linesTo(1), [`good:${value}`]);
    }
  }

  async counts(): Promise<Counts> {
    return (await (await fetch(this.#admin)).json()) as Counts;
  }

  async until(what: string, holds: (counts: Counts) => boolean): Promise<void> {
    const look = async (): Promise<void> => {
      while (!holds(await this.counts())) await this.serves(1);
    };
    await within(what, look());
  }

  /** What the server takes of the machine's memory, in MiB; unknown but on Linux. */
  async memoryMib(): Promise<number> {
    const path = `/proc/${this.script.process.pid}/status`;
    if (!existsSync(path)) return 0;
    return Number(/VmRSS:\s+(\d+) kB/.exec(await Bun.file(path).text())![1]) / 1024;
  }

  async assertMemory(mib: number): Promise<void> {
    const got = await this.memoryMib();
    assert(got <= IDLE_MIB + mib, `${got.toFixed()} MiB, expected at most ${mib} and ${IDLE_MIB}`);
  }
}

describe("a server goes on serving, within its limits, beside clients that", () => {
  test("send lines without end", async () => {
    const siege = await Siege.begin();
    const attackers = await Promise.all(
      Array.from({ length: 50 }, () => TcpClient.connect(siege.port)),
    );
    for (const one of attackers) one.send("x".repeat(5 * MIB));
    await siege.serves();
    for (const one of attackers) await one.until("its end", () => one.isClosed);
    await siege.serves();
    assertEquals((await siege.counts()).ignored.long, 50);
    await siege.assertMemory(50 * 3);
  });

  test("send NUL bytes, line breaks and noise", async () => {
    const siege = await Siege.begin();
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256));
    const kinds = ["\0\n".repeat(5000), "\n".repeat(5000), noise.toString("latin1").repeat(20)];
    const attackers = await Promise.all(kinds.map(() => TcpClient.connect(siege.port)));
    for (const [i, one] of attackers.entries()) one.send(kinds[i]!);
    await siege.until("all of it to be ignored", ({ ignored }) => ignored.unknown >= 10_000 + 20);
    await siege.assertMemory(0);
    const polite = await TcpClient.connect(siege.port);
    polite.send("Put:\0:\0\0\nGet:\0\n");
    assertEquals(await polite.linesTo(1), ["\0:\0\0"]);
  });

  test("close half of their connections, with an answer under way and without", async () => {
    const siege = await Siege.begin();
    const writer = await TcpClient.connect(siege.port);
    writer.send(`Put:k:${"v".repeat(100_000)}\n`.repeat(50));
    await siege.until("the list", ({ values }) => values >= 50);
    const attackers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => TcpClient.connect(siege.port, { reads: i % 2 === 0 })),
    );
    for (const one of attackers) one.send("Get:k\nGet:k\nPut:hal").end();
    await siege.serves();
    for (const [i, one] of attackers.entries()) {
      if (i % 2 === 1) continue;
      await one.until("its end", () => one.isClosed);
      assertEquals(one.received.length, 100 * 100_003);
      one.received = "";
    }
    await siege.until("the readers to be gone", ({ dropped }) => dropped === 50);
    for (const one of attackers) one.kill();
    await siege.until("all to be gone", ({ active }) => active === 2);
    assertEquals((await siege.counts()).waitingBytes, 0);
  });

  test("only ask and never read", async () => {
    const siege = await Siege.begin();
    const writer = await TcpClient.connect(siege.port);
    writer.send(`Put:one:${"v".repeat(4096)}\n`);
    writer.send(`Put:many:${"w".repeat(4096)}\n`.repeat(2000));
    await siege.until("the lists", ({ values }) => values >= 2001);
    const attackers = await Promise.all(
      Array.from({ length: 20 }, () => TcpClient.connect(siege.port, { reads: false })),
    );
    for (const [i, one] of attackers.entries()) {
      one.send((i % 2 === 0 ? "Get:one\n" : "Get:many\n").repeat(20_000));
    }
    await siege.until("lines to be dropped", ({ droppedLines }) => droppedLines > 30_000);
    const { waitingLines, waitingBytes } = await siege.counts();
    assert(waitingLines <= 20 * DEFAULT_LIMITS.queueLinesMax);
    assert(waitingBytes <= 20 * DEFAULT_LIMITS.queueBytesMax);
    await siege.serves();
    await siege.assertMemory(20);
  });

  test("put, read a little, and delete, so that what they wait for is kept for them alone", async () => {
    const siege = await Siege.begin();
    let mostBytes = 0;
    for (let i = 0; i < 12; i++) {
      const attacker = await TcpClient.connect(siege.port, { reads: false });
      attacker.send(`Put:k:${"v".repeat(MIB - 100)}\n`.repeat(60));
      attacker.send(`Get:k\n`);
      await attacker.until("it to be written", () => attacker.unsent === 0);
      await siege.serves(2);
      const { bytes, ignored } = await siege.counts();
      mostBytes = Math.max(mostBytes, bytes);
      assert(bytes <= DEFAULT_LIMITS.storeBytesMax);
      assertEquals(ignored.full, 0);
      attacker.send("Delete:k\n");
    }
    // 720 MiB were put; readers that do not read still wait for all of it, unless this has taken so
    // long that the first of them were dropped. 1 GiB is the limit. The collector of garbage lets
    // memory grow to twice what is alive, and the system gets back what was freed when it likes.
    await siege.assertMemory((2 * mostBytes) / MIB);
    killClients();
  });
});
