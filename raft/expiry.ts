/**
 * Which sessions have been idle for too long, by the leader's clock: it proposes their end, as an
 * entry like any other, and no replica acts by a clock of its own.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { endCommand, type Sessions, sessionOf } from "./sessions.ts";

/** Sessions that one command ends; the next look finds more. */
const ENDED_MAX = 1_000;
/** A look at every so many-th part of the time that a session may be idle. */
const LOOKS = 8;

/** See the module. */
export class Expiry {
  readonly #idleMs: Millis;
  /** When the leader heard of each for the last time; of those it has not, since it looked. */
  readonly #heardMs = new Map<number, Millis>();
  #lookAtMs: Millis | undefined;

  /** After `idleMs` a session is ended; 0: never. */
  constructor(idleMs: Millis) {
    this.#idleMs = idleMs;
  }

  get wakeAtMs(): Millis | undefined {
    return this.#lookAtMs;
  }

  /** This node has begun to lead, or does not any more. */
  lead(isLeader: boolean, nowMs: Millis): void {
    this.#heardMs.clear();
    const isWatching = isLeader && this.#idleMs > 0;
    this.#lookAtMs = isWatching ? nowMs + this.#idleMs / LOOKS : undefined;
  }

  /** A command was carried out. */
  applied(command: Uint8Array, nowMs: Millis): void {
    if (this.#lookAtMs === undefined) return;
    const session = sessionOf(command);
    if (session !== undefined) this.#heardMs.set(session, nowMs);
  }

  /** The command that ends those that were idle for too long, when it is time and there are any. */
  look(sessions: Sessions, nowMs: Millis): Uint8Array | undefined {
    if (this.#lookAtMs === undefined || nowMs < this.#lookAtMs) return undefined;
    this.#lookAtMs = nowMs + this.#idleMs / LOOKS;
    const open = sessions.open;
    const idle: number[] = [];
    for (const session of open) {
      const heardMs = this.#heardMs.get(session);
      if (heardMs === undefined) this.#heardMs.set(session, nowMs);
      else if (nowMs - heardMs >= this.#idleMs && idle.length < ENDED_MAX) idle.push(session);
    }
    if (this.#heardMs.size > open.length) {
      const living = new Set(open);
      for (const session of this.#heardMs.keys()) {
        if (!living.has(session)) this.#heardMs.delete(session);
      }
    }
    return idle.length > 0 ? endCommand(idle) : undefined;
  }
}
