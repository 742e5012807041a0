/**
 * What the log's refusals, and those of its sessions, mean to a client.
 *
 * @module
 */
import type { SessionRefusal } from "../raft/mod.ts";
import type { Denial } from "./messages.ts";
import type { LogRefusal } from "./types.ts";

/** Of a refusal of the log. */
export function denialOf(why: LogRefusal): Denial {
  if (why === "stopped") return "no leader";
  return why === "too large" ? "malformed" : why;
}

/** Of one of its sessions. */
export function denialOfSession(why: SessionRefusal): Denial {
  switch (why) {
    case "unknown session":
    case "too many sessions":
    case "malformed":
      return why;
    case "too many requests":
      return "overloaded";
    case "out of order":
    case "forgotten":
      return "out of order";
  }
}
