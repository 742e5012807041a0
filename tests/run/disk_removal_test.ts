/** Large files on real disks go piece by piece. */
import { afterEach, beforeEach, test } from "bun:test";
import { assertEquals } from "@std/assert";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { openDisk } from "../../run/disk.ts";
import { type FileFailure, type FileOperation, goingFile } from "../../run/disk_files.ts";
import { SystemFiles } from "../../run/disk_system.ts";

const LARGE = new Uint8Array(9 << 20).fill(7);

let directory = "";
beforeEach(() => void (directory = fs.mkdtempSync(`${tmpdir()}/motherlode-removal-`)));
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function run(files: SystemFiles, ...operations: FileOperation[]): Promise<FileFailure | undefined> {
  return new Promise((resolve) => files.run(operations, resolve));
}

test("a file of many pieces goes, and one of few; what is not there cannot", async () => {
  const files = new SystemFiles(directory);
  for (const [file, bytes] of [
    ["large", LARGE] as const,
    ["small", LARGE.subarray(0, 9)] as const,
  ]) {
    const write = { op: "write", file, at: 0, bytes } as const;
    assertEquals(await run(files, { op: "create", file }, write), undefined);
  }
  assertEquals(await run(files, { op: "remove", file: "large" }), undefined);
  assertEquals(await run(files, { op: "remove", file: "small" }), undefined);
  assertEquals(fs.readdirSync(directory), []);
  const failure = await run(files, { op: "remove", file: "none" });
  assertEquals([failure?.op, failure?.isFull], ["remove", false]);
  await files.close();
});

test("a large file is under another name before it shrinks: nobody takes it for the whole", async () => {
  const files = new SystemFiles(directory);
  const write = { op: "write", file: "large", at: 0, bytes: LARGE } as const;
  assertEquals(await run(files, { op: "create", file: "large" }, write), undefined);
  void run(files, { op: "remove", file: "large" });
  // What is under way comes to the next of its steps, and no further.
  await files.close();
  assertEquals(fs.readdirSync(directory), [goingFile("large")]);
});

test("a file that is removed while it is read is read as it was", async () => {
  const files = new SystemFiles(directory);
  const write = { op: "write", file: "large", at: 0, bytes: LARGE } as const;
  assertEquals(await run(files, { op: "create", file: "large" }, write), undefined);
  const reading = new Promise((resolve) => files.read("large", 0, LARGE.length, resolve));
  const removing = run(files, { op: "remove", file: "large" });
  assertEquals(await reading, LARGE);
  assertEquals(await removing, undefined);
  assertEquals(fs.readdirSync(directory), []);
  await files.close();
});

test("what a crash has left of a file that was on its way out goes at the next opening", async () => {
  const first = openDisk({ directory, kind: "toy", segmentBytes: 64 << 10 });
  await first.disk.close();
  const left = goingFile("snapshot-0000000000000007");
  fs.writeFileSync(`${directory}/${left}`, "the first piece");
  const again = openDisk({ directory, kind: "toy", segmentBytes: 64 << 10 });
  assertEquals([again.state.snapshot, fs.existsSync(`${directory}/${left}`)], [undefined, false]);
  await again.disk.close();
});
