/**
 * A call of a client from its making to its answer.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Call, CallFailure } from "./client_types.ts";
import { encodeCommand } from "./commands.ts";
import { footprintOf, type Touching } from "./footprint.ts";
import type { Denial, Reply, Request } from "./messages.ts";

/** A call that is not answered yet. */
export interface Entry extends Touching {
  readonly id: number;
  readonly call: Call;
  readonly deadlineMs: Millis | undefined;
  command: Uint8Array | undefined;
  /** Of the session's requests; 0: not sent yet. */
  number: number;
  session: number;
  /** Of the message that is not answered; 0: none is under way. */
  messageId: number;
  /** An earlier sending may have been done. */
  isDoubtful: boolean;
  /** Nobody waits for it, but the session's next requests need it done. */
  isGhost: boolean;
}

/** A call that was just made. */
export function entryOf(id: number, call: Call, deadlineMs: Millis | undefined): Entry {
  return {
    id,
    call,
    footprint: footprintOf(call),
    deadlineMs,
    command: call.kind === "write" ? encodeCommand(call.command) : undefined,
    number: 0,
    session: 0,
    messageId: 0,
    isDoubtful: false,
    isGhost: false,
    blockers: 0,
    blocked: undefined,
  };
}

/** The message that asks for it; `lowest`: the least number of its session that is open. */
export function requestOf(entry: Entry, lowest: number): Request {
  const { call, command, session, number, messageId: id } = entry;
  if (call.kind !== "write") return { ...call, id };
  return { kind: "write", id, session, number, lowest, command: command! };
}

/** Whether it was certainly not done, or does nothing. */
export function isCertain({ call, isDoubtful, messageId }: Entry): boolean {
  return call.kind !== "write" || (!isDoubtful && messageId === 0);
}

/** Denials that no repetition would change. */
export const FINAL: Partial<Record<Denial, CallFailure>> = {
  "no lease": "no lease",
  "too many sessions": "too many sessions",
  malformed: "malformed",
};

/** What a server says, in words for people, when it is asked again later or another is. */
export const TROUBLES: Partial<Record<Denial, string>> = {
  "no leader": "knows of no leader (are more than half of the servers up?)",
  overloaded: "takes nothing now: too much is under way",
  "too many sessions": "has no room for another client",
};

/** Whether a server says that a large command did not arrive whole. */
export function isIncomplete(reply: Reply): boolean {
  if (reply.kind !== "answer") return false;
  return reply.answer.kind === "failed" && reply.answer.why === "incomplete";
}
