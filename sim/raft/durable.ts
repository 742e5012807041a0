/**
 * What a node's disk has said is durable, as far as the log goes: kept beside the disk by its user,
 * who sees what is asked of it and what it answers.
 *
 * @module
 */
import type { StoredState, StoreEffect, StoreInput } from "../../base/store.ts";
import { CLUSTER_MEMBERS_MAX } from "../../raft/identity.ts";
import { decodeRecord } from "../../raft/records.ts";
import { recoverState } from "../../raft/storage.ts";

/** The terms of the log, by index. */
export class DurableLog {
  #terms = new Map<number, number>();
  #next = 1;
  /** What was asked for and is not answered, in order. */
  #asked: StoreEffect[] = [];

  /** A life begins with what the disk holds. */
  recovered(state: StoredState): void {
    this.#terms = new Map();
    this.#asked = [];
    const { persisted } = recoverState(state) ?? {};
    if (persisted === undefined) return;
    const { snapshot, base, entries } = persisted;
    this.#terms.set(base.index, base.term);
    this.#terms.set(snapshot.index, snapshot.term);
    for (const { index, term } of entries) this.#terms.set(index, term);
    this.#next = (entries.at(-1)?.index ?? base.index) + 1;
  }

  asked(effect: StoreEffect): void {
    if (effect.kind === "store" || effect.kind === "save") this.#asked.push(effect);
  }

  answered(input: StoreInput): void {
    if (input.kind !== "stored" && input.kind !== "saved") return;
    const { kind, token } = input;
    const isDone = (one: StoreEffect): boolean => {
      if (kind === "stored") return one.kind === "store" && one.token <= token;
      return one.kind === "save" && one.token === token;
    };
    for (const effect of this.#asked.filter(isDone)) this.#perform(effect);
    this.#asked = this.#asked.filter((one) => !isDone(one));
  }

  /** The term of the durable entry at `index`; undefined when it is not durable. */
  termAt(index: number): number | undefined {
    return this.#terms.get(index);
  }

  #perform(effect: StoreEffect): void {
    if (effect.kind === "store" && effect.log !== undefined) {
      const { at, records } = effect.log;
      for (let index = at; index < this.#next; index++) this.#terms.delete(index);
      for (const [i, record] of records.entries()) {
        this.#terms.set(at + i, decodeRecord(record, at + i, CLUSTER_MEMBERS_MAX)!.term);
      }
      this.#next = at + records.length;
    } else if (effect.kind === "save" && effect.last?.log === "discard") {
      // The term of its last entry comes with the first look at the node.
      this.#terms.clear();
      this.#next = effect.index + 1;
    }
  }
}
