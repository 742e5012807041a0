/**
 * Why a directory cannot be opened as a disk, in one line that says what to do.
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";

/** The kind of failure, for programs. */
export type DiskErrorCode =
  /** Another process, or another disk of this one, has the directory open. */
  | "LOCKED"
  /** The directory belongs to something else. */
  | "FOREIGN"
  /** The directory was written by a newer version of this program. */
  | "NEWER"
  /** What is there contradicts itself. */
  | "DAMAGED"
  /** There is no space to begin with. */
  | "FULL"
  /** The directory cannot be made, read or written. */
  | "UNUSABLE";

/** Thrown when a directory cannot be opened as a disk. */
export class DiskError extends CodedError<DiskErrorCode> {
  override name = "DiskError";
}

/** A {@link DiskError} for `file` of `directory`, which is wrong from `offset` on. */
export function damaged(directory: string, file: string, offset: number, what: string): DiskError {
  return new DiskError(
    "DAMAGED",
    `${directory}: ${file} is damaged at offset ${offset}: ${what}; restore the directory from a ` +
      "copy, or move it away and begin anew without what it holds",
  );
}
