/** The disk on real files: processes that are killed, locks, a file system that is full. */
import { afterEach, beforeEach, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { integerBetween, seededRandom } from "../../base/random.ts";
import type { StoreInput } from "../../base/store.ts";
import { type DiskOptions, openDisk, type SystemDisk } from "../../run/disk.ts";
import { DiskError, type DiskErrorCode } from "../../run/disk_errors.ts";
import { lockByDatabase } from "../../run/disk_lock.ts";
import { recordText, snapshotText } from "../support/disk_child.ts";
import { bytesOf, textOf } from "../support/disks.ts";
import { killAll, Script } from "../support/processes.ts";
import { within } from "../support/waiting.ts";

const CHILD = "tests/support/disk_child.ts";

let directory = "";
beforeEach(() => void (directory = fs.mkdtempSync(`${tmpdir()}/motherlode-system-`)));
afterEach(async () => {
  await killAll();
  fs.rmSync(directory, { recursive: true, force: true });
});

function open(options: Partial<DiskOptions> = {}): ReturnType<typeof openDisk> {
  return openDisk({ directory, kind: "toy", segmentBytes: 64 << 10, ...options });
}

function refused(code: DiskErrorCode, options: Partial<DiskOptions> = {}): string {
  const error = assertThrows(() => open(options), DiskError);
  assertEquals(error.code, code, error.message);
  assert(!error.message.includes("\n"), error.message);
  return error.message;
}

/** Starts `disk` and gives a way to wait for what it tells. */
function listening(disk: SystemDisk): (wanted: (input: StoreInput) => boolean) => Promise<void> {
  const told: StoreInput[] = [];
  const watchers = new Set<() => void>();
  disk.start((input) => {
    told.push(input);
    for (const watcher of watchers) watcher();
  });
  return (wanted) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!told.some(wanted)) return;
      watchers.delete(look);
      resolve();
    };
    watchers.add(look);
    look();
    return within("what a disk tells", promise, () => JSON.stringify(told.slice(-5)));
  };
}

describe("a process that is killed", () => {
  const ROUNDS = 20;

  test(`keeps what it was told is stored, ${ROUNDS} times`, async () => {
    const random = seededRandom(1);
    let total = 0;
    let snapshots = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const child = new Script(CHILD, [directory]);
      const lines = integerBetween(random, 1, 200);
      await child.said(new RegExp(`(stored.*\n(saved.*\n)?){${lines}}`), "stdout");
      child.kill("SIGKILL");
      await child.exit();
      const acknowledged = [...child.stdout.matchAll(/stored (\d+)\n/g)].map(([, n]) => Number(n));
      const saved = [...child.stdout.matchAll(/saved (\d+)\n/g)].map(([, n]) => Number(n));
      const { disk, state } = open({ segmentBytes: 256 << 10 });
      const { records, snapshot } = state;
      const last = acknowledged.at(-1)!;
      assert(records.next >= last, `${last} was acknowledged, ${records.next} comes next`);
      assert((snapshot?.index ?? 0) >= (saved.at(-1) ?? 0), `${saved.at(-1)} was saved`);
      if (snapshot !== undefined) {
        assertEquals(textOf(snapshot.bytes!), snapshotText(snapshot.index));
        assertEquals(records.first, snapshot.index + 1);
      }
      for (let index = records.first; index < records.next; index++) {
        assertEquals(textOf(records.at(index)), recordText(index));
      }
      total = records.next;
      snapshots += saved.length;
      await disk.abandon();
    }
    assert(total > 10_000 && snapshots > 3, `${total} records and ${snapshots} snapshots`);
  });
});

describe("a directory", () => {
  test("is locked against other processes, until its process is gone, however it went", async () => {
    const child = new Script(CHILD, [directory]);
    await child.said(/stored/, "stdout");
    assertStringIncludes(refused("LOCKED"), "in use by another program; stop that one, or name");
    child.kill("SIGKILL");
    await child.exit();
    const { disk } = open();
    const second = new Script(CHILD, [directory]);
    assertEquals(await second.exit(), 1);
    assertStringIncludes(second.stderr, "it is in use by another program");
    await disk.close();
  });

  test("can be locked by a database where the system has no flock", async () => {
    const unlock = lockByDatabase(directory, "lock");
    assertThrows(() => lockByDatabase(directory, "lock"), DiskError, "in use by another program");
    const code = `
      import { lockByDatabase } from "./run/disk_lock.ts";
      try { lockByDatabase(process.argv.at(-1), "lock"); console.log("locked"); }
      catch (error) { console.log(error.code); }
      setInterval(() => {}, 1000);`;
    const attempt = async (): Promise<string> => {
      const child = Bun.spawn([process.execPath, "-e", code, directory], {
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        stdout: "pipe",
      });
      const { value } = await child.stdout.getReader().read();
      child.kill("SIGKILL");
      await child.exited;
      return textOf(value!).trim();
    };
    assertEquals(await attempt(), "LOCKED");
    unlock();
    assertEquals(await attempt(), "locked");
    // Killed with the lock in its hands: it is free again.
    lockByDatabase(directory, "lock")();
    const { disk } = open();
    await disk.close();
  });

  test("that holds something else is left alone", () => {
    fs.writeFileSync(`${directory}/thesis.txt`, "dear");
    assertStringIncludes(refused("FOREIGN"), "it holds thesis.txt and is no disk");
    assertEquals(fs.readdirSync(directory), ["thesis.txt"]);
  });

  test("of which a file cannot be read is refused, with what to do, and left as it is", async () => {
    const { disk } = open();
    disk.start(() => {});
    await disk.close();
    const file = `${directory}/log-0000000001`;
    const before = fs.readFileSync(file);
    // The super-user may read everything; but nobody can read a directory as a file.
    fs.renameSync(file, `${directory}-log`);
    fs.mkdirSync(file);
    try {
      const line = refused("UNUSABLE");
      assert(/^cannot read .*log-0000000001: EISDIR.*; name another directory$/.test(line), line);
    } finally {
      fs.rmdirSync(file);
      fs.renameSync(`${directory}-log`, file);
    }
    assertEquals(fs.readFileSync(file), before);
    await open().disk.close();
  });

  test("without its owner file is not taken for a new one", async () => {
    const { disk } = open();
    const told = listening(disk);
    disk.handle({ kind: "store", token: 1, log: { at: 1, records: [bytesOf("precious")] } });
    await told(({ kind }) => kind === "stored");
    await disk.close();
    fs.unlinkSync(`${directory}/owner`);
    assertStringIncludes(refused("DAMAGED"), "owner is damaged at offset 0: it is missing");
    assert(fs.existsSync(`${directory}/log-0000000001`));
  });

  test("of a newer version is refused, in words that say so", async () => {
    await open().disk.close();
    const text = fs.readFileSync(`${directory}/owner`, "utf8");
    fs.writeFileSync(`${directory}/owner`, text.replace("format 2", "format 3"));
    assertStringIncludes(
      refused("NEWER"),
      "disk format 3, and this program knows 2; use the newer",
    );
  });

  test("takes the id that is there when none is wanted", async () => {
    await open({ id: "group 7, node 3" }).disk.close();
    const { disk } = open();
    assertEquals(disk.owner, { kind: "toy", id: "group 7, node 3" });
    await disk.close();
  });

  test("is made with its parents, for its user alone; one that cannot be is refused", async () => {
    const deep = `${directory}/a/b/c`;
    await open({ directory: deep }).disk.close();
    for (const file of fs.readdirSync(deep)) {
      assertEquals(fs.statSync(`${deep}/${file}`).mode & 0o077, 0, file);
    }
    assertEquals(fs.statSync(deep).mode & 0o077, 0);
    const line = refused("UNUSABLE", { directory: `${deep}/owner` });
    assertStringIncludes(line, "cannot be used as a disk: ");
    assertStringIncludes(line, "; name another directory");
  });
});

describe("a file system of 1 MiB", () => {
  /** Mounts one at `directory`; false where this user may not. */
  function mounted(): boolean {
    const command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory];
    try {
      return Bun.spawnSync(command).exitCode === 0;
    } catch {
      return false;
    }
  }

  test("that runs full is told, loses nothing, and goes on when there is space", async () => {
    if (!mounted()) {
      // disk_faults_test.ts has the same on simulated ENOSPC.
      console.log("disk_system_test: may not mount a small file system, so real ENOSPC is not met");
      return;
    }
    try {
      const { disk } = open();
      const told = listening(disk);
      let token = 0;
      let next = 1;
      const append = (): Promise<void> => {
        const mine = ++token;
        const records = [new Uint8Array(3000).fill(7)];
        disk.handle({ kind: "store", token: mine, log: { at: next++, records } });
        return told((input) => input.kind === "stored" && input.token >= mine);
      };
      let isFull = false;
      void told((input) => input.kind === "disk" && input.state === "full").then(
        () => (isFull = true),
      );
      while (!isFull) await append();
      const waiting = Array.from({ length: 30 }, append);
      assertStringIncludes(refused("LOCKED"), directory);
      const saved = told(({ kind }) => kind === "saved");
      // There is no space for a snapshot, either, until something else goes.
      const bytes = new Uint8Array(60_000);
      const save = { kind: "save", token: 1, index: next - 40, offset: 0, bytes } as const;
      disk.handle({ ...save, last: { log: "keep" } });
      const mount = ["mount", "-o", "remount,size=2m", directory];
      assertEquals(Bun.spawnSync(mount).exitCode, 0);
      await Promise.all(waiting);
      await saved;
      await told((input) => input.kind === "disk" && input.state === "ready");
      await disk.close();
      const again = open();
      assertEquals(again.state.records.next, next);
      await again.disk.close();
    } finally {
      Bun.spawnSync(["umount", directory]);
    }
  });

  test("that is too small to begin with is refused", () => {
    if (!mounted()) {
      console.log("disk_system_test: may not mount a small file system, so real ENOSPC is not met");
      return;
    }
    try {
      const line = refused("FULL", { segmentBytes: 2 << 20 });
      assertStringIncludes(line, "cannot write ");
      assertStringIncludes(line, "ENOSPC");
      assertStringIncludes(line, "; make room there, or name another directory");
      // What it began takes up no space, and is no hindrance to another try.
      assertEquals(fs.readdirSync(directory), ["lock"]);
      const { disk } = open();
      void disk.abandon();
    } finally {
      Bun.spawnSync(["umount", "-l", directory]);
    }
  });
});
