/**
 * What a session's answer is to a program that waits for it.
 *
 * @module
 */
import { SessionError } from "./errors.ts";
import type { SessionAnswer } from "./sessions.ts";

/** The state machine's answer; throws a SessionError where there is none. */
export function bytesOf(answer: SessionAnswer | undefined): Uint8Array {
  if (answer?.kind === "done") return answer.answer;
  throw refusalOf(answer);
}

/** Why there is none. */
export function refusalOf(answer: SessionAnswer | undefined): SessionError {
  return new SessionError(answer?.kind === "refused" ? answer.why : "malformed");
}
