/**
 * Binary min-heaps: a plain one that tells where it puts each item, and one that finds its items by
 * itself, so that an item whose key changed moves to its new place in O(log n).
 *
 * @module
 */

/**
 * A priority queue that gives the least first; among equals the order is no promise. Users that
 * have an item moved, or taken out of the middle, keep its place as `onPlaced` reports it.
 */
export class Heap<T> {
  readonly #precedes: (a: T, b: T) => boolean;
  readonly #onPlaced: ((item: T, place: number) => void) | undefined;
  readonly #items: T[] = [];

  /** `precedes(a, b)` says whether `a` comes out before `b`. */
  constructor(precedes: (a: T, b: T) => boolean, onPlaced?: (item: T, place: number) => void) {
    this.#precedes = precedes;
    this.#onPlaced = onPlaced;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The item that comes out first. */
  get top(): T | undefined {
    return this.#items[0];
  }

  /** All items, in no particular order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** All items, the first first, one by one: the first k of them cost O(k log k). */
  *inOrder(): Iterable<T> {
    const items = this.#items;
    if (items.length === 0) return;
    // Places whose parents were given already: the next item is at one of them.
    const open = new Heap<number>((a, b) => this.#precedes(items[a]!, items[b]!));
    open.push(0);
    for (let place = open.shift(); place !== undefined; place = open.shift()) {
      yield items[place]!;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < items.length) open.push(child);
      }
    }
  }

  push(item: T): void {
    this.#items.push(item);
    this.#settle(item, this.#items.length - 1);
  }

  /** Takes out the first; `undefined` when there is none. */
  shift(): T | undefined {
    const top = this.#items[0];
    if (top !== undefined) this.remove(0);
    return top;
  }

  /** Takes out the item at `place`, which must be one. */
  remove(place: number): void {
    const last = this.#items.pop()!;
    if (place < this.#items.length) this.#settle(last, place);
  }

  /** Moves the item at `place` to where it belongs after its key changed. */
  move(place: number): void {
    this.#settle(this.#items[place]!, place);
  }

  /** Brings `item` from `place`, which is free or its own, to where it belongs. */
  #settle(item: T, place: number): void {
    const up = this.#openUpward(item, place);
    this.#put(item, up === place ? this.#openDownward(item, place) : up);
  }

  /** Moves parents that `item` precedes down into `place`; the place that this leaves free. */
  #openUpward(item: T, place: number): number {
    const items = this.#items;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (!this.#precedes(item, items[parent]!)) break;
      this.#put(items[parent]!, place);
      place = parent;
    }
    return place;
  }

  /** Moves children that precede `item` up into `place`; the place that this leaves free. */
  #openDownward(item: T, place: number): number {
    const items = this.#items;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= items.length) return place;
      const right = child + 1;
      if (right < items.length && this.#precedes(items[right]!, items[child]!)) child = right;
      if (!this.#precedes(items[child]!, item)) return place;
      this.#put(items[child]!, place);
      place = child;
    }
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#onPlaced?.(item, place);
  }
}

/** A priority queue of distinct items, which may be in several of them. */
export class IndexedHeap<T> {
  readonly #places = new Map<T, number>();
  readonly #heap: Heap<T>;

  /** `precedes(a, b)` says whether `a` comes out before `b`. */
  constructor(precedes: (a: T, b: T) => boolean) {
    this.#heap = new Heap<T>(precedes, (item, place) => this.#places.set(item, place));
  }

  get size(): number {
    return this.#heap.size;
  }

  /** The item that comes out first. */
  get top(): T | undefined {
    return this.#heap.top;
  }

  /** All items, in no particular order. */
  get items(): readonly T[] {
    return this.#heap.items;
  }

  /** All items, the first first, one by one: the first k of them cost O(k log k). */
  inOrder(): Iterable<T> {
    return this.#heap.inOrder();
  }

  has(item: T): boolean {
    return this.#places.has(item);
  }

  /** Adds `item`, or moves it to its place after its key changed. */
  update(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) this.#heap.push(item);
    else this.#heap.move(place);
  }

  /** Takes `item` out if it is in. */
  remove(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    this.#places.delete(item);
    this.#heap.remove(place);
  }
}
