/**
 * Opens a directory as a disk: whose it is, what it holds, and what has to be repaired after a
 * crash before anything in it may be believed. Real and simulated disks share this.
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";
import { invariant } from "../base/machine.ts";
import {
  PART_BYTES_MAX,
  type StoredSnapshot,
  type StoredState,
  type StoreEffect,
  type StoreInput,
} from "../base/store.ts";
import { damaged, DiskError } from "./disk_errors.ts";
import { type FileOperation, type Files, type Volume, isGoing } from "./disk_files.ts";
import {
  decodeSnapshotEnd,
  encodeSegmentHeader,
  SNAPSHOT_END_BYTES_MAX,
  SNAPSHOT_FOOTER_BYTES,
  type SnapshotFooter,
} from "./disk_format.ts";
import { DiskLog } from "./disk_log.ts";
import { checkOwner, isOwner, type Owner, OWNER_BYTES_MAX, ownerText } from "./disk_owner.ts";
import {
  type ReadSegment,
  recover,
  type Recovered,
  segmentFile,
  segmentNumber,
} from "./disk_recovery.ts";
import { SPARE_FILE } from "./disk_segments.ts";
import { isSnapshotPart, snapshotFile, snapshotIndex } from "./disk_snapshots.ts";

/** The file that is locked while a disk is open; where that cannot be, it is a database. */
export const LOCK_FILE: string = "lock";
const OWNER_FILE = "owner";
const OWNER_PART_FILE = "owner.part";
/** What a file system may have put there itself. */
const NOT_OURS = ["lost+found"];

/** Bytes of a segment, unless somebody wants others. */
export const SEGMENT_BYTES: number = 16 << 20;
/** A segment has room for the largest header and a little more. */
export const SEGMENT_BYTES_MIN: number = 16 << 10;
/** A snapshot of at most so many bytes is handed over whole, unless somebody wants otherwise. */
export const WHOLE_SNAPSHOT_BYTES_MAX: number = 64 << 20;

/** How a disk is opened. */
export interface OpenOptions {
  /** What keeps its data there, a word in small letters: `raft`, `textkv`. */
  readonly kind: string;
  /** Which one of those; if left out, any will do, and a new directory gets none. */
  readonly id?: string;
  /** Bytes of a segment of the log; 16 MiB if left out, 16 KiB at least. */
  readonly segmentBytes?: number;
  /** A larger snapshot is not handed over whole: parts of it are loaded. 64 MiB if left out. */
  readonly wholeSnapshotBytesMax?: number;
  /**
   * Begins to store at once when nothing is under way, instead of at the end of the turn: for a
   * core that gathers what comes together by itself, and has something else to do meanwhile.
   */
  readonly isPrompt?: boolean;
}

/** What a disk takes up. */
export interface DiskStats {
  /** Files of the log, and the bytes of them that are in use; zeros written ahead do not count. */
  readonly segments: number;
  readonly usedBytes: number;
}

/** A directory, or a simulated one, that is open for one life of one process. */
export interface Disk {
  readonly owner: Owner;
  /** Begins to take effects; `tell` is told what becomes of them. Once. */
  start(tell: (input: StoreInput) => void): void;
  /** Takes what a core asks of its disk. Returns at once; never waits for the disk. */
  handle(effect: StoreEffect): void;
  stats(): DiskStats;
  /**
   * Takes nothing more, makes durable and tells what waits, as far as there is space, and lets go
   * of the directory; then calls `done`.
   */
  close(done: () => void): void;
  /** Lets go as a crash would, without waiting for what is pending; then calls `done`. */
  abandon(done: () => void): void;
}

/** What all disks are that have a log. */
export class LogDisk {
  readonly owner: Owner;
  protected readonly log: DiskLog;

  constructor(owner: Owner, log: DiskLog) {
    this.owner = owner;
    this.log = log;
  }

  start(tell: (input: StoreInput) => void): void {
    this.log.start(tell);
  }

  handle(effect: StoreEffect): void {
    this.log.handle(effect);
  }

  stats(): DiskStats {
    const { usedBytes, segmentCount } = this.log;
    return { segments: segmentCount, usedBytes };
  }
}

/** A disk, and what it holds: all that its core is given. */
export interface OpenedDisk<D extends Disk = Disk> {
  readonly disk: D;
  readonly state: StoredState;
}

/** A directory that was opened. */
export interface OpenVolume {
  readonly owner: Owner;
  readonly state: StoredState;
  readonly log: DiskLog;
}

/**
 * Opens `volume`, whose log then lives on `files`; `newSalt` draws 0..2^32-1. Throws a `DiskError`.
 */
export function openVolume(
  volume: Volume,
  files: Files,
  options: OpenOptions,
  newSalt: () => number,
): OpenVolume {
  const { kind, id, segmentBytes = SEGMENT_BYTES } = options;
  invariant(
    isOwner({ kind, id: id ?? "" }),
    `a disk belongs to a word and a line, got ${kind} ${id}`,
  );
  invariant(segmentBytes >= SEGMENT_BYTES_MIN, `a segment has ${SEGMENT_BYTES_MIN} bytes at least`);
  demandOurs(volume);
  if (!volume.list().includes(OWNER_FILE)) {
    demandNothingLost(volume);
    begin(volume, { kind, id: id ?? "" }, segmentBytes, newSalt());
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    volume.read(OWNER_FILE, 0, OWNER_BYTES_MAX),
  );
  const { isFormer, ...owner } = checkOwner(volume.name, text, { kind, id });
  const names = volume.list();
  const indexes = names.map(snapshotIndex).filter((index) => index !== undefined);
  const newest = Math.max(0, ...indexes);
  const whole = options.wholeSnapshotBytesMax ?? WHOLE_SNAPSHOT_BYTES_MAX;
  const snapshot = newest === 0 ? undefined : readSnapshot(volume, newest, whole);
  const segments = names.filter((name) => segmentNumber(name) !== undefined);
  const read = segments.map((file): ReadSegment => {
    return { file, bytes: volume.read(file, 0, volume.size(file)) };
  });
  const recovered = recover(volume.name, read, snapshot?.footer);
  const old = indexes.filter((index) => index !== newest).map(snapshotFile);
  const parts = names.filter((name) => {
    return isSnapshotPart(name) || isGoing(name) || name === OWNER_PART_FILE;
  });
  repair(volume, read, recovered, [...old, ...parts]);
  // Before anything is appended that an older program would take for a torn end.
  if (isFormer) writeOwner(volume, owner);
  const spareFileBytes = names.includes(SPARE_FILE) ? volume.size(SPARE_FILE) : 0;
  const log = new DiskLog(files, recovered, snapshot?.footer, {
    segmentBytes,
    newSalt,
    spareFileBytes,
    isPrompt: options.isPrompt ?? false,
  });
  const { meta, records } = recovered;
  return { owner, state: { meta, records, snapshot: snapshot?.stored }, log };
}

/**
 * Throws a `DiskError`, FOREIGN, unless there is an owner file, or nothing but what a crash may
 * have left of the first opening.
 */
export function demandOurs(volume: Volume): void {
  const names = volume.list();
  const ours = [OWNER_PART_FILE, SPARE_FILE, segmentFile(1), ...NOT_OURS];
  const isLock = (name: string): boolean => name === LOCK_FILE || name.startsWith(`${LOCK_FILE}.`);
  const other = names.find((name) => !ours.includes(name) && !isLock(name));
  if (other === undefined || names.includes(OWNER_FILE)) return;
  const text = `it holds ${other} and is no disk of this program; name an empty directory`;
  throw new DiskError("FOREIGN", `${volume.name}: ${text}`);
}

/** Throws if the first segment has been used, and so had an owner. */
function demandNothingLost(volume: Volume): void {
  if (!volume.list().includes(segmentFile(1))) return;
  const file = segmentFile(1);
  const bytes = volume.read(file, 0, volume.size(file));
  let hasBatch = false;
  try {
    hasBatch = recover(volume.name, [{ file, bytes }], undefined).nextBatch > 1;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
  if (hasBatch) throw damaged(volume.name, OWNER_FILE, 0, "it is missing");
}

/** Makes the first segment, and the owner's file once that is durable. */
function begin(volume: Volume, owner: Owner, size: number, salt: number): void {
  const header = { number: 1, size, firstBatch: 1, next: 1, salt, meta: undefined };
  volume.apply([{ op: "create", file: SPARE_FILE }]);
  try {
    volume.apply([{ op: "zeros", file: SPARE_FILE, at: 0, end: size }]);
  } catch (error) {
    // A directory that is refused is not to take up what space there is.
    if (error instanceof DiskError) volume.apply([{ op: "remove", file: SPARE_FILE }]);
    throw error;
  }
  volume.apply([
    { op: "write", file: SPARE_FILE, at: 0, bytes: encodeSegmentHeader(header) },
    { op: "sync", file: SPARE_FILE },
    { op: "rename", file: SPARE_FILE, to: segmentFile(1) },
    { op: "syncNames" },
  ]);
  writeOwner(volume, owner);
}

function writeOwner(volume: Volume, owner: Owner): void {
  const bytes = new TextEncoder().encode(ownerText(owner));
  volume.apply([
    { op: "create", file: OWNER_PART_FILE },
    { op: "write", file: OWNER_PART_FILE, at: 0, bytes },
    { op: "sync", file: OWNER_PART_FILE },
    { op: "rename", file: OWNER_PART_FILE, to: OWNER_FILE },
    { op: "syncNames" },
  ]);
}

/** Reads and checks the snapshot at `index`; its bytes are kept if there are at most `wholeMax`. */
function readSnapshot(
  volume: Volume,
  index: number,
  wholeMax: number,
): { footer: SnapshotFooter; stored: StoredSnapshot } {
  const file = snapshotFile(index);
  const fileBytes = volume.size(file);
  const end = Math.min(fileBytes, SNAPSHOT_END_BYTES_MAX);
  const footerAt = Math.max(0, fileBytes - SNAPSHOT_FOOTER_BYTES);
  const footer = decodeSnapshotEnd(volume.read(file, fileBytes - end, end));
  if (typeof footer === "string") throw damaged(volume.name, file, footerAt, footer);
  const { size, about } = footer;
  if (footer.index !== index || size + (about?.length ?? 0) !== footerAt) {
    const what = `it is of index ${footer.index} and ${size} bytes`;
    throw damaged(volume.name, file, footerAt, what);
  }
  const bytes = size <= wholeMax ? new Uint8Array(size) : undefined;
  let checksum = 0;
  for (let at = 0; at < size; at += PART_BYTES_MAX) {
    const part = volume.read(file, at, Math.min(PART_BYTES_MAX, size - at));
    checksum = crc32c(part, 0, part.length, checksum);
    bytes?.set(part, at);
  }
  if (checksum !== footer.checksum) {
    throw damaged(volume.name, file, 0, "the checksum of its content is wrong");
  }
  return { footer, stored: { index, size, about, bytes } };
}

/**
 * Makes durable what recovery believes. The last batch was read from memory, perhaps, and never
 * reached the disk (the system forgets a write that failed): so it is written again, with zeros in
 * place of what is torn behind it.
 */
function repair(
  volume: Volume,
  read: readonly ReadSegment[],
  { segments, position, tail, obsolete }: Recovered,
  leftovers: readonly string[],
): void {
  const { file } = segments.at(-1)!;
  const bytes = read.find((each) => each.file === file)!.bytes.slice(tail.from, tail.to);
  bytes.fill(0, position - tail.from);
  const removals = [...leftovers, ...obsolete].map((name): FileOperation => {
    return { op: "remove", file: name };
  });
  const write: FileOperation = { op: "write", file, at: tail.from, bytes };
  volume.apply([
    { op: "syncNames" },
    ...(bytes.length > 0 ? [write] : []),
    { op: "sync", file },
    ...removals,
  ]);
}
