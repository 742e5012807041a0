/**
 * Writing all of some bytes: the system may take a part of them, as on a disk that is nearly full.
 *
 * @module
 */
import { writeSync } from "node:fs";

/** Writes `bytes` at `at`; if that is left out, where the file is. Throws what the system says. */
export function writeAll(fd: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length;) {
    const to = at === undefined ? null : at + done;
    done += writeSync(fd, bytes, done, bytes.length - done, to);
  }
}
