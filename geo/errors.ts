/**
 * What goes wrong with the geo store, for programs (`code`) and for people (the message, one line).
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";
import type { Refusal } from "./requests.ts";

/** The kind of failure. */
export type GeoErrorCode =
  /** The server does not answer. It was not done. */
  | "UNREACHABLE"
  /** The server fell silent, or the time was over, behind the request: it may have been done. */
  | "UNKNOWN"
  /** The time is over. It was not done. */
  | "TIMED_OUT"
  /** The signal was aborted; a write may have been done. */
  | "ABORTED"
  /** The store was closed; a write may have been done. */
  | "CLOSED"
  /** A key, a value or something else that was passed is against the limits. */
  | "INVALID"
  /** The server is full. */
  | "FULL"
  /** A counter would leave its range. */
  | "OVERFLOW"
  /** No server of that address is known. */
  | "NO_SERVER"
  /** The server that is to be forgotten still answers. */
  | "STILL_THERE"
  /** Too many watches, or operations that are not answered. */
  | "TOO_MANY"
  /** The server sent what is no answer. */
  | "NOT_UNDERSTOOD";

/** The base of all errors of the store. */
export class GeoError extends CodedError<GeoErrorCode> {
  override name = "GeoError";
}

const REFUSED: Readonly<Record<Refusal, readonly [GeoErrorCode, string]>> = {
  invalid: ["INVALID", "the server does not take that key"],
  full: ["FULL", "the server is full: delete something first"],
  overflow: ["OVERFLOW", "an actor adds at most 2^48 - 1 to a counter, and takes as much"],
  "too many": ["TOO_MANY", "the server has too much to do for this client: try again later"],
  "no actor": ["INVALID", "the server has no such actor"],
  "no server": ["NO_SERVER", "it knows no server of that address"],
  "still there": ["STILL_THERE", "that server still answers: end it first, and wait 10 s"],
};

/** The error that a refusal is. */
export function refusalError(why: Refusal): GeoError {
  const [code, text] = REFUSED[why];
  return new GeoError(code, text);
}
