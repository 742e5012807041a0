/**
 * The files of a directory while it is being opened: calls wait, for nothing is served yet.
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
  VERBS,
  zeros,
  ZEROS_BYTES,
} from "./disk_calls.ts";
import { DiskError } from "./disk_errors.ts";
import type { FileOperation, Volume } from "./disk_files.ts";
import { writeAll } from "./write_all.ts";

/** What can be done about a directory that cannot be opened. */
function adviceFor(error: SystemError): string {
  const isOthers = error.code === "EACCES" || error.code === "EPERM";
  const first = isOthers ? "make it this user's, or " : "";
  return `${isFull(error) ? "make room there, or " : first}name another directory`;
}

/** {@link Volume} of one directory, which must exist. */
export class SystemVolume implements Volume {
  readonly name: string;

  constructor(directory: string) {
    this.name = directory;
  }

  list(): string[] {
    return this.#try("list", "", () => fs.readdirSync(this.name));
  }

  size(file: string): number {
    return this.#try("size", file, () => fs.statSync(this.#path(file)).size);
  }

  read(file: string, at: number, length: number): Uint8Array {
    return this.#try("read", file, () => {
      const fd = fs.openSync(this.#path(file), fs.constants.O_RDONLY);
      try {
        const bytes = new Uint8Array(length);
        for (let got = 0; ;) {
          const count = fs.readSync(fd, bytes, got, length - got, at + got);
          got += count;
          if (count === 0 || got === length) return bytes.subarray(0, got);
        }
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  apply(operations: readonly FileOperation[]): void {
    for (const operation of operations) {
      this.#try(operation.op, fileOf(operation), () => this.#do(operation));
    }
  }

  #do(operation: FileOperation): void {
    if (operation.op === "remove") return fs.unlinkSync(this.#path(operation.file));
    if (operation.op === "rename") {
      return fs.renameSync(this.#path(operation.file), this.#path(operation.to));
    }
    if (operation.op === "syncNames") return syncNames(this.name);
    const fd = open(this.#path(operation.file), operation.op);
    try {
      if (operation.op === "sync") fs.fsyncSync(fd);
      else if (operation.op === "write") writeAll(fd, operation.bytes, operation.at);
      else if (operation.op === "zeros") {
        for (let at = operation.at; at < operation.end; at += ZEROS_BYTES) {
          writeAll(fd, zeros.subarray(0, Math.min(ZEROS_BYTES, operation.end - at)), at);
        }
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  #path(file: string): string {
    return `${this.name}/${file}`;
  }

  #try<T>(op: keyof typeof VERBS, file: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      const cause = error as SystemError;
      const code = isFull(cause) ? "FULL" : "UNUSABLE";
      const text = `${failureText(this.name, op, file, cause)}; ${adviceFor(cause)}`;
      throw new DiskError(code, text, { cause });
    }
  }
}

/** Makes the names in `directory` durable, as far as the system can. */
export function syncNames(directory: string): void {
  if (!HAS_NAMES_SYNC) return;
  const fd = fs.openSync(directory, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
