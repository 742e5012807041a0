/**
 * What a server puts into the log, as bytes, and what the log's refusals mean to its clients.
 *
 * @module
 */
import {
  endCommand,
  openCommand,
  plainCommand,
  type ReplicaRefusal,
  requestCommand,
  runCommand,
} from "../raft/mod.ts";
import type { LogEntry, LogRefusal } from "./types.ts";

/** The command of the log that an entry is. */
export function commandOf(entry: LogEntry): Uint8Array {
  switch (entry.kind) {
    case "open":
      return openCommand();
    case "request":
      return requestCommand(entry.session, entry.number, entry.lowest, entry.command);
    case "run":
      return runCommand(entry.session, entry.number, entry.lowest, entry.commands);
    case "plain":
      return plainCommand(entry.command);
    case "end":
      return endCommand(entry.sessions);
  }
}

const REFUSALS: Partial<Record<ReplicaRefusal, LogRefusal>> = {
  overloaded: "overloaded",
  transferring: "overloaded",
  "disk full": "no space",
  changing: "overloaded",
  "too large": "too large",
  stopped: "stopped",
};

/** What a refusal means; those that have no meaning of their own: that somebody else leads. */
export function refusalOf(why: ReplicaRefusal): LogRefusal {
  return REFUSALS[why] ?? "not leader";
}
