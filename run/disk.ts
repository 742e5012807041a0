/**
 * A directory as a disk for a core: what the core asks for with `store`, `save` and `load` is done
 * on files, and what becomes of it is told as `stored`, `saved`, `loaded` and `disk`.
 *
 * ```ts
 * import { openDisk } from "./disk.ts";
 * import { Drive } from "./drive.ts";
 *
 * const { disk, state } = openDisk({ directory, kind: "counter" });
 * const drive = new Drive<StoreInput, StoreEffect>(new Counter(state), (effect) => {
 *   disk.handle(effect);
 * });
 * disk.start((input) => drive.tell(input));
 * ```
 *
 * docs/storage.md has the promises, the format and what happens at each fault.
 *
 * @module
 */
import { mkdirSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { DiskError } from "./disk_errors.ts";
import type { Files } from "./disk_files.ts";
import { lockDirectory, type Unlock } from "./disk_lock.ts";
import type { DiskLog } from "./disk_log.ts";
import {
  demandOurs,
  type Disk,
  LOCK_FILE,
  LogDisk,
  type OpenedDisk,
  type OpenOptions,
  openVolume,
} from "./disk_open.ts";
import type { Owner } from "./disk_owner.ts";
import { SystemFiles } from "./disk_system.ts";
import { syncNames, SystemVolume } from "./disk_volume.ts";

/** Which directory, and how. */
export interface DiskOptions extends OpenOptions {
  /** Made if it does not exist. */
  readonly directory: string;
}

/** A directory that is open, for this process alone. */
export interface SystemDisk extends Disk {
  close(done?: () => void): Promise<void>;
  abandon(done?: () => void): Promise<void>;
}

/**
 * Opens `directory`, made if need be. Blocks while it reads the log (1,000,000 small records: well
 * below 2 s). Throws a `DiskError` of one line if it is in use, belongs to something else, was
 * written by a newer version, is damaged, or cannot be made, read or written.
 *
 * Tests use `between` to put faults between the log and its files.
 */
export function openDisk(
  options: DiskOptions,
  between: (files: Files) => Files = (files) => files,
): OpenedDisk<SystemDisk> {
  const directory = made(options.directory);
  const volume = new SystemVolume(directory);
  // Not even a lock is left in a directory that is somebody else's.
  demandOurs(volume);
  const unlock = lock(directory);
  try {
    const files = new SystemFiles(directory);
    const newSalt = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!;
    const { owner, state, log } = openVolume(volume, between(files), options, newSalt);
    return { disk: new DirectoryDisk(owner, log, files, unlock), state };
  } catch (error) {
    unlock();
    throw error;
  }
}

function made(directory: string): string {
  try {
    const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = realpathSync(directory);
    if (first !== undefined) {
      // Every directory that is new is a new name in another one, the oldest of which was there.
      const top = dirname(realpathSync(first));
      for (let each = dirname(path); each.length >= top.length; each = dirname(each)) {
        syncNames(each);
        if (each === top) break;
      }
    }
    return path;
  } catch (error) {
    throw unusable(directory, error);
  }
}

function lock(directory: string): Unlock {
  try {
    return lockDirectory(directory, LOCK_FILE);
  } catch (error) {
    throw error instanceof DiskError ? error : unusable(directory, error);
  }
}

function unusable(directory: string, cause: unknown): DiskError {
  const { message, code } = cause as Error & { code?: string };
  const kind = code === "ENOSPC" || code === "EDQUOT" ? "FULL" : "UNUSABLE";
  const text = `${directory}: cannot be used as a disk: ${message}; name another directory`;
  return new DiskError(kind, text, { cause });
}

class DirectoryDisk extends LogDisk implements SystemDisk {
  readonly #files: SystemFiles;
  readonly #unlock: Unlock;
  #released: Promise<void> | undefined;

  constructor(owner: Owner, log: DiskLog, files: SystemFiles, unlock: Unlock) {
    super(owner, log);
    this.#files = files;
    this.#unlock = unlock;
  }

  async close(done?: () => void): Promise<void> {
    await new Promise<void>((resolve) => this.log.close(resolve));
    await this.#release();
    done?.();
  }

  async abandon(done?: () => void): Promise<void> {
    this.log.abandon();
    await this.#release();
    done?.();
  }

  #release(): Promise<void> {
    this.#released ??= this.#files.close().then(() => this.#unlock());
    return this.#released;
  }
}
