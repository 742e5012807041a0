/**
 * What a node of the store replays its log into: the store behind sessions, so that what a client
 * sends again is done once; and, beside them, commands without a session.
 *
 * A command is bytes: those of raft/sessions.ts, which begin with 0, 1 or 2; or 8 and a command of
 * the store, which is done as often as it is in the log.
 *
 * @module
 */
import type { StateMachine } from "../base/state_machine.ts";
import { type SessionAnswer, Sessions } from "../raft/mod.ts";
import { type Command, encodeCommand } from "./commands.ts";
import { Store } from "./store.ts";

const BARE = 8;

/** A command that is of no session. */
export function bareCommand(command: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + command.length);
  bytes[0] = BARE;
  bytes.set(command, 1);
  return bytes;
}

/** A command of the leader's own: it does not matter how often it is done. */
export function ownCommand(command: Command & { kind: "expire" | "sweep" }): Uint8Array {
  return bareCommand(encodeCommand(command));
}

/** The whole replicated state. */
export class KvMachine implements StateMachine<SessionAnswer> {
  readonly store: Store;
  readonly sessions: Sessions;

  constructor(store: Store = new Store()) {
    this.store = store;
    this.sessions = new Sessions(store);
  }

  apply(command: Uint8Array, index: number): SessionAnswer {
    if (command[0] !== BARE) return this.sessions.apply(command, index);
    const answer = this.store.apply(command.subarray(1), index);
    return { kind: "done", answer, isRepeated: false };
  }

  snapshot(): Uint8Array {
    return this.sessions.snapshot();
  }

  restore(bytes: Uint8Array): void {
    this.sessions.restore(bytes);
  }
}
