/**
 * A lock on a directory that dies with the process that holds it, however that ends: never a file
 * whose existence or content means something. On Linux and macOS it is `flock` on a file that stays
 * (by bun:ffi); where that cannot be called, the exclusive lock of an SQLite database, which takes
 * `LockFileEx` on Windows and `fcntl` elsewhere.
 *
 * @module
 */
import { Database } from "bun:sqlite";
import { FFIType, type Pointer, read } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { DiskError } from "./disk_errors.ts";
import { systemLibrary } from "./system_library.ts";

/** Lets go of a lock. */
export type Unlock = () => void;

/** LOCK_EX | LOCK_NB, the same on Linux, macOS and the BSDs. */
const EXCLUSIVE_NOW = 2 | 4;

/** The function that tells where errno is, and EWOULDBLOCK, where there is flock. */
const ERRNO: Partial<Record<NodeJS.Platform, readonly [where: string, busy: number]>> = {
  linux: ["__errno_location", 11],
  darwin: ["__error", 35],
};

/** Tries to lock the open file `fd`: 0, or the system's error number. */
type TryLock = (fd: number) => number;

/** flock of this system; undefined where it cannot be called. */
function loadFlock(): { tryLock: TryLock; busy: number } | undefined {
  const [errno, busy] = ERRNO[process.platform] ?? ["", 0];
  const shape = {
    flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    [errno]: { args: [], returns: FFIType.ptr },
  } as const;
  try {
    const symbols = systemLibrary(shape);
    const where = symbols[errno] as unknown as () => Pointer;
    const tryLock: TryLock = (fd) =>
      symbols.flock(fd, EXCLUSIVE_NOW) === 0 ? 0 : read.i32(where(), 0);
    return { tryLock, busy };
  } catch {
    return undefined;
  }
}

let flock: ReturnType<typeof loadFlock> | null = null;

/**
 * Locks `file` of `directory`, or throws a `DiskError`: LOCKED if somebody has it already, in
 * another process or in this one.
 */
export function lockDirectory(directory: string, file: string): Unlock {
  if (flock === null) flock = loadFlock();
  return flock === undefined
    ? lockByDatabase(directory, file)
    : lockByFlock(directory, file, flock.tryLock, flock.busy);
}

function lockByFlock(directory: string, file: string, tryLock: TryLock, busy: number): Unlock {
  const fd = openSync(`${directory}/${file}`, constants.O_RDWR | constants.O_CREAT, 0o600);
  const code = tryLock(fd);
  if (code === 0) return () => closeSync(fd);
  closeSync(fd);
  if (code === busy) throw inUse(directory);
  throw new DiskError(
    "UNUSABLE",
    `${directory}: the system does not lock ${file} there (error ${code}); ` +
      "name a directory on a local file system",
  );
}

/** The way for systems without flock; exported so that tests can go it anywhere. */
export function lockByDatabase(directory: string, file: string): Unlock {
  const database = new Database(`${directory}/${file}.sqlite`);
  try {
    database.run("PRAGMA journal_mode = MEMORY");
    database.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { code?: string }).code === "SQLITE_BUSY") throw inUse(directory);
    throw error;
  }
  return () => database.close();
}

function inUse(directory: string): DiskError {
  return new DiskError(
    "LOCKED",
    `${directory}: it is in use by another program; stop that one, or name another directory`,
  );
}
