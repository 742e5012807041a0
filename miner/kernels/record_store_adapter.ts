/**
 * Where the records of kernels are kept between runs: a small file in the user's cache directory,
 * one for each processor and version, as a home may be shared by several machines. Everything here
 * is best effort: a file that cannot be read is measured anew, one that cannot be written is not
 * missed.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { homeDirectory } from "../../run/home.ts";
import { VERSION } from "../../run/version.ts";
import {
  formatRecords,
  parseRecords,
  type RecordKey,
  RECORDS_BYTES_MAX,
} from "./kernel_records.ts";
import { kernelNames } from "./mod.ts";
import { processor, systemVersion } from "./processor_native.ts";
import type { KernelRecord, KernelRecords } from "./selection.ts";

/** Names the directory itself, in place of the user's. */
export const CACHE_VARIABLE = "MOTHERLODE_CACHE_DIR";
/** More files than this are of old versions: the oldest go. */
const FILES_MAX = 16;
const OUR_FILE = /^kernels-[0-9a-f]{16}\.json$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** The user's directory for what can be made anew; `undefined` when there is none. */
export function userCacheDirectory(
  environment: Environment = process.env,
  platform: string = process.platform,
  home: string = homeDirectory(),
): string | undefined {
  const own = environment[CACHE_VARIABLE];
  if (own !== undefined && own !== "") return isAbsolute(own) ? own : undefined;
  const base = cacheBase(environment, platform, home);
  return base === undefined || !isAbsolute(base) ? undefined : join(base, "motherlode");
}

function cacheBase(environment: Environment, platform: string, home: string): string | undefined {
  if (platform === "win32") return environment["LOCALAPPDATA"];
  if (platform === "darwin") return join(home, "Library", "Caches");
  // XDG Base Directory Specification: ignore relative paths.
  const base = environment["XDG_CACHE_HOME"];
  return base !== undefined && isAbsolute(base) ? base : join(home, ".cache");
}

/** What records hold for here and now. */
function currentKey(): RecordKey {
  return {
    processor: processor().name,
    system: systemVersion(),
    bun: Bun.version,
    motherlode: VERSION,
  };
}

/** Records in a directory. */
export class RecordStore {
  readonly #directory: string;
  readonly #file: string;
  readonly #key: RecordKey;

  constructor(directory: string, key: RecordKey = currentKey()) {
    this.#directory = directory;
    this.#key = key;
    const digest = new Bun.CryptoHasher("sha256").update(JSON.stringify(key)).digest("hex");
    this.#file = join(directory, `kernels-${digest.slice(0, 16)}.json`);
  }

  /** What is known, or nothing. */
  load(): Map<string, KernelRecord> {
    let file: number | undefined;
    try {
      // Somebody else's file, or one that others may write to, says nothing to us.
      file = openSync(this.#file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      const { uid, mode, size } = fstatSync(file);
      if (!isOurs(uid, mode) || size > RECORDS_BYTES_MAX) return new Map();
      return parseRecords(readFileSync(file, "utf8"), this.#key, kernelNames) ?? new Map();
    } catch {
      return new Map();
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  /** Keeps `records`; whether that worked. */
  save(records: KernelRecords): boolean {
    // Written beside and renamed: nobody ever reads half a file.
    const beside = `${this.#file}.${process.pid}.tmp`;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const { uid, mode } = statSync(this.#directory);
      if (!isOurs(uid, mode)) return false;
      writeFileSync(beside, formatRecords(this.#key, records), { mode: 0o600 });
      renameSync(beside, this.#file);
      this.#removeOldest();
      return true;
    } catch {
      removeIfThere(beside);
      return false;
    }
  }

  #removeOldest(): void {
    const names = readdirSync(this.#directory).filter((name) => OUR_FILE.test(name));
    if (names.length <= FILES_MAX) return;
    const aged = names.map((name) => {
      const path = join(this.#directory, name);
      return { path, mtimeMs: statSync(path).mtimeMs };
    });
    aged.sort((a, b) => a.mtimeMs - b.mtimeMs);
    for (const { path } of aged.slice(0, aged.length - FILES_MAX)) removeIfThere(path);
  }
}

function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It lies where nothing can lie.
  }
}

/** Whether a file or directory is the user's, and nobody else may write to it. */
function isOurs(uid: number, mode: number): boolean {
  const self = process.getuid?.();
  return self === undefined || (uid === self && (mode & 0o022) === 0);
}
