/** Snapshots of a server on disk: made in steps while writes go on, and read at the next start. */
import { afterEach, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../bench/processes.ts";
import { openStore, serveStore } from "../../kv/mod.ts";
import { until } from "../support/waiting.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-kv-snapshots-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a snapshot of several steps is taken while writes go on, and nothing is lost", async () => {
  const server = await serveStore({ port: 0, directory });
  const store = openStore({ servers: [`127.0.0.1:${server.port}`] });
  const value = new Uint8Array(10_000);
  // Three megabytes: a step makes half of one.
  await Promise.all(Array.from({ length: 300 }, (_, i) => store.put(`key ${i}`, value)));
  let isOver = false;
  let later = 0;
  const writing = (async () => {
    while (!isOver) await store.put(`later ${later % 50}`, `${later++}`);
  })();
  server.replica.snapshot();
  const isThere = (): boolean => readdirSync(directory).some((name) => /^snapshot-\d+$/.test(name));
  await until("a snapshot on disk", isThere);
  isOver = true;
  await writing;
  const { revision } = server.store;
  const expected = server.store.snapshot();
  await store.close();
  await server.close();

  const again = await serveStore({ port: 0, directory });
  await until("the state of before", () => again.store.revision === revision);
  assertEquals(Buffer.compare(again.store.snapshot(), expected), 0);
  // Of puts that are made together, four of these go into an entry.
  assert(again.replica.status().snapshotIndex > 300 / 5);
  await again.close();
});

test("reads of a follower see what was written before they began", async () => {
  const ports = await freePorts(3);
  const members = new Map(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
  const servers = await Promise.all(
    ports.map((port, i) => serveStore({ port, node: i + 1, members })),
  );
  try {
    await until("a leader", () => servers.some((one) => one.replica.status().role === "leader"));
    const follower = servers.find((one) => one.replica.status().role !== "leader")!;
    await using writer = openStore({ servers: [...members.values()] });
    await using reader = openStore({ servers: [`127.0.0.1:${follower.port}`] });
    for (let i = 1; i <= 50; i++) {
      await writer.put("x", `${i}`);
      assertEquals((await reader.get("x"))!.text, `${i}`);
    }
    assertEquals(reader.client.server, `127.0.0.1:${follower.port}`);
  } finally {
    await Promise.all(servers.map((one) => one.close()));
  }
});
