/**
 * A worker's files. They have numbers for names, in a directory of its own: nothing that a message
 * says becomes a path.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { invariant } from "../base/machine.ts";
import { writeAll } from "../run/write_all.ts";
import { PIECE_BYTES_MAX } from "../work/mapreduce_messages.ts";
import { Hashes } from "./hashes_adapter.ts";
import type { PartFiles } from "./job_types.ts";
import { doneFile, partFile } from "./part_files.ts";
import type { Share } from "./share_adapter.ts";
import type { JobFile, JobFilePart } from "./worker_types.ts";

/** Files that are kept open. */
const OPEN_MAX = 64;

/** See the module. */
export class JobFiles {
  readonly #directory: string;
  readonly #open = new Map<string, number>();
  /** Jobs whose directory is there. */
  readonly #made = new Set<number>();
  readonly #hashes = new Hashes();
  /** Files that lie in the shared directory, by the paths that they would have here. */
  readonly #elsewhere = new Map<string, string>();

  readonly #share: Share | undefined;
  /** Maps whose partitions this worker put into the shared directory, and their number. */
  readonly #shared = new Map<PartFiles, number>();

  constructor(directory: string, share?: Share) {
    this.#directory = directory;
    this.#share = share;
  }

  /** Where the partitions of a map go in the shared directory. */
  partFiles(uid: number, map: number, reducers: number): PartFiles {
    const directory = this.#share!.jobDirectory(uid);
    mkdirSync(directory, { recursive: true });
    const files = { directory, map };
    this.#shared.set(files, reducers);
    return files;
  }

  /** The directory of a job; it is made if need be. */
  directory(uid: number): string {
    invariant(Number.isInteger(uid), "a job has a number");
    const path = join(this.#directory, `job-${uid}`);
    if (!this.#made.has(uid)) mkdirSync(path, { recursive: true });
    this.#made.add(uid);
    return path;
  }

  path(file: JobFile): string {
    const { uid, kind, number: map, reduce = 0 } = file;
    if (kind === "shared" && this.#share !== undefined) {
      return partFile({ directory: this.#share.jobDirectory(uid), map }, reduce);
    }
    const path = this.#ownPath(file);
    return this.#elsewhere.get(path) ?? path;
  }

  /** The file lies at `path`, and is ours all the same. */
  place(file: JobFile, path: string): void {
    this.#elsewhere.set(this.#ownPath(file), path);
  }

  #ownPath({ uid, kind, number }: JobFile): string {
    invariant(Number.isInteger(number), "a file has a number");
    const suffix = kind === "code" ? ".mjs" : "";
    return join(this.directory(uid), `${kind}-${number}${suffix}`);
  }

  put(file: JobFile, offset: number, bytes: Uint8Array): void {
    const path = this.path(file);
    writeAll(this.#fd(path, true), bytes, offset);
    if (file.kind === "part") this.#hashes.put(path, offset, bytes.length);
  }

  /** Says whether the part has that SHA-256. */
  verify({ file, from, to }: JobFilePart, hash: string, then: (good: boolean) => void): void {
    this.#hashes.verify(this.path(file), from, to, hash, then);
  }

  /** As the effect `read` asks for; undefined if they cannot be read. */
  read(file: JobFile, offset: number, length: number, room: number): Uint8Array | undefined {
    try {
      return readPiece(this.#fd(this.path(file), false), offset, length, room);
    } catch {
      return undefined;
    }
  }

  remove(file: JobFile): void {
    const path = this.path(file);
    this.#hashes.forget(path);
    this.#close(path);
    rmSync(path, { force: true });
    this.#elsewhere.delete(this.#ownPath(file));
  }

  /** Removes all files of a job, or of all. */
  wipe(uid: number | undefined): void {
    const prefix = uid === undefined ? this.#directory : this.directory(uid);
    if (uid === undefined) this.#made.clear();
    else this.#made.delete(uid);
    const isOf = (path: string): boolean =>
      path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}\\`);
    for (const [path, place] of this.#elsewhere) {
      if (!isOf(path)) continue;
      this.#close(place);
      rmSync(place, { force: true });
      this.#elsewhere.delete(path);
    }
    this.#hashes.forgetThose(isOf);
    const shared = uid === undefined ? undefined : this.#share?.jobDirectory(uid);
    for (const path of this.#open.keys()) {
      if (isOf(path) || (shared !== undefined && dirname(path) === shared)) this.#close(path);
    }
    this.#wipeShared(shared);
    // The directory itself stays: its lock lies in it.
    const left = uid === undefined ? this.#jobs() : [prefix];
    for (const path of left) rmSync(path, { recursive: true, force: true });
  }

  /** Nothing is put or verified any more. */
  close(): void {
    this.#hashes.end();
  }

  /** Removes what is in the directory of a job that is over; or of all jobs what is its own. */
  #wipeShared(over: string | undefined): void {
    for (const [files, reducers] of this.#shared) {
      const { directory } = files;
      if (over !== undefined && directory !== over) continue;
      this.#shared.delete(files);
      if (over !== undefined) continue;
      rmSync(doneFile(files), { force: true });
      for (let r = 0; r < reducers; r++) rmSync(partFile(files, r), { force: true });
      removeIfEmpty(directory);
    }
    if (over !== undefined) rmSync(over, { recursive: true, force: true });
  }

  #jobs(): string[] {
    const names = readdirSync(this.#directory).filter((name) => name.startsWith("job-"));
    return names.map((name) => join(this.#directory, name));
  }

  #fd(path: string, writes: boolean): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const [oldest] = this.#open;
    if (this.#open.size >= OPEN_MAX && oldest !== undefined) this.#close(oldest[0]);
    const fd = openSync(path, writes ? "a+" : "r");
    if (!writes) {
      this.#open.set(path, fd);
      return fd;
    }
    // "a+" makes it without emptying it, but writes at its end only.
    closeSync(fd);
    const both = openSync(path, "r+");
    this.#open.set(path, both);
    return both;
  }

  #close(path: string): void {
    const fd = this.#open.get(path);
    if (fd !== undefined) closeSync(fd);
    this.#open.delete(path);
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Others have files there, or removed it.
  }
}

/** For pieces without room in front: each is sent, as a copy, before the next is read. */
const lent = new Uint8Array(PIECE_BYTES_MAX);

/** `length` bytes of a file behind `room` bytes; with room they have memory of their own. */
export function readPiece(fd: number, offset: number, length: number, room: number): Uint8Array {
  // It is written over: no zeros are needed.
  const piece = room === 0 ? lent : Buffer.allocUnsafeSlow(room + length);
  const got = length === 0 ? 0 : readSync(fd, piece, room, length, offset);
  return piece.subarray(0, room + got);
}
