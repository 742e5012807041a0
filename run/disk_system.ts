/**
 * The files of a disk on this machine: every call of the log goes to Bun's pool of threads, so that
 * the event loop never waits for a disk. Only opening waits, before anything is served.
 *
 * @module
 */
import * as fs from "node:fs";
import {
  failureText,
  fileOf,
  HAS_NAMES_SYNC,
  isFull,
  open,
  type SystemError,
  zeros,
  ZEROS_BYTES,
} from "./disk_calls.ts";
import { type FileFailure, type FileOperation, type Files, goingFile } from "./disk_files.ts";

/** Bytes of a large file that are given back at a time. */
const FREED_BYTES: number = 4 << 20;
/** Files that are kept open; beyond these the one that was used longest ago is closed. */
const OPEN_FILES_MAX = 16;
/** Whether the system has writes that are durable when they are done. */
const HAS_SYNCED_WRITES = typeof fs.constants.O_DSYNC === "number";

type Callback = (error: SystemError | null | undefined) => void;

type Write = Omit<Extract<FileOperation, { op: "write" }>, "op">;

function close({ fd, syncedFd }: OpenFile): void {
  fs.closeSync(fd);
  if (syncedFd >= 0) fs.closeSync(syncedFd);
}

/**
 * Whether `sync` makes durable what `write` wrote and no more: then one call of the system does
 * both (O_DSYNC), which spares a thread and the event loop a wake-up each. Where that finds no
 * space, it is a write that found none: the log writes all of it again.
 */
function isSyncedBy(write: FileOperation, sync: FileOperation | undefined): boolean {
  if (write.op !== "write" || sync?.op !== "sync") return false;
  return sync.isOfWrite === true && sync.file === write.file;
}

/** A file that is open, for as long as somebody uses it or may soon. */
interface OpenFile {
  readonly fd: number;
  /** The same file, where a write is done when it is durable; -1 until one is wanted. */
  syncedFd: number;
  /** Calls under way: the number of a file that is closed may be another file's the next moment. */
  users: number;
  isForgotten: boolean;
}

/** {@link Files} of one directory. */
export class SystemFiles implements Files {
  readonly #directory: string;
  /** Open files by name, those that were used last at the end. */
  readonly #open = new Map<string, OpenFile>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #underWay = 0;
  #isClosing = false;
  #closed: (() => void) | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  run(operations: readonly FileOperation[], done: (failure?: FileFailure) => void): void {
    this.#underWay++;
    let next = 0;
    const step = (): void => {
      const operation = operations[next++];
      if (operation === undefined || this.#isClosing) return this.#finish(done);
      const isSynced = HAS_SYNCED_WRITES && isSyncedBy(operation, operations[next]);
      if (isSynced) next++;
      const after: Callback = (error) => {
        if (error === null || error === undefined) step();
        else fail(operation, error);
      };
      this.#try(() => this.#do(operation, isSynced, after), after);
    };
    const fail = (operation: FileOperation, error: SystemError): void => {
      const { op } = operation;
      const text = failureText(this.#directory, op, fileOf(operation), error);
      this.#finish(() => done({ op, isFull: isFull(error), text }));
    };
    step();
  }

  read(
    file: string,
    at: number,
    length: number,
    done: (result: Uint8Array | FileFailure) => void,
  ): void {
    this.#underWay++;
    const bytes = new Uint8Array(length);
    const fail = (error: SystemError): void => {
      const text = failureText(this.#directory, "read", file, error);
      this.#finish(() => done({ op: "read", isFull: false, text }));
    };
    const readOn = (got: number): void => {
      const { fd, release } = this.#use(file);
      fs.read(fd, bytes, got, length - got, at + got, (error, count) => {
        release();
        if (error !== null && error !== undefined) return fail(error);
        if (count === 0 || got + count >= length) {
          return this.#finish(() => done(bytes.subarray(0, got + count)));
        }
        this.#try(() => readOn(got + count), fail);
      });
    };
    this.#try(() => readOn(0), fail);
  }

  endOfTurn(action: () => void): void {
    setImmediate(action);
  }

  later(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }

  /** Closes all files once nothing is under way; operations that have not begun never do. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#isClosing = true;
    this.#closed = resolve;
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#underWay === 0) this.#closeAll();
    return promise;
  }

  #try(action: () => void, fail: (error: SystemError) => void): void {
    try {
      action();
    } catch (error) {
      fail(error as SystemError);
    }
  }

  #finish(done: () => void): void {
    this.#underWay--;
    if (!this.#isClosing) return done();
    if (this.#underWay === 0) this.#closeAll();
  }

  #closeAll(): void {
    for (const file of this.#open.keys()) this.#forget(file);
    this.#closed?.();
  }

  #do(operation: FileOperation, isSynced: boolean, after: Callback): void {
    const path = `${this.#directory}/${fileOf(operation)}`;
    switch (operation.op) {
      case "create":
        this.#forget(operation.file);
        this.#use(operation.file, "create").release();
        return after(null);
      case "write":
        return this.#write(operation, 0, isSynced, after);
      case "zeros":
        return this.#writeZeros(operation.file, operation.at, operation.end, after);
      case "sync":
        return this.#sync(fs.fdatasync, operation.file, after);
      case "rename":
        this.#forget(operation.to);
        return fs.rename(path, `${this.#directory}/${operation.to}`, (error) => {
          if (error === null || error === undefined) this.#rename(operation.file, operation.to);
          after(error);
        });
      case "remove":
        return this.#remove(operation.file, after);
      case "syncNames":
        return HAS_NAMES_SYNC ? this.#sync(fs.fsync, ".", after) : after(null);
    }
  }

  #sync(sync: (fd: number, callback: Callback) => void, file: string, after: Callback): void {
    const { fd, release } = this.#use(file);
    sync(fd, (error) => {
      release();
      after(error);
    });
  }

  /**
   * Removes a file; a large one piece by piece, for the system holds up what is written meanwhile
   * for as long as it takes to free a piece. One that is being read goes as a whole.
   */
  #remove(file: string, after: Callback): void {
    const path = `${this.#directory}/${file}`;
    const going = `${this.#directory}/${goingFile(file)}`;
    const isUsed = (this.#open.get(file)?.users ?? 0) > 0;
    this.#forget(file);
    const shrink = (bytes: number): void => {
      if (this.#isClosing) return after(null);
      if (bytes <= FREED_BYTES) return fs.unlink(going, after);
      const left = bytes - FREED_BYTES;
      fs.truncate(going, left, (error) => (error ? after(error) : shrink(left)));
    };
    fs.stat(path, (error, stat) => {
      if (error || isUsed || stat.size <= FREED_BYTES) return fs.unlink(path, after);
      fs.rename(path, going, (failed) => (failed ? after(failed) : shrink(stat.size)));
    });
  }

  /** Writes what is behind the first `from` bytes; if `isSynced`, it is durable then. */
  #write(write: Write, from: number, isSynced: boolean, after: Callback): void {
    const { file, bytes, at } = write;
    const { fd, release } = isSynced ? this.#useSynced(file) : this.#use(file);
    fs.write(fd, bytes, from, bytes.length - from, at + from, (error, count) => {
      release();
      if (error !== null && error !== undefined) return after(error);
      if (from + count >= bytes.length) return after(null);
      // A write that was cut short says why when it is tried again.
      this.#try(() => this.#write(write, from + count, isSynced, after), after);
    });
  }

  #writeZeros(file: string, at: number, end: number, after: Callback): void {
    if (at >= end || this.#isClosing) return after(null);
    const most = zeros.subarray(0, Math.min(ZEROS_BYTES, end - at));
    this.#write({ file, at, bytes: most }, 0, false, (error) => {
      if (error !== null && error !== undefined) return after(error);
      this.#try(() => this.#writeZeros(file, at + most.length, end, after), after);
    });
  }

  /** The open file of that name, until `release`. Opening takes microseconds: no thread's work. */
  #use(file: string, op: "create" | "write" = "write"): { fd: number; release: () => void } {
    let entry = this.#open.get(file);
    if (entry === undefined) {
      const path = `${this.#directory}/${file}`;
      const fd = file === "." ? fs.openSync(path, fs.constants.O_RDONLY) : open(path, op);
      entry = { fd, syncedFd: -1, users: 0, isForgotten: false };
      const [oldest] = this.#open.keys();
      if (this.#open.size >= OPEN_FILES_MAX && oldest !== undefined) this.#forget(oldest);
    } else this.#open.delete(file);
    this.#open.set(file, entry);
    const used = entry;
    used.users++;
    const release = (): void => {
      if (--used.users === 0 && used.isForgotten) close(used);
    };
    return { fd: used.fd, release };
  }

  /** The same for writes that are durable when they are done. */
  #useSynced(file: string): { fd: number; release: () => void } {
    const { release } = this.#use(file);
    const entry = this.#open.get(file)!;
    try {
      if (entry.syncedFd < 0) entry.syncedFd = open(`${this.#directory}/${file}`, "write", true);
      return { fd: entry.syncedFd, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #forget(file: string): void {
    const entry = this.#open.get(file);
    if (entry === undefined) return;
    this.#open.delete(file);
    entry.isForgotten = true;
    if (entry.users === 0) close(entry);
  }

  #rename(from: string, to: string): void {
    const entry = this.#open.get(from);
    if (entry === undefined) return;
    this.#open.delete(from);
    this.#open.set(to, entry);
  }
}
