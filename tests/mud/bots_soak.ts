/** Twelve bots on three far servers with disks, each killed once. `bun run soak mud`. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bots, checkBooks } from "../../mud/bots_adapter.ts";
import { DemoServer } from "../../mud/demo_servers_adapter.ts";
import { nowMs, SOAK_SECONDS, SOAK_SEED, tellSoak } from "../support/soak.ts";
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
    const waiters: { readonly atMs: number; readonly resolve: () => void }[] = [];
    /** Resolves when a bot has something to tell at `atMs` or later. */
    const played = (atMs: number): Promise<void> =>
      new Promise((resolve) => waiters.push({ atMs, resolve }));
    const bots = new Bots({
      servers: addresses,
      names,
      seed: SOAK_SEED,
      onEvent: (_, { kind }) => {
        counts[kind] = (counts[kind] ?? 0) + 1;
        for (const { atMs, resolve } of waiters) if (nowMs() >= atMs) resolve();
      },
    });
    const pieceMs = (SOAK_SECONDS * 1000) / 7;
    for (const server of servers) {
      await played(nowMs() + pieceMs);
      await server.kill();
      await played(nowMs() + pieceMs);
      await server.start();
    }
    await played(nowMs() + pieceMs);
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
