/**
 * What the leader sees to, by its own clock: that leases end, sessions that nobody uses, and
 * tombstones that no request can meet any more. It proposes their end; no replica's clock decides.
 *
 * A new leader knows none of the times: it gives everything its whole time again. So a lease
 * outlives a change of leaders by its time to live at most.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { endCommand, SESSIONS_MAX } from "../raft/mod.ts";
import {
  LOOK_MS,
  MARK_MS,
  SESSION_IDLE_MS,
  SESSION_IDLE_MS_MIN,
  SESSIONS_CROWDED,
  TOMBSTONE_MS,
} from "./limits.ts";
import { type KvMachine, ownCommand } from "./machine.ts";

/** Names that one command ends. */
const ENDED_MAX = 1000;

/** See the module. */
export class Keeper {
  readonly #machine: KvMachine;
  #isOn = false;
  /** When leases end; Infinity for those whose end is proposed. */
  readonly #leases = new Map<number, Millis>();
  readonly #sessions = new Map<number, Millis>();
  /** How far the store had come, and when. */
  #marks: { readonly atMs: Millis; readonly revision: number }[] = [];
  #lookAtMs: Millis = 0;

  constructor(machine: KvMachine) {
    this.#machine = machine;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** This node leads, and its state has all that was committed before. */
  start(nowMs: Millis): void {
    this.stop();
    this.#isOn = true;
    this.#lookAtMs = nowMs + LOOK_MS;
    for (const [lease, { ttlMs }] of this.#machine.store.leases) {
      this.#leases.set(lease, nowMs + ttlMs);
    }
    for (const session of this.#machine.sessions.open) this.#sessions.set(session, nowMs);
  }

  /** This node leads no more. */
  stop(): void {
    this.#isOn = false;
    this.#leases.clear();
    this.#sessions.clear();
    this.#marks = [];
  }

  /** A session sent something, or was opened. */
  used(session: number, nowMs: Millis): void {
    if (this.#isOn) this.#sessions.set(session, nowMs);
  }

  /** A lease was made here. */
  granted(lease: number, nowMs: Millis): void {
    const made = this.#machine.store.leases.get(lease);
    if (this.#isOn && made !== undefined) this.#leases.set(lease, nowMs + made.ttlMs);
  }

  /** Leases that it looks after. */
  get leases(): readonly number[] {
    return [...this.#leases.keys()];
  }

  /** Whether a lease lives, as far as is known here. */
  knows(lease: number): boolean {
    return this.#leases.has(lease) && this.#leases.get(lease) !== Infinity;
  }

  /** Gives a lease its whole time again; its time to live, or undefined if it is over. */
  renew(lease: number, nowMs: Millis): Millis | undefined {
    const made = this.#machine.store.leases.get(lease);
    if (!this.knows(lease) || made === undefined) return undefined;
    this.#leases.set(lease, nowMs + made.ttlMs);
    return made.ttlMs;
  }

  wakeAtMs(): Millis | undefined {
    return this.#isOn ? this.#lookAtMs : undefined;
  }

  /** Commands that are due. What comes of them is reported by `retry`. */
  due(nowMs: Millis): Uint8Array[] {
    if (!this.#isOn || nowMs < this.#lookAtMs) return [];
    this.#lookAtMs = nowMs + LOOK_MS;
    const commands: Uint8Array[] = [];
    const leases = this.#overdue(nowMs);
    if (leases.length > 0) commands.push(ownCommand({ kind: "expire", leases }));
    const sessions = this.#idle(nowMs);
    if (sessions.length > 0) commands.push(endCommand(sessions));
    const revision = this.#swept(nowMs);
    if (revision !== undefined) commands.push(ownCommand({ kind: "sweep", revision }));
    return commands;
  }

  /** A command was not taken, or its fate is not known: what it was about comes up again. */
  retry(nowMs: Millis): void {
    for (const [lease, atMs] of this.#leases) {
      if (atMs === Infinity) this.#leases.set(lease, nowMs);
    }
    for (const session of this.#machine.sessions.open) {
      if (!this.#sessions.has(session)) this.#sessions.set(session, nowMs);
    }
  }

  #overdue(nowMs: Millis): number[] {
    const leases: number[] = [];
    const known = this.#machine.store.leases;
    for (const [lease, atMs] of this.#leases) {
      if (!known.has(lease)) this.#leases.delete(lease);
      else if (atMs <= nowMs) leases.push(lease);
      if (leases.length === ENDED_MAX) break;
    }
    for (const lease of leases) this.#leases.set(lease, Infinity);
    return leases;
  }

  #idle(nowMs: Millis): number[] {
    const isCrowded = this.#sessions.size >= Math.min(SESSIONS_CROWDED, SESSIONS_MAX);
    const idleMs = isCrowded ? SESSION_IDLE_MS_MIN : SESSION_IDLE_MS;
    const sessions: number[] = [];
    for (const [session, atMs] of this.#sessions) {
      if (nowMs - atMs < idleMs) continue;
      sessions.push(session);
      if (sessions.length === ENDED_MAX) break;
    }
    for (const session of sessions) this.#sessions.delete(session);
    return sessions;
  }

  #swept(nowMs: Millis): number | undefined {
    const { revision, tombstones } = this.#machine.store;
    const last = this.#marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= MARK_MS) {
      this.#marks.push({ atMs: nowMs, revision });
    }
    let upTo: number | undefined;
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      if (nowMs - mark.atMs < TOMBSTONE_MS) break;
      upTo = this.#marks.shift()!.revision;
    }
    return tombstones > 0 ? upTo : undefined;
  }
}
