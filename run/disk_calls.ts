/**
 * What both forms of a directory's files share (run/disk_system.ts, run/disk_volume.ts): how files
 * are opened, and what people are told of what failed.
 *
 * @module
 */
import * as fs from "node:fs";
import type { FileOperation } from "./disk_files.ts";

/** Zeros are written so many bytes at a time. */
export const ZEROS_BYTES: number = 1 << 20;
export const zeros: Uint8Array = new Uint8Array(ZEROS_BYTES);
/** What a full disk says: no space, or the user's quota is used up. */
const FULL_CODES: readonly (string | undefined)[] = ["ENOSPC", "EDQUOT"];
/** Directories have no sync of their own there; NTFS keeps names in its journal. */
export const HAS_NAMES_SYNC: boolean = process.platform !== "win32";

/** What the system says of what failed. */
export type SystemError = Error & { readonly code?: string };

/** Opens a file. `isSynced`: its writes are durable when they are done. */
export function open(path: string, op: FileOperation["op"] | "read", isSynced = false): number {
  const { O_RDWR, O_CREAT, O_TRUNC, O_DSYNC } = fs.constants;
  const flags = op === "create" ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR;
  return fs.openSync(path, isSynced ? flags | O_DSYNC : flags, 0o600);
}

/** What operations are called. */
export const VERBS: Readonly<Record<FileOperation["op"] | "read" | "size" | "list", string>> = {
  create: "create",
  write: "write",
  zeros: "write",
  sync: "sync",
  rename: "rename",
  remove: "remove",
  syncNames: "sync the names in",
  read: "read",
  size: "look at",
  list: "list",
};

/** One line for what could not be done to `file` of `directory`. */
export function failureText(
  directory: string,
  op: keyof typeof VERBS,
  file: string,
  error: SystemError,
): string {
  const where = file === "" ? directory : `${directory}/${file}`;
  return `cannot ${VERBS[op]} ${where}: ${error.message}`;
}

/** Whether it failed for want of space. */
export function isFull(error: SystemError): boolean {
  return FULL_CODES.includes(error.code);
}

/** The file that an operation is about; "": the directory. */
export function fileOf(operation: FileOperation): string {
  return operation.op === "syncNames" ? "" : operation.file;
}
