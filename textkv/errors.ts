/**
 * Why a text server did not start, or ended.
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";

/** The kind of failure, for programs. */
export type TextServerErrorCode =
  /** Another program listens there. */
  | "ADDRESS_IN_USE"
  /** The host is none of this machine, or the port may not be bound. */
  | "CANNOT_LISTEN"
  /** It was started before. */
  | "STARTED"
  /** It was closed: a server is started once. */
  | "CLOSED"
  /** Its directory holds what this version does not know. */
  | "UNKNOWN_DATA"
  /** Its disk failed while it ran. */
  | "DISK_FAILED";

/** Thrown by `start`, or by `closed`; its message is one line for people. */
export class TextServerError extends CodedError<TextServerErrorCode> {
  override name = "TextServerError";
}
