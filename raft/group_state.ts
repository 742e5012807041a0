/**
 * The state that a node replicates: a program's state machine, whose commands come as they are, or
 * through sessions (raft/sessions.ts).
 *
 * @module
 */
import { partOf } from "../base/byte_fields.ts";
import type { SnapshotSteps, StateMachine } from "../base/state_machine.ts";
import { Sessions, type SessionAnswer } from "./sessions.ts";

/** The first byte of a command that belongs to no session; sessions have 0 to 2. */
const PLAIN = 3;

/** The command that is `command` and belongs to no session. */
export function plainCommand(command: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + command.length);
  bytes[0] = PLAIN;
  bytes.set(command, 1);
  return bytes;
}

/** A state machine, and the sessions over it. */
export class GroupState implements StateMachine<SessionAnswer> {
  readonly sessions: Sessions;
  readonly #machine: StateMachine;

  constructor(machine: StateMachine) {
    this.#machine = machine;
    this.sessions = new Sessions(machine);
  }

  apply(command: Uint8Array, index: number): SessionAnswer {
    if (command[0] !== PLAIN) return this.sessions.apply(command, index);
    const answer = this.#machine.apply(partOf(command, 1), index);
    return { kind: "done", answer, isRepeated: false };
  }

  snapshot(): Uint8Array {
    return this.sessions.snapshot();
  }

  snapshotSteps(): SnapshotSteps {
    return this.sessions.snapshotSteps();
  }

  restore(bytes: Uint8Array): void {
    this.sessions.restore(bytes);
  }
}
