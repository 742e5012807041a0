/**
 * Another kind of work than nonce search, plugged into the server: it reads the messages that are
 * its own, and shares the fleet by the same rules.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Fleet } from "../work/fleet.ts";
import type { Message } from "../work/messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Job, Task } from "../work/task.ts";
import type { RowChange, RowGroups } from "./rows.ts";

/** A kind of work at the server. */
export interface WorkKind {
  /** Whether its clocks are to run although no job of the fleet lives. */
  readonly isBusy: boolean;
  /** Takes the message of a connection (of `worker`, if it is one's); false: it is not for it. */
  handle(
    connId: number,
    worker: Worker<Task> | undefined,
    message: Message,
    nowMs: Millis,
  ): boolean;
  /** The connection is gone; of a worker, before the fleet knows. */
  gone(connId: number, why: string, nowMs: Millis): void;
  tick(nowMs: Millis): void;
  /** This server leads: goes on with what was kept. May be said again. */
  lead(nowMs: Millis): void;
  /** Sends a task to its worker; false: it is of another kind. */
  assign(task: Task): boolean;
  /** The job is done; false likewise. */
  done(job: Job, nowMs: Millis): boolean;
  /** Nobody can do the job; false likewise. */
  hopeless(job: Job, reason: string, nowMs: Millis): boolean;
}

/** What a kind of work needs of the server. */
export interface KindPort {
  write(connId: number, message: Message): void;
  /** One line for people. */
  tell(level: "info" | "warn", text: string): void;
  /** Where a connection comes from, as `HOST:PORT`, as far as that is known. */
  addressOf(connId: number): string | undefined;
  /** Counts a message that makes no sense. */
  reject(reason: string): void;
  readonly rows: KeptRows;
}

/** What a kind of work keeps in the job table. */
export interface KeptRows {
  /** What was kept, and is committed; undefined: nothing outlives this server. */
  readonly kept: RowGroups | undefined;
  /**
   * Has rows changed, all at once, then calls `then`. What fails is tried again, for ever; or, with
   * `giveUp`, only as long as it is not known that it failed.
   */
  keep(
    changes: readonly RowChange[],
    nowMs: Millis,
    then?: (nowMs: Millis) => void,
    giveUp?: (reason: string, nowMs: Millis) => void,
  ): void;
}

/** Makes a kind of work for one server. */
export type KindFactory = (fleet: Fleet, port: KindPort) => WorkKind;

/** All kinds that were plugged in, as one. */
export class Kinds {
  readonly #kinds: readonly WorkKind[];

  constructor(factories: readonly KindFactory[], fleet: Fleet, port: KindPort) {
    this.#kinds = factories.map((make) => make(fleet, port));
  }

  get isBusy(): boolean {
    return this.#kinds.some((kind) => kind.isBusy);
  }

  handle(...message: Parameters<WorkKind["handle"]>): boolean {
    return this.#kinds.some((kind) => kind.handle(...message));
  }

  gone(connId: number, why: string, nowMs: Millis): void {
    for (const kind of this.#kinds) kind.gone(connId, why, nowMs);
  }

  tick(nowMs: Millis): void {
    for (const kind of this.#kinds) kind.tick(nowMs);
  }

  lead(nowMs: Millis): void {
    for (const kind of this.#kinds) kind.lead(nowMs);
  }

  assign(task: Task): boolean {
    return this.#kinds.some((kind) => kind.assign(task));
  }

  done(job: Job, nowMs: Millis): boolean {
    return this.#kinds.some((kind) => kind.done(job, nowMs));
  }

  hopeless(job: Job, reason: string, nowMs: Millis): boolean {
    return this.#kinds.some((kind) => kind.hopeless(job, reason, nowMs));
  }
}
