/**
 * A process that stood still finds its time-outs over before it has read what came meanwhile. So
 * when a wake-up is late by much, Raft is told of it a moment later, and what has come is taken
 * first: or a pause of the machine would be an election.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Long enough that a socket is emptied, short beside any time-out. */
const GRACE_MS = 20;

/** See the module. */
export class Grace {
  readonly #lateMs: Millis;
  #untilMs: Millis | undefined;

  /** A wake-up is late by much from a quarter of the election time-out on. */
  constructor(electionMs: Millis) {
    this.#lateMs = electionMs / 4;
  }

  /** When to wake Raft, which wants to be woken at `dueMs`. */
  wakeAtMs(dueMs: Millis | undefined): Millis | undefined {
    return this.#untilMs ?? dueMs;
  }

  /** Whether Raft, which wanted to be woken at `dueMs`, is not to be woken yet. */
  isHeld(dueMs: Millis | undefined, nowMs: Millis): boolean {
    if (this.#untilMs !== undefined) {
      if (nowMs < this.#untilMs) return true;
      this.#untilMs = undefined;
      return false;
    }
    if (dueMs === undefined || nowMs - dueMs < this.#lateMs) return false;
    this.#untilMs = nowMs + GRACE_MS;
    return true;
  }
}
