/**
 * Messages that are to be told later.
 *
 * @module
 */
import { Heap } from "../base/heap.ts";
import type { Millis } from "../base/machine.ts";
import type { Cell } from "./cell.ts";
import type { ActorRef, Message } from "./types.ts";

/** A message, and when it is due. */
export interface Timer {
  readonly atMs: Millis;
  /** Among those of one time, the order in which they were set. */
  readonly order: number;
  readonly from: Cell | undefined;
  readonly to: ActorRef;
  readonly message: Message;
}

/** See the module. */
export class Timers {
  readonly #heap = new Heap<Timer>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order),
  );
  #set = 0;

  /** When the first is due. */
  get wakeAtMs(): Millis | undefined {
    return this.#heap.top?.atMs;
  }

  add(atMs: Millis, from: Cell | undefined, to: ActorRef, message: Message): void {
    this.#heap.push({ atMs, order: this.#set++, from, to, message });
  }

  /** The next that is due; undefined when none is. */
  takeDue(nowMs: Millis): Timer | undefined {
    const first = this.#heap.top;
    return first !== undefined && first.atMs <= nowMs ? this.#heap.shift() : undefined;
  }
}
