/**
 * Where a server that is started from the command line keeps what is to outlive it: in `--data
 * DIR`, in the user's own directory for it, or with `--memory` nowhere.
 *
 * @module
 */
import type { CommandLine } from "./args.ts";
import { DiskError } from "./disk_errors.ts";
import { UsageError } from "./errors.ts";
import { stateDirectory } from "./state_directory.ts";

/** A directory, or why there is none: it is not wanted, the port has none, or the user has none. */
export type DataPlace =
  | { readonly directory: string; readonly isDefault: boolean }
  | { readonly directory: undefined; readonly why: "asked" | "port" | "user" };

/** What was opened, and where it is kept. */
export interface Kept<T> {
  readonly opened: T;
  /** `undefined`: in memory. */
  readonly directory: string | undefined;
  /** Why the user's own directory could not be used, if that was tried. */
  readonly failure?: DiskError;
}

/**
 * What the command line says on the data of `program` on `port`; port 0 is another one the next
 * time, and has no directory of its own. Throws a {@link UsageError}.
 */
export function dataPlace(line: CommandLine, program: string, port: number): DataPlace {
  const data = line.flag("data");
  if (data !== undefined && line.has("memory")) {
    throw new UsageError("got --data and --memory, expected one of the two");
  }
  if (line.has("memory")) return { directory: undefined, why: "asked" };
  if (data !== undefined) return { directory: data, isDefault: false };
  if (port === 0) return { directory: undefined, why: "port" };
  const own = stateDirectory(`${program}-${port}`);
  if (own === undefined) return { directory: undefined, why: "user" };
  return { directory: own, isDefault: true };
}

/**
 * What the word durable is worth on a system, in one line; undefined where it is worth what it
 * says. macOS keeps synced data in the drive's cache unless asked otherwise by F_FULLFSYNC, which
 * would hold up the event loop.
 */
export function durabilityCaveat(platform: string = process.platform): string | undefined {
  if (platform !== "darwin") return undefined;
  return "macOS: what is stored survives a crash, but not for certain a power cut";
}

/** The directory as a server that keeps something there shows it, with the caveat if any. */
export function keptIn(directory: string, platform?: string): string {
  const caveat = durabilityCaveat(platform);
  return caveat === undefined ? directory : `${directory} (${caveat})`;
}

/** Opens what is kept at `place`; where the user's own directory cannot be written, in memory. */
export async function openKept<T>(
  place: DataPlace,
  open: (directory: string | undefined) => Promise<T>,
): Promise<Kept<T>> {
  const { directory } = place;
  if (directory === undefined) return { opened: await open(undefined), directory };
  try {
    return { opened: await open(directory), directory };
  } catch (error) {
    const isUnusable = error instanceof DiskError && error.code === "UNUSABLE";
    if (!place.isDefault || !isUnusable) throw error;
    return { opened: await open(undefined), directory: undefined, failure: error };
  }
}
