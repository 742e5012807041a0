/**
 * What a client is told of requests that were one entry of the log.
 *
 * @module
 */
import type { SessionRefusal } from "../raft/mod.ts";
import { denialOfSession } from "./denials.ts";
import { type Denial, encodeAnswersReply } from "./messages.ts";

/** Takes what is told. */
export interface RunListener {
  readonly done: (reply: Uint8Array) => void;
  readonly refused: (id: number, why: Denial) => void;
}

/** Tells what the messages from `id` on came to, in as few replies as refusals let it. */
export function tellRun(
  id: number,
  answers: readonly (Uint8Array | SessionRefusal)[],
  { done, refused }: RunListener,
): void {
  let some: Uint8Array[] = [];
  const tellSome = (end: number): void => {
    if (some.length > 0) done(encodeAnswersReply(end - some.length, some));
    some = [];
  };
  for (const [i, answer] of answers.entries()) {
    if (typeof answer !== "string") {
      some.push(answer);
      continue;
    }
    tellSome(id + i);
    refused(id + i, denialOfSession(answer));
  }
  tellSome(id + answers.length);
}
