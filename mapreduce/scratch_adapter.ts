/**
 * Directories for what lives as long as a job. Each is locked by the process that made it, so that
 * what is left of one that was killed can be told from what is in use, and removed.
 *
 * @module
 */
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDirectory, type Unlock } from "../run/disk_lock.ts";
import { Failure } from "../run/errors.ts";

const PREFIX = "motherlode-mapreduce-";
/** What `mkdtemp` makes of it. */
const NAME = /^motherlode-mapreduce-[A-Za-z0-9]{6}$/;
const LOCK = "lock";
/** Another process may take a new directory for one that was left behind: then it is made anew. */
const ATTEMPTS_MAX = 10;

/** Those of this process. */
const own = new Map<string, Unlock>();

/** A directory of our own for what lives as long as a job. Throws a {@link Failure}. */
export function scratchDirectory(): string {
  removeLeftovers();
  let why: unknown;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    try {
      const directory = mkdtempSync(join(tmpdir(), PREFIX));
      own.set(directory, lockDirectory(directory, LOCK));
      return directory;
    } catch (error) {
      why = error;
    }
  }
  throw new Failure(`cannot make a directory in ${tmpdir()}: ${(why as Error).message}`);
}

/** Removes a scratch directory, as far as that goes. */
export function removeScratch(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    throw new Failure(`cannot remove ${directory}: ${(error as Error).message}`);
  } finally {
    own.get(directory)?.();
    own.delete(directory);
  }
}

/** Removes what processes that were killed have left; how many directories that were. */
export function removeLeftovers(): number {
  let removed = 0;
  const place = tmpdir();
  let names: string[];
  try {
    names = readdirSync(place);
  } catch {
    return 0;
  }
  for (const name of names) if (NAME.test(name) && removeLeft(join(place, name))) removed++;
  return removed;
}

/** Whether nobody has the directory, and it is gone now. */
function removeLeft(directory: string): boolean {
  if (own.has(directory)) return false;
  try {
    if (!lstatSync(directory).isDirectory()) return false;
    if (![LOCK, `${LOCK}.sqlite`].some((file) => existsSync(join(directory, file)))) {
      // One that is being made, or an older program's: what is empty is no loss to either.
      rmdirSync(directory);
      return true;
    }
    const unlock = lockDirectory(directory, LOCK);
    rmSync(directory, { recursive: true, force: true });
    unlock();
    return true;
  } catch {
    // In use, or another user's.
    return false;
  }
}
