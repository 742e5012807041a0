/**
 * What goes wrong with the store, for programs (`code`) and for people (the message, one line).
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";

/** The kind of failure. */
export type StoreErrorCode =
  /** It may have been done, or may yet be. Thrown as {@link UnknownOutcome}. */
  | "UNKNOWN"
  /** The time is over. It was not done, and will not be. */
  | "TIMED_OUT"
  /** The signal was aborted. It was not done, and will not be. */
  | "ABORTED"
  /** The store was closed. It was not done, and will not be. */
  | "CLOSED"
  /** A key, a value or something else that was passed is against the limits. */
  | "INVALID"
  /** A value would become longer than it may be. */
  | "TOO_LARGE"
  /** The store is full. */
  | "FULL"
  /** The servers' disks are full: it was not done, and will not be. */
  | "NO_SPACE"
  /** All servers refuse this program's version. */
  | "OTHER_VERSION"
  /** The lease is unknown, or over. */
  | "NO_LEASE"
  | "TOO_MANY_LEASES"
  | "TOO_MANY_SESSIONS"
  | "TOO_MANY_WATCHES"
  /** The changes that a watch wants are forgotten. */
  | "COMPACTED"
  /** No server understood the request, or what they answer is not understood here. */
  | "NOT_UNDERSTOOD"
  /** A change of members, or of the lead, did not come about. */
  | "NOT_DONE";

/** The base of all errors of the store. */
export class StoreError extends CodedError<StoreErrorCode> {
  override name = "StoreError";
}

/** Nobody knows whether a write was done: it may have been, or may yet be. */
export class UnknownOutcome extends StoreError {
  override name = "UnknownOutcome";

  constructor(message = "no answer in time: it may have been done, or may yet be") {
    super("UNKNOWN", message);
  }
}
