/** Export of a server that runs, import into an empty directory, and tables of older versions. */
import { afterEach, describe, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { EXPORT_VERB } from "../../client/export_adapter.ts";
import { attach, listJobs, submit } from "../../client/mod.ts";
import { mine } from "../../miner/mod.ts";
import { Failure, UsageError } from "../../run/errors.ts";
import { runVerb } from "../../run/verbs.ts";
import { IMPORT_VERB } from "../../server/import_adapter.ts";
import { type RunningServer, serve } from "../../server/mod.ts";
import {
  COPIED_BYTES_PER_SECOND,
  COPIES_MAX,
  COPY_KEPT_MS,
  TableCopies,
} from "../../server/table_copies.ts";
import { encodeBackup } from "../../work/backup.ts";
import { TABLE_PART_BYTES_MAX } from "../../work/server_messages.ts";
import { leftovers } from "../support/leftovers.ts";
import { within } from "../support/waiting.ts";

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function scratch(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), "motherlode-backup-"));
  leftovers.add(directory);
  return directory;
}

async function started(data?: string): Promise<RunningServer> {
  const server = await serve({ port: 0, ...(data !== undefined && { data }) });
  open.push(server);
  return server;
}

/** Runs `server.ts export` or `import` as if it were typed. */
const typed = (...argv: string[]): Promise<number | undefined> =>
  runVerb({ export: EXPORT_VERB, import: IMPORT_VERB }, [...argv, "--json"]);

/** Rejects as `typed` does; the line that is said. */
async function refusal(kind: typeof Failure | typeof UsageError, ...argv: string[]) {
  const { message } = await assertRejects(() => typed(...argv), kind);
  assert(!message.includes("\n"), message);
  return message;
}

describe("server.ts export and import", () => {
  test("move all jobs and answers into another directory while the server runs", async () => {
    const place = scratch();
    const { port } = await started(join(place, "old"));
    const first = submit({ port, message: "answered", lower: 0n, upper: 999n, detached: true });
    const id = await within("its id", first.id);
    const miner = mine({ port, threads: 1, niceness: "normal" });
    const answer = await within("its answer", first.answer);
    await miner[Symbol.asyncDispose]();
    const ids = [id];
    // More than fits one part.
    for (let i = 0; i < 4; i++) {
      const message = String(i).repeat(50_000);
      const job = submit({ port, message, lower: 0n, upper: 2n ** 40n, detached: true });
      ids.push(await within("its id", job.id));
      await job.leave();
    }
    const file = join(place, "backup");
    assertEquals(await typed("export", `127.0.0.1:${port}`, file), 0);
    assert(fs.statSync(file).size > 2 * TABLE_PART_BYTES_MAX);
    assertEquals(fs.readdirSync(place).toSorted(), ["backup", "old"]);
    const copy = join(place, "new", "deep");
    assertEquals(await typed("import", file, "--data", copy), 0);
    const before = await listJobs({ port });
    const { port: other } = await started(copy);
    const after = await listJobs({ port: other });
    assertEquals(after, before);
    assertEquals(after.length, ids.length);
    const again = attach({ port: other, id });
    assertEquals(await within("the kept answer", again.answer), answer);
    // The two are no cluster of each other's.
    const line = await refusal(Failure, "import", file, "--data", copy);
    assertStringIncludes(line, "; name an empty directory");
  });

  test("of a table in memory give one that lasts", async () => {
    const place = scratch();
    const { port } = await started();
    const job = submit({ port, message: "kept", lower: 0n, upper: 9n, detached: true });
    const id = await within("its id", job.id);
    await job.leave();
    const file = join(place, "backup");
    assertEquals(await typed("export", `127.0.0.1:${port}`, file), 0);
    assertEquals(await typed("import", file, "--data", join(place, "data")), 0);
    const { port: other } = await started(join(place, "data"));
    assertEquals(
      (await listJobs({ port: other })).map(({ shown }) => shown),
      ["kept"],
    );
    assert(id.length > 0);
  });

  test("take a table of version 1 along", async () => {
    const place = scratch();
    const old = new URL("../data/table-v1.bin", import.meta.url);
    const file = join(place, "backup");
    fs.writeFileSync(file, encodeBackup(await Bun.file(old).bytes()));
    assertEquals(await typed("import", file, "--data", join(place, "data")), 0);
    const { port } = await started(join(place, "data"));
    const rows = await listJobs({ port });
    assertEquals(rows.map(({ shown, done }) => `${shown} ${done}`).toSorted(), [" 1", "first 100"]);
  });

  test("refuse what is no backup, or no empty directory, and leave nothing behind", async () => {
    const place = scratch();
    const data = join(place, "data");
    const good = encodeBackup(
      await Bun.file(new URL("../data/table-v1.bin", import.meta.url)).bytes(),
    );
    const file = join(place, "backup");
    for (const [bytes, why] of [
      [good.subarray(0, 90), "it is damaged: it has 66 bytes of a table of"],
      [good.with(70, good[70]! ^ 1), "it is damaged: its checksum is another"],
      [good.with(8, 2), "it has format 2"],
      [new TextEncoder().encode("something else altogether"), "no file that server.ts export has"],
      [encodeBackup(Uint8Array.of(0, 0, 0, 2, 0x81, 9)), "Cannot read a table of version 9"],
    ] as const) {
      fs.writeFileSync(file, bytes);
      assertStringIncludes(await refusal(UsageError, "import", file, "--data", data), why);
      assert(!fs.existsSync(data));
    }
    await refusal(UsageError, "import", join(place, "nowhere"), "--data", data);
    await refusal(UsageError, "import", file);
    fs.writeFileSync(file, good);
    fs.mkdirSync(data);
    fs.writeFileSync(join(data, "letter"), "dear all");
    const line = await refusal(Failure, "import", file, "--data", data);
    assertStringIncludes(line, `${data}: it holds letter; name an empty directory`);
    assertEquals(fs.readdirSync(data), ["letter"]);
    await refusal(Failure, "export", "127.0.0.1:1", join(place, "none"), "--epoch-millis", "20");
    assert(!fs.existsSync(join(place, "none")));
  });
});

describe("TableCopies", () => {
  const big = new Uint8Array(2 * TABLE_PART_BYTES_MAX + 5).map((_, i) => i % 251);

  test("give what was taken, whatever is taken meanwhile", () => {
    const copies = new TableCopies<string>();
    const got: number[] = [];
    let nowMs = 0;
    for (let from = 0; from < big.length; nowMs += 1000) {
      const part = copies.part("one", from, () => big, nowMs);
      assert(typeof part !== "string");
      assertEquals(part.size, big.length);
      got.push(...part.bytes);
      from += part.bytes.length;
      copies.part("other", 0, () => new Uint8Array(big.length), nowMs + 500);
    }
    assertEquals(Uint8Array.from(got), big);
    assertEquals(copies.size, 1);
  });

  test("go when nobody asks for them, or when too many are fetched", () => {
    const copies = new TableCopies<number>();
    const gone = "this copy of the table is not kept any more: begin again";
    const part = (who: number, from: number, nowMs: number) =>
      copies.part(who, from, () => big, nowMs);
    part(0, 0, 0);
    for (let i = 1; i <= COPIES_MAX; i++) part(i, 0, 100 * i);
    assertEquals([part(0, 10, 300), copies.size], [gone, COPIES_MAX]);
    assertEquals(part(1, 10, COPY_KEPT_MS + 100), gone);
    assert(typeof part(2, 10, COPY_KEPT_MS + 100) !== "string");
    assertEquals([part(2, 10, 2 * COPY_KEPT_MS + 100), copies.size], [gone, 0]);
  });

  test("are taken no more often than their size allows", () => {
    const copies = new TableCopies<number>();
    const [early, restMs] = [100, (1000 * big.length) / COPIED_BYTES_PER_SECOND];
    let taken = 0;
    const take = (): Uint8Array => (taken++, big);
    assert(typeof copies.part(1, 0, take, early) !== "string");
    const reason = "a copy was taken just now: try again soon";
    assertEquals(copies.part(2, 0, take, early + restMs - 1), reason);
    // That does not take the first one's away.
    assert(typeof copies.part(1, 10, take, early + restMs - 1) !== "string");
    assert(typeof copies.part(2, 0, take, early + restMs) !== "string");
    assertEquals(taken, 2);
  });
});
