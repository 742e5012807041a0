/**
 * Keeps the lists: in memory, or, if there is a disk, on it as well.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { StoredState, StoreInput } from "../base/store.ts";
import { Journal } from "./journal.ts";
import type { Limits } from "./limits.ts";
import type { List } from "./list.ts";
import { Lists } from "./lists.ts";
import type { Request } from "./request.ts";
import type { Counts, TextEffect } from "./types.ts";

/** The lists, what changes them, and when a change is durable. */
export class Keeper {
  readonly lists: Lists;
  /** Where everything is kept beside memory. */
  disk: Counts["disk"] = "none";
  readonly #journal: Journal | undefined;
  readonly #push: (effect: TextEffect) => void;
  readonly #bytesMax: number;

  /**
   * Begins with what a disk holds, if there is one; says `restored` when that is in the lists.
   * Throws an Error of one line if it does not know what the disk holds. `push` takes what is to be
   * done.
   */
  constructor(limits: Limits, stored: StoredState | undefined, push: (effect: TextEffect) => void) {
    this.lists = new Lists(limits.storeBytesMax);
    this.#bytesMax = limits.storeBytesMax;
    this.#push = push;
    if (stored === undefined) return;
    const journal = new Journal(this.lists, stored, limits, push);
    this.#journal = journal;
    this.disk = "ready";
    this.#restore(journal, () => journal.restore());
  }

  /** Everything up to this index is durable. Without a disk nothing has an index above 0. */
  get durable(): number {
    return this.#journal?.durable ?? 0;
  }

  /** Whether changes have to wait until more is durable. */
  get isBehind(): boolean {
    return this.#journal?.isBehind === true;
  }

  /** The index that has to be durable before it is shown that the list of a key is this one. */
  indexOf(list: List | undefined): number {
    return list?.changedAt ?? this.lists.deletedAt;
  }

  /** Carries out the change in `request`, the line in `bytes` from `from` on; why it could not. */
  change(request: Request, bytes: Buffer, from: number): "full" | "behind" | undefined {
    if (this.isBehind) return "behind";
    const { verb, key, old, value, end } = request;
    const index = this.#journal?.next ?? 0;
    if (verb === "Delete") {
      if (!this.lists.delete(key, index)) return undefined;
    } else if (verb === "Put") {
      if (!this.lists.put(key, value, index)) return "full";
    } else if (!this.lists.update(key, old, value, index)) return "full";
    this.#journal?.note(bytes, from, end);
    return undefined;
  }

  /** Asks to store what was changed. To be called when a turn is over. */
  flush(): void {
    this.#journal?.flush();
  }

  /** Takes what the disk tells. */
  handle(input: StoreInput): void {
    const journal = this.#journal;
    invariant(journal !== undefined, "a server in memory hears nothing of a disk");
    if (input.kind !== "disk") {
      if (journal.isRestored) journal.handle(input);
      else this.#restore(journal, () => journal.handle(input));
    } else if (input.state === "failed") this.#push({ kind: "fail", reason: input.reason });
    else {
      this.disk = input.state;
      const then = input.state === "full" ? "changes wait" : "changes go on";
      this.#push({ kind: "log", text: `${input.reason}; ${then}` });
    }
  }

  #restore(journal: Journal, step: () => void): void {
    // What the disk has is taken, whatever the limit is today.
    this.lists.bytesMax = Infinity;
    step();
    this.lists.bytesMax = this.#bytesMax;
    if (journal.isRestored) this.#push({ kind: "restored" });
  }
}
