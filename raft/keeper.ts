/**
 * What goes to the disk, in steps: while one is under way the next gathers. Answers that depend on
 * the disk wait here for the step that makes them true.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Outbox } from "../base/outbox.ts";
import type { RaftLog } from "./log.ts";
import type { HardState, Message, NodeId } from "./messages.ts";
import type { RaftEffect, StoredSnapshot } from "./types.ts";

/** Asks for durable steps, one at a time, and knows how much of the log is durable. */
export class Keeper {
  readonly #log: RaftLog;
  readonly #out: Outbox<RaftEffect>;
  readonly #heldMax: number;
  /** The token of the last step asked for. */
  #asked = 0;
  /** The token of the last step that is durable. */
  #durable = 0;
  /** How the log ended when the step under way was asked for. */
  #askedIndex = 0;
  #askedTerm = 0;
  #stableIndex: number;
  /** The first index that the next step must write. */
  #from = Infinity;
  #hard: HardState | undefined;
  #snapshot: StoredSnapshot | undefined;
  /** Answers that were dropped because too many were waiting. */
  dropped = 0;

  constructor(log: RaftLog, out: Outbox<RaftEffect>, heldMax: number) {
    this.#log = log;
    this.#out = out;
    this.#heldMax = heldMax;
    this.#stableIndex = log.lastIndex;
    // What a node starts with is durable.
    out.release(this.#durable);
  }

  /** The log up to here is durable on this node. */
  get stableIndex(): number {
    return this.#stableIndex;
  }

  /** The token of the step after which all that holds now is durable. */
  get token(): number {
    return this.#isDirty ? this.#asked + 1 : this.#asked;
  }

  /** Whether the step of `token` is done. */
  isDurable(token: number): boolean {
    return token <= this.#durable;
  }

  get #isDirty(): boolean {
    return this.#hard !== undefined || this.#from !== Infinity || this.#snapshot !== undefined;
  }

  /** Term or vote changed. */
  keepHard(hard: HardState): void {
    this.#hard = hard;
  }

  /** The log changed from `index` on. */
  keepFrom(index: number): void {
    this.#from = Math.min(this.#from, index);
    this.#stableIndex = Math.min(this.#stableIndex, index - 1);
  }

  /** There is a new snapshot, and the log's head is gone, or all of it. */
  keepSnapshot(snapshot: StoredSnapshot): void {
    // A state that was received is restored, and snapshots taken of it, only when it is durable.
    const isPending = this.#snapshot?.source === "received" && snapshot.source === "taken";
    invariant(!isPending, "a snapshot was taken of a state that is not restored");
    this.#snapshot = snapshot;
    if (snapshot.source !== "received") return;
    this.#from = Infinity;
    this.#stableIndex = snapshot.meta.index;
  }

  /** Sends `message` when all that holds now is durable. */
  send(to: NodeId, message: Message): void {
    if (this.#out.held >= this.#heldMax) this.dropped++;
    else this.#out.hold(this.token, { kind: "send", to, message });
  }

  /** Hands out `effect` when all that holds now is durable. */
  hold(effect: RaftEffect): void {
    this.#out.hold(this.token, effect);
  }

  /** Asks for the next step, if there is something to keep and none is under way. */
  flush(): void {
    if (!this.#isDirty || this.#asked !== this.#durable) return;
    const log = this.#log;
    const from = Math.max(this.#from, log.baseIndex + 1);
    const entries = from <= log.lastIndex ? log.slice(from, log.lastIndex) : [];
    const token = ++this.#asked;
    this.#askedIndex = log.lastIndex;
    this.#askedTerm = log.lastTerm;
    const hard = this.#hard;
    const snapshot = this.#snapshot;
    this.#from = Infinity;
    this.#hard = undefined;
    this.#snapshot = undefined;
    this.#out.push({ kind: "store", token, hard, entries, snapshot });
  }

  /** The step of `token` is durable. */
  stored(token: number): void {
    invariant(
      token === this.#asked && token > this.#durable,
      () => `token ${token} was not asked for`,
    );
    this.#durable = token;
    const isHere = this.#log.termAt(this.#askedIndex) === this.#askedTerm;
    if (isHere || this.#askedIndex < this.#log.baseIndex) {
      this.#stableIndex = Math.max(this.#stableIndex, this.#askedIndex);
    }
    this.#out.release(token);
  }
}
