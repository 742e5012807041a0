/**
 * SHA-256s of files, and of parts of them.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { CHUNK_BYTES } from "./limits.ts";

const chunk = new Uint8Array(CHUNK_BYTES);

/** Hashes a file from some place on, as far as it is told. Throws where it cannot be opened. */
export class FileHash {
  readonly #fd: number;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #at: number;
  #isWhole = true;

  constructor(path: string, from: number) {
    this.#fd = openSync(path, "r");
    this.#at = from;
  }

  /** Goes on up to `to`. */
  read(to: number): void {
    while (this.#at < to && this.#isWhole) {
      const got = readSync(this.#fd, chunk, 0, Math.min(chunk.length, to - this.#at), this.#at);
      this.#hasher.update(chunk.subarray(0, got));
      this.#at += got;
      this.#isWhole = got > 0;
    }
  }

  /** In hexadecimal digits, if it was hashed up to `to`, and no further. */
  digest(to: number): string | undefined {
    return this.#isWhole && this.#at === to ? this.#hasher.digest("hex") : undefined;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The SHA-256 of a part of a file, in hexadecimal digits; undefined if it cannot be read whole. */
export function hashOfPart(path: string, from: number, to: number): string | undefined {
  let file: FileHash;
  try {
    file = new FileHash(path, from);
  } catch {
    return undefined;
  }
  try {
    file.read(to);
    return file.digest(to);
  } finally {
    file.close();
  }
}
