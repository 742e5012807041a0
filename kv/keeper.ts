/**
 * What the leader sees to, by its own clock: that leases end, tombstones that no request can meet
 * any more, and parts of commands that never became whole. It proposes their end; no replica's
 * clock decides.
 *
 * A new leader knows none of the times: it gives everything its whole time again. So a lease
 * outlives a change of leaders by its time to live at most.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Command } from "./commands.ts";
import { LOOK_MS, MARK_MS, TOMBSTONE_MS } from "./limits.ts";
import type { Store } from "./store.ts";

/** Leases that one command ends. */
const ENDED_MAX = 1000;
const NOTHING_DUE: readonly Command[] = [];

/** See the module. */
export class Keeper {
  readonly #store: Store;
  #isOn = false;
  /** When leases end; Infinity for those whose end is proposed. */
  readonly #leases = new Map<number, Millis>();
  /** How far the store had come, and when. */
  #marks: { readonly atMs: Millis; readonly revision: number }[] = [];
  /** The last upload that was under way at the last mark. */
  #staged: number | undefined;
  #lookAtMs: Millis = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** This node leads, and its state has all that was committed before. */
  start(nowMs: Millis): void {
    this.stop();
    this.#isOn = true;
    this.#lookAtMs = nowMs + LOOK_MS;
    for (const [lease, { ttlMs }] of this.#store.leases) {
      this.#leases.set(lease, nowMs + ttlMs);
    }
  }

  /** This node leads no more. */
  stop(): void {
    this.#isOn = false;
    this.#leases.clear();
    this.#staged = undefined;
    this.#marks = [];
  }

  /** A lease was made here. */
  granted(lease: number, nowMs: Millis): void {
    const made = this.#store.leases.get(lease);
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
    const made = this.#store.leases.get(lease);
    if (!this.knows(lease) || made === undefined) return undefined;
    this.#leases.set(lease, nowMs + made.ttlMs);
    return made.ttlMs;
  }

  wakeAtMs(): Millis | undefined {
    return this.#isOn ? this.#lookAtMs : undefined;
  }

  /** Commands that are due. What comes of them is reported by `retry`. */
  due(nowMs: Millis): readonly Command[] {
    if (!this.#isOn || nowMs < this.#lookAtMs) return NOTHING_DUE;
    this.#lookAtMs = nowMs + LOOK_MS;
    const commands: Command[] = [];
    const leases = this.#overdue(nowMs);
    if (leases.length > 0) commands.push({ kind: "expire", leases });
    const last = this.#marks.at(-1);
    if (last !== undefined && nowMs < last.atMs + MARK_MS) return commands;
    const upTo = this.#staged;
    this.#staged = this.#store.lastUpload;
    if (upTo !== undefined) commands.push({ kind: "discard", upTo });
    const revision = this.#swept(nowMs);
    if (revision !== undefined) commands.push({ kind: "sweep", revision });
    return commands;
  }

  /** A command was not taken, or its fate is not known: what it was about comes up again. */
  retry(nowMs: Millis): void {
    for (const [lease, atMs] of this.#leases) {
      if (atMs === Infinity) this.#leases.set(lease, nowMs);
    }
  }

  #overdue(nowMs: Millis): number[] {
    const leases: number[] = [];
    const known = this.#store.leases;
    for (const [lease, atMs] of this.#leases) {
      if (!known.has(lease)) this.#leases.delete(lease);
      else if (atMs <= nowMs) leases.push(lease);
      if (leases.length === ENDED_MAX) break;
    }
    for (const lease of leases) this.#leases.set(lease, Infinity);
    return leases;
  }

  #swept(nowMs: Millis): number | undefined {
    const { revision, tombstones } = this.#store;
    this.#marks.push({ atMs: nowMs, revision });
    let upTo: number | undefined;
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      if (nowMs - mark.atMs < TOMBSTONE_MS) break;
      upTo = this.#marks.shift()!.revision;
    }
    return tombstones > 0 ? upTo : undefined;
  }
}
