/**
 * Who must be woken next, of thousands.
 *
 * @module
 */
import { Heap } from "../base/heap.ts";
import type { Millis } from "../base/machine.ts";

/** Something that has a deadline. */
export interface Timed {
  /** When it is due; Infinity for never. It belongs to {@link Deadlines}. */
  deadlineMs: Millis;
}

/** So many places of items that have moved on are kept at least. */
const STALE_LEAST = 1024;

/**
 * The earliest first. A heap holds times, not items: heartbeats share few times, and to compare
 * items by the thousand would fetch each from memory. An item whose deadline changes leaves its old
 * place behind, to be passed over when that time comes.
 */
export class Deadlines<T extends Timed> {
  readonly #times = new Heap<Millis>((a, b) => a < b);
  /** Items by time; one is there in truth where that is its deadline. */
  readonly #items = new Map<Millis, T[]>();
  #places = 0;
  #size = 0;

  /** How many items have one. */
  get size(): number {
    return this.#size;
  }

  /** How many places there are, those included that items have left behind. */
  get places(): number {
    return this.#places;
  }

  /** The earliest deadline; Infinity when there is none. */
  get earliestMs(): Millis {
    return this.first?.deadlineMs ?? Infinity;
  }

  /** What is due first. */
  get first(): T | undefined {
    for (let atMs = this.#times.top; atMs !== undefined; atMs = this.#times.top) {
      const items = this.#items.get(atMs)!;
      for (let item = items.at(-1); item !== undefined; item = items.at(-1)) {
        if (item.deadlineMs === atMs) return item;
        items.pop();
        this.#places--;
      }
      this.#items.delete(atMs);
      this.#times.shift();
    }
    return undefined;
  }

  /** Sets or changes the deadline of `item`; Infinity removes it. */
  set(item: T, atMs: Millis): void {
    if (atMs === Infinity || item.deadlineMs === atMs) {
      if (atMs === Infinity) this.remove(item);
      return;
    }
    if (item.deadlineMs === Infinity) this.#size++;
    item.deadlineMs = atMs;
    this.#place(item, atMs);
    if (this.#places > 2 * this.#size + STALE_LEAST) this.#sweep();
  }

  /** Takes `item` out, if it is in. */
  remove(item: T): void {
    if (item.deadlineMs === Infinity) return;
    item.deadlineMs = Infinity;
    this.#size--;
  }

  /** Takes out one item that is due at `nowMs`. */
  takeDue(nowMs: Millis): T | undefined {
    const { first } = this;
    if (first === undefined || first.deadlineMs > nowMs) return undefined;
    this.#items.get(first.deadlineMs)!.pop();
    this.#places--;
    this.remove(first);
    return first;
  }

  #place(item: T, atMs: Millis): void {
    this.#places++;
    const items = this.#items.get(atMs);
    if (items !== undefined) {
      items.push(item);
      return;
    }
    this.#items.set(atMs, [item]);
    this.#times.push(atMs);
  }

  /** Forgets the places of items that have moved on: all of them, for items may be large. */
  #sweep(): void {
    const left = new Set<T>();
    for (const [atMs, items] of this.#items) {
      for (const item of items) if (item.deadlineMs === atMs) left.add(item);
    }
    this.#items.clear();
    while (this.#times.shift() !== undefined);
    this.#places = 0;
    for (const item of left) this.#place(item, item.deadlineMs);
  }
}
