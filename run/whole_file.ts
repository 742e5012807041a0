/**
 * Files that programs write for people: there whole, and on the disk, or not at all.
 *
 * @module
 */
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { Failure, UsageError } from "./errors.ts";
import { printResult } from "./output.ts";

/**
 * Writes `pieces` to `file`, or to stdout if that is `-`. What was there before stays until all is
 * written; a pipe or a device is written to as it is. A new file gets `mode`. Rejects with a
 * {@link UsageError} for no name, and with a {@link Failure}.
 */
export async function writeWhole(
  file: string,
  pieces: Iterable<string | Uint8Array>,
  mode = 0o666,
): Promise<void> {
  if (file === "") throw new UsageError('FILE is "", expected a name, or - for stdout');
  if (file === "-") {
    for (const piece of pieces) await printResult(piece);
    return;
  }
  const found = await stat(file).catch(() => undefined);
  const isInPlace = found !== undefined && !found.isFile();
  // Of a link the file that it leads to is replaced.
  const target = found === undefined ? file : await realpath(file);
  const path = isInPlace ? target : `${target}.part`;
  try {
    const handle = await open(path, "w", mode);
    try {
      for (const piece of pieces) await handle.writeFile(piece);
      if (!isInPlace) await handle.sync();
    } finally {
      await handle.close();
    }
    if (!isInPlace) await rename(path, target);
  } catch (error) {
    if (!isInPlace) await rm(path, { force: true }).catch(() => {});
    throw new Failure(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}
