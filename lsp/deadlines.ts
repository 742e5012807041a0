/**
 * Who must be woken next, of thousands.
 *
 * @module
 */
import { Heap } from "../base/heap.ts";
import type { Millis } from "../base/machine.ts";

/** Something that has a deadline. The two fields belong to {@link Deadlines}. */
export interface Timed {
  /** When it is due; Infinity for never. */
  deadlineMs: Millis;
  /** Its place in the heap; -1 when it is not in there. */
  heapIndex: number;
}

/** The earliest first. Each item is in here at most once. */
export class Deadlines<T extends Timed> {
  readonly #heap = new Heap<T>(
    (a, b) => a.deadlineMs < b.deadlineMs,
    (item, place) => {
      item.heapIndex = place;
    },
  );

  /** How many items have one. */
  get size(): number {
    return this.#heap.size;
  }

  /** The earliest deadline; Infinity when there is none. */
  get earliestMs(): Millis {
    return this.#heap.top?.deadlineMs ?? Infinity;
  }

  /** What is due first. */
  get first(): T | undefined {
    return this.#heap.top;
  }

  /** Sets or changes the deadline of `item`; Infinity removes it. */
  set(item: T, atMs: Millis): void {
    if (atMs === Infinity) return this.remove(item);
    item.deadlineMs = atMs;
    if (item.heapIndex < 0) this.#heap.push(item);
    else this.#heap.move(item.heapIndex);
  }

  /** Takes `item` out, if it is in. */
  remove(item: T): void {
    const place = item.heapIndex;
    item.deadlineMs = Infinity;
    item.heapIndex = -1;
    if (place >= 0) this.#heap.remove(place);
  }

  /** Takes out one item that is due at `nowMs`. */
  takeDue(nowMs: Millis): T | undefined {
    const first = this.#heap.top;
    if (first === undefined || first.deadlineMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }
}
