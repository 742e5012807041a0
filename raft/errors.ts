/**
 * Why something that was asked of a node did not come about, for programs (`code`) and for people.
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";
import type { NodeId } from "./messages.ts";
import type { ReplicaRefusal } from "./replica_types.ts";
import { leaderText } from "./requests.ts";
import type { SessionRefusal } from "./sessions.ts";

const TEXTS: Readonly<Record<ReplicaRefusal, string>> = {
  "not leader": "this node does not lead",
  overloaded: "too much is under way: try again later",
  "too large": "the command is larger than the log takes",
  transferring: "the lead is being handed over: try again soon",
  changing: "another change of members is under way: try again later",
  invalid: "these cannot be the members",
  "timed out": "it took too long: try again",
  "disk full": "the disk of this node is full",
  stopped: "this node has stopped",
  "not ready": "this node is of no cluster yet",
  lost: "another command took its place: it was not carried out",
  unknown: "the lead was lost meanwhile: it may have been carried out, or may yet be",
};

/**
 * Thrown, or rejected with, when a command, a read or a change did not come about. Only with the
 * code `unknown` may the command have been carried out, or may be yet; with every other one it was
 * not and will not be.
 */
export class ReplicaError extends CodedError<ReplicaRefusal> {
  override name = "ReplicaError";
  /** Who leads, perhaps; 0 when nobody is known to. */
  readonly leader: NodeId;
  /** Where the leader is, `HOST:PORT`; "" when that is not known. */
  readonly leaderAddress: string;

  constructor(code: ReplicaRefusal, leader: NodeId, leaderAddress: string) {
    const hint = code === "not leader" ? ` (${leaderText(leader, leaderAddress)})` : "";
    super(code, `${TEXTS[code]}${hint}`);
    this.leader = leader;
    this.leaderAddress = leaderAddress;
  }
}

/** Thrown, or rejected with, when a session does not carry out a request; see `SessionRefusal`. */
export class SessionError extends CodedError<SessionRefusal> {
  override name = "SessionError";

  constructor(code: SessionRefusal) {
    super(code, `the session refuses the request: ${code}`);
  }
}
