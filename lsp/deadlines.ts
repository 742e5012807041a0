/**
 * Who must be woken next, of thousands: an indexed binary heap of deadlines.
 *
 * @module
 */
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
  private readonly heap: T[] = [];

  /** The earliest deadline; Infinity when there is none. */
  get earliestMs(): Millis {
    return this.heap[0]?.deadlineMs ?? Infinity;
  }

  /** Sets or changes the deadline of `item`; Infinity removes it. */
  set(item: T, atMs: Millis): void {
    if (atMs === Infinity) return this.remove(item);
    item.deadlineMs = atMs;
    if (item.heapIndex < 0) {
      item.heapIndex = this.heap.length;
      this.heap.push(item);
    }
    this.up(item);
    this.down(item);
  }

  /** Takes `item` out, if it is in. */
  remove(item: T): void {
    const index = item.heapIndex;
    item.deadlineMs = Infinity;
    item.heapIndex = -1;
    if (index < 0) return;
    const last = this.heap.pop()!;
    if (last === item) return;
    this.put(last, index);
    this.up(last);
    this.down(last);
  }

  /** Takes out one item that is due at `nowMs`. */
  takeDue(nowMs: Millis): T | undefined {
    const first = this.heap[0];
    if (first === undefined || first.deadlineMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  private put(item: T, index: number): void {
    this.heap[index] = item;
    item.heapIndex = index;
  }

  private up(item: T): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parent = this.heap[(index - 1) >> 1]!;
      if (parent.deadlineMs <= item.deadlineMs) break;
      this.put(parent, index);
      index = (index - 1) >> 1;
    }
    this.put(item, index);
  }

  private down(item: T): void {
    let index = item.heapIndex;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.heap.length) break;
      const right = this.heap[child + 1];
      if (right !== undefined && right.deadlineMs < this.heap[child]!.deadlineMs) child++;
      if (this.heap[child]!.deadlineMs >= item.deadlineMs) break;
      this.put(this.heap[child]!, index);
      index = child;
    }
    this.put(item, index);
  }
}
