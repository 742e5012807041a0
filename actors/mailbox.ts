/**
 * A mailbox without promises: what waits for an actor, first in, first out.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";

/** Any number of items wait; once closed it is empty, and stays so. */
export class MailboxCore<T> {
  readonly #items = new Queue<T>();
  #isClosed = false;

  /** Items that wait. */
  get length(): number {
    return this.#items.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Puts an item behind the others; a closed mailbox ignores it. False: it was ignored. */
  push(item: T): boolean {
    if (this.#isClosed) return false;
    this.#items.push(item);
    return true;
  }

  /** Takes the first; `undefined` when there is none. */
  take(): T | undefined {
    return this.#items.shift();
  }

  /** From now on nothing comes out, what waits included. Again changes nothing. */
  close(): void {
    this.#isClosed = true;
    this.#items.clear();
  }
}
