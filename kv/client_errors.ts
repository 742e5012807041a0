/**
 * What calls and watches that come to nothing are rejected with.
 *
 * @module
 */
import type { CallFailure, WatchEnd } from "./client_types.ts";
import { StoreError, type StoreErrorCode, UnknownOutcome } from "./errors.ts";

type Text = readonly [StoreErrorCode, string];

const CODES: Readonly<Record<Exclude<CallFailure, "unknown">, Text>> = {
  "timed out": ["TIMED_OUT", "no answer in time"],
  aborted: ["ABORTED", "it was aborted"],
  closed: ["CLOSED", "the store is closed"],
  "no lease": ["NO_LEASE", "the lease is over"],
  "too many sessions": ["TOO_MANY_SESSIONS", "the servers have no room for another client"],
  "no space": ["NO_SPACE", "the servers have no space"],
  "other version": ["OTHER_VERSION", "the servers are of another version"],
  misunderstood: ["NOT_UNDERSTOOD", "the servers are of another version"],
  malformed: [
    "NOT_UNDERSTOOD",
    "the server did not understand it: it may be older than this program",
  ],
};

/** Failures of which it is known that nothing was done, where that is worth saying. */
const NOT_DONE: readonly CallFailure[] = ["timed out", "aborted", "closed"];
/** Those of which what is said of the servers says all. */
const EXPLAINED: readonly CallFailure[] = ["no space", "other version", "misunderstood"];

/** `trouble`: what is known of the servers, for people. */
export function errorOf(failure: CallFailure, trouble = "", isWrite = false): StoreError {
  const why = trouble === "" ? "" : ` (${trouble})`;
  if (failure === "unknown") {
    return new UnknownOutcome(`no answer in time: it may have been done, or may yet be${why}`);
  }
  const [code, text] = CODES[failure];
  if (EXPLAINED.includes(failure)) {
    return new StoreError(code, `${isWrite ? "it was not done: " : ""}${trouble || text}`);
  }
  const done = isWrite && NOT_DONE.includes(failure) ? ": it was not done" : "";
  return new StoreError(code, `${text}${done}${failure === "timed out" ? why : ""}`);
}

const ENDS: Readonly<Record<"compacted" | "too many watches", Text>> = {
  compacted: ["COMPACTED", "the changes behind that revision are forgotten: read it all again"],
  "too many watches": ["TOO_MANY_WATCHES", "the server takes no more watches of this client"],
};

/** What a watch ends with. */
export function endOfWatch(why: WatchEnd, about: string): StoreError {
  if (why !== "compacted" && why !== "too many watches") return errorOf(why, about);
  return new StoreError(...ENDS[why]);
}
