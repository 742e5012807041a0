/**
 * A process that appends for ever, and prints what was acknowledged; its test kills it.
 *
 *   bun tests/support/disk_child.ts DIRECTORY
 *
 * Record `i` is `i` and a space, as often as `i` says. Now and then the head is made a snapshot.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { openDisk } from "../../run/disk.ts";

/** Stores that are under way at the same time. */
const PENDING_MAX = 40;
const SNAPSHOT_EVERY = 3000;

/** What record `index` must be. */
export function recordText(index: number): string {
  return `${index} `.repeat(1 + (index % 40));
}

/** What the snapshot at `index` must be. */
export function snapshotText(index: number): string {
  return `snapshot ${index} `.repeat(2000);
}

function main(directory: string): void {
  const { disk, state } = openDisk({ directory, kind: "toy", segmentBytes: 256 << 10 });
  const utf8 = new TextEncoder();
  let next = state.records.next;
  let token = 0;
  let stored = 0;
  let savedAt = state.snapshot?.index ?? 0;
  let isSaving = false;
  /** Index behind the records of each token. */
  const behind = new Map<number, number>();
  const more = (): void => {
    while (token - stored < PENDING_MAX) {
      const count = 1 + (token % 5);
      const records = Array.from({ length: count }, (_, i) => utf8.encode(recordText(next + i)));
      disk.handle({ kind: "store", token: ++token, log: { at: next, records } });
      next += count;
      behind.set(token, next);
    }
  };
  disk.start((input) => {
    if (input.kind === "disk") throw new Error(input.reason);
    if (input.kind === "saved") {
      isSaving = false;
      writeSync(1, `saved ${savedAt}\n`);
    }
    if (input.kind !== "stored") return;
    const acknowledged = behind.get(input.token)!;
    for (; stored < input.token; stored++) behind.delete(stored);
    writeSync(1, `stored ${acknowledged}\n`);
    if (!isSaving && acknowledged - savedAt > SNAPSHOT_EVERY) {
      isSaving = true;
      savedAt = acknowledged - 100;
      const bytes = utf8.encode(snapshotText(savedAt));
      const save = { kind: "save", token: savedAt, index: savedAt, offset: 0, bytes } as const;
      disk.handle({ ...save, last: { log: "keep" } });
    }
    more();
  });
  more();
}

if (import.meta.main) main(process.argv[2]!);
