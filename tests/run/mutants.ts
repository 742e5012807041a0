/** Faults that the tests of run/ must notice; `bun run tools/mutants.ts run`. */
import type { Mutant } from "../../tools/mutants.ts";

const drive = "run/drive.ts";
const batches = "run/disk_batches.ts";
const lock = "run/disk_lock.ts";
const log = "run/disk_log.ts";
const open = "run/disk_open.ts";
const recovery = "run/disk_recovery.ts";
const segments = "run/disk_segments.ts";
const snapshots = "run/disk_snapshots.ts";
const system = "run/disk_system.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: system,
    line: "if (error || isUsed || stat.size <= FREED_BYTES) return fs.unlink(path, after);",
    becomes: "if (error || stat.size <= FREED_BYTES) return fs.unlink(path, after);",
    breaks: "a snapshot is cut short while a part of it is read",
  },
  {
    file: system,
    line: "const going = `${this.#directory}/${goingFile(file)}`;",
    becomes: "const going = path;",
    breaks: "what a crash leaves of a file that was being removed is taken for the whole",
  },
  {
    file: open,
    line: "return isSnapshotPart(name) || isGoing(name) || name === OWNER_PART_FILE;",
    becomes: "return isSnapshotPart(name) || name === OWNER_PART_FILE;",
    breaks: "what a crash leaves of a file that was being removed stays for good",
  },
  {
    file: drive,
    line: "if (this.#isBusy) return;",
    becomes: "",
    breaks: "an effect is carried out in the middle of another",
  },
  {
    file: drive,
    line: "while (!this.#isStopped) {",
    becomes: "for (;;) {",
    breaks: "effects are carried out after a stop",
  },
  {
    file: log,
    line: 'const sync = { op: "sync", file, isOfWrite: true } as const;',
    becomes: "const sync = write;",
    breaks: "an append is said to be stored and was never synced",
  },
  {
    file: log,
    line: 'this.#tell({ kind: "stored", token: append.token });',
    becomes: 'this.#tell({ kind: "stored", token: this.#lastToken });',
    breaks: "what waits is said to be stored",
  },
  {
    file: log,
    line: 'if (!isFull || op === "sync" || op === "syncNames") return this.#fail(text);',
    becomes: "if (!isFull) return this.#fail(text);",
    breaks: "a sync that found no space is tried again and believed",
  },
  {
    file: log,
    line: 'if (this.#state === "closing") return isHeldUp ? this.#end() : this.#goOn();',
    becomes: 'if (this.#state === "closing") return this.#end();',
    breaks: "a log that is closed on a full disk forgets what it has room for",
  },
  {
    file: log,
    line: "if (this.#segments.room < BATCH_HEADER_BYTES) return this.#end();",
    becomes: "return this.#end();",
    breaks: "a closed log has no seal, and a bad last batch is taken for torn",
  },
  {
    file: log,
    line: 'if (isWhole && last?.log === "discard") this.#segments.voidAll();',
    becomes: "",
    breaks: "segments of a discarded log stay for ever",
  },
  {
    file: log,
    line: 'if (last.log === "discard") this.#nextQueued = index + 1;',
    becomes: "",
    breaks: "the log does not go on behind a snapshot that took its place",
  },
  {
    file: segments,
    line: 'const report = (): void => this.#port.failed({ ...failure, op: "zeros" });',
    becomes: "const report = (): void => this.#port.failed(failure);",
    breaks: "a spare whose sync finds no space ends the program",
  },
  {
    file: segments,
    line: 'this.#run([{ op: "remove", file }], report);',
    becomes: "report();",
    breaks: "half a spare keeps the space that a snapshot needs",
  },
  {
    file: segments,
    line: "const isFitting = this.#spareFileBytes > 0 && this.#spareFileBytes <= this.#spareBytes;",
    becomes: "const isFitting = this.#spareFileBytes > 0;",
    breaks: "a segment has more bytes than its header says",
  },
  {
    file: segments,
    line: "const header: SegmentHeader = { ...begin, number, salt, size: this.#spareBytes };",
    becomes:
      "const header: SegmentHeader = { ...begin, number, salt, size: this.#spareBytes, meta: undefined };",
    breaks: "metadata goes with the segment that it was written to",
  },
  {
    file: segments,
    line: "while (count < this.#all.length - 1 && this.#all[count]!.lastIndex < index) count++;",
    becomes:
      "while (count < this.#all.length - 1 && this.#all[count]!.lastIndex <= index) count++;",
    breaks: "a segment goes with a record in it",
  },
  {
    file: snapshots,
    line: "const logFrom = Math.max(this.logFrom, wanted);",
    becomes: "const logFrom = wanted;",
    breaks: "records that were given up come back",
  },
  {
    file: snapshots,
    line: "this.#commit(save, to, this.#port.nextBatch(), done);",
    becomes: "this.#commit(save, to, 0, done);",
    breaks: "a discarded log is there again after a restart",
  },
  {
    file: snapshots,
    line: "if (turn === undefined) return this.#commit(save, to, this.#footer?.firstBatch ?? 0);",
    becomes: "if (turn === undefined) return this.#commit(save, to, 0);",
    breaks: "a later snapshot brings back a log that an earlier one discarded",
  },
  {
    file: snapshots,
    line: "if (turn !== undefined) this.#port.inOrder((done) => this.#takeTurn(turn, done));",
    becomes: "if (turn !== undefined) this.#takeTurn(turn, () => {});",
    breaks: "stores behind a discarding snapshot are void",
  },
  {
    file: snapshots,
    line: "if (old === index || retain.includes(old)) continue;",
    becomes: "if (old === index) continue;",
    breaks: "a snapshot that is to be retained is gone",
  },
  {
    file: recovery,
    line: "if (later === undefined) continue;",
    becomes: "continue;",
    breaks: "damage is taken for a torn tail, and good batches are cut off",
  },
  {
    file: recovery,
    line: "const later = laterBatch(bytes, view, position, tailEnd, header.salt, sequence);",
    becomes:
      "const later = laterBatch(bytes.subarray(0, tailEnd), view, position, tailEnd, header.salt, sequence);",
    breaks: "a batch that ends in zeros is no proof of damage",
  },
  {
    file: recovery,
    line: "if (header.firstBatch !== sequence) {",
    becomes: "if (header.firstBatch < 0) {",
    breaks: "batches that are missing between two segments go unnoticed",
  },
  {
    file: batches,
    line: "if (crc32c(segment, start + 8, body, salt) !== view.getUint32(start + 4, true)) return undefined;",
    becomes: "",
    breaks: "a stranger's bytes are taken for the header of a batch",
  },
  {
    file: batches,
    line: "if (checksum !== view.getUint32(start + (isFormer ? 24 : 12), true)) return undefined;",
    becomes: "",
    breaks: "flipped bits in a record go unnoticed",
  },
  {
    file: open,
    line: "...(bytes.length > 0 ? [write] : []),",
    becomes: "",
    breaks: "a batch is believed that the system showed and never wrote",
  },
  {
    file: open,
    line: "bytes.fill(0, position - tail.from);",
    becomes: "",
    breaks: "what was torn stays behind the log",
  },
  {
    file: open,
    line: 'if (hasBatch) throw damaged(volume.name, OWNER_FILE, 0, "it is missing");',
    becomes: "",
    breaks: "a directory that lost its owner file is begun anew",
  },
  {
    file: lock,
    line: "symbols.flock(fd, EXCLUSIVE_NOW) === 0 ? 0 : read.i32(where(), 0);",
    becomes: "0;",
    breaks: "two processes write to one directory",
  },
];
