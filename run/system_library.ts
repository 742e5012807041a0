/**
 * The C library that this process runs on already, by its absolute path. A bare name would do on
 * most days, but `dlopen` of Bun 1.4 looks for a name that the loader does not know in the current
 * directory, and runs what lies there: on no path of ours may that happen.
 *
 * @module
 */
import { dlopen, type FFIFunction } from "bun:ffi";
import { readFileSync } from "node:fs";

/** Thrown where no C library can be called; the message is one line for people. */
export class SystemLibraryError extends Error {
  override name = "SystemLibraryError";
}

/** A mapped file of glibc or musl, at the end of a line of /proc/self/maps (proc(5)). */
const MAPPED_LIBC =
  /\s(\/\S*\/(?:libc\.so\.6|libc-2\.\d+\.so|libc\.musl-\w+\.so\.1|ld-musl-\w+\.so\.1))$/m;

/** The absolute path of the C library of `platform`, or undefined where none is known. */
export function systemLibraryPath(
  platform: NodeJS.Platform = process.platform,
  maps: () => string = () => readFileSync("/proc/self/maps", "utf8"),
): string | undefined {
  // Part of the system's own cache of libraries, whether or not there is a file of that name.
  if (platform === "darwin") return "/usr/lib/libSystem.B.dylib";
  if (platform !== "linux") return undefined;
  try {
    return MAPPED_LIBC.exec(maps())?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Functions of the C library by their bun:ffi signatures. Throws a {@link SystemLibraryError} with
 * the true reason: no library is known, a symbol is missing, or this process may not make code.
 */
export function systemLibrary<Signatures extends Record<string, FFIFunction>>(
  signatures: Signatures,
): ReturnType<typeof dlopen<Signatures>>["symbols"] {
  const path = systemLibraryPath();
  if (path === undefined) {
    throw new SystemLibraryError(`no C library is known on ${process.platform}`);
  }
  try {
    return dlopen(path, signatures).symbols;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SystemLibraryError(`the C library cannot be called: ${why}`);
  }
}
