/** Twelve bots on three far servers with disks, each of which is killed once. `bun run soak mud`. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bots, checkBooks } from "../../mud/bots_adapter.ts";
import { DemoServer } from "../../mud/demo_servers_adapter.ts";
import { SOAK_SECONDS, SOAK_SEED, tellSoak } from "../support/soak.ts";
import { MUD_SCRIPT } from "./typed.ts";

const DELAYS = [20, 60, 120];

test("every coin, piece of hardware and hit has a reason, whichever servers are killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-mud-"));
  const servers: DemoServer[] = [];
  const command = [process.execPath, MUD_SCRIPT];
  try {
    for (const [at, delayMs] of DELAYS.entries()) {
      const joins = (): readonly string[] =>
        servers.filter((_, other) => other !== at).map(({ farAddress }) => farAddress);
      const name = `server-${at + 1}`;
      servers.push(await DemoServer.start({ name, directory, delayMs, joins, command }));
    }
    const names = Array.from({ length: 12 }, (_, at) => `bot-${at + 1}`);
    const addresses = servers.map(({ address }) => address);
    const counts: Record<string, number> = {};
    const bots = new Bots({
      servers: addresses,
      names,
      seed: SOAK_SEED,
      onEvent: (_, { kind }) => (counts[kind] = (counts[kind] ?? 0) + 1),
    });
    const pieceMs = (SOAK_SECONDS * 1000) / 7;
    for (const server of servers) {
      await Bun.sleep(pieceMs);
      await server.kill();
      await Bun.sleep(pieceMs);
      await server.start();
    }
    await Bun.sleep(pieceMs);
    await bots.stop();
    const { books } = bots;
    const check = { servers: addresses, books, before: new Map(), keys: books.keys };
    assertEquals(await checkBooks({ ...check, withinMs: 120_000 }), []);
    tellSoak(`mud: 12 bots, 3 kills: ${JSON.stringify(counts)}`);
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
});
