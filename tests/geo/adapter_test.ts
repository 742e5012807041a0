/** A server and a client of the geo store on real sockets and files, in one process. */
import { afterAll, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GeoError, openGeo, serveGeo } from "../../geo/mod.ts";
import { DiskError } from "../../run/disk_errors.ts";
import { until } from "../support/waiting.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-geo-adapter-"));
afterAll(() => rmSync(directory, { recursive: true }));

const DAY_MS = 86_400_000;
const WALL_MS = 1_750_000_000_000;

test("one library, two servers: values, counters, lists and watches", async () => {
  await using first = await serveGeo({ port: 0, actors: 2 });
  await using second = await serveGeo({ port: 0, join: [first.address] });
  await using store = openGeo({ servers: [first.address, second.address] });
  const [a, b] = [{ server: first.address }, { server: second.address }];
  const seen: string[] = [];
  const over = new AbortController();
  const ready = Promise.withResolvers<void>();
  const watching = (async () => {
    const options = { ...b, signal: over.signal, onReady: ready.resolve };
    for await (const { key, text, count } of store.watch("", options)) {
      seen.push(`${key} ${text} ${count}`);
    }
  })();
  await ready.promise;
  await store.put("x", "hello", a);
  assertEquals((await store.get("x", a))?.text, "hello");
  await store.add("n", 5, a);
  await until("both at the other server", () => seen.length >= 2);
  assertEquals(seen.toSorted(), ["n undefined 5", "x hello undefined"]);
  assertEquals(await store.add("n", -7, b), -2);
  const listed: string[] = [];
  for await (const { key } of store.list("", b)) listed.push(key);
  assertEquals(listed, ["n", "x"]);
  await store.delete("x", b);
  assertEquals(await store.get("x", b), undefined);
  over.abort();
  await watching;
  const error = await assertRejects(() => store.put("", "x"), GeoError);
  assertEquals(error.code, "INVALID");
  await store.close();
  assertEquals((await assertRejects(() => store.get("x"), GeoError)).code, "CLOSED");
});

test("a server that was away for more than 28 days does not come back with old state", async () => {
  const wallMs = (): number => WALL_MS;
  const kept = { port: 0, directory: join(directory, "away"), wallMs };
  {
    await using other = await serveGeo({ port: 0, wallMs });
    await using server = await serveGeo({ ...kept, join: [other.address] });
    await using store = openGeo({ servers: [server.address] });
    await until("the two to meet", () => server.cores[0]!.sync.links.size === 1);
    await until("both in the state", () => server.cores[0]!.replica.size === 2);
    await store.put("x", "1");
  }
  const late = { ...kept, wallMs: () => WALL_MS + 29 * DAY_MS };
  const error = await assertRejects(() => serveGeo(late), DiskError);
  assertStringIncludes(error.message, "its server was away for 29 days");
  assert(!error.message.includes("\n"));
  await using again = await serveGeo({ ...kept, wallMs: () => WALL_MS + 27 * DAY_MS });
  await using store = openGeo({ servers: [again.address] });
  assertEquals((await store.get("x"))?.text, "1");
});
