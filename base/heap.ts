/**
 * A binary min-heap that knows where each item sits, so that an item whose key changed moves to its
 * new place in O(log n).
 *
 * @module
 */

/** A priority queue of distinct items. `before(a, b)` says whether `a` comes out first. */
export class IndexedHeap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
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

  has(item: T): boolean {
    return this.#places.has(item);
  }

  /** Adds `item`, or moves it to its place after its key changed. */
  update(item: T): void {
    let place = this.#places.get(item);
    if (place === undefined) {
      place = this.#items.length;
      this.#put(item, place);
    }
    this.#settle(item, place);
  }

  /** Takes `item` out if it is in. */
  remove(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    this.#places.delete(item);
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#put(last, place);
    this.#settle(last, place);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }

  #settle(item: T, from: number): void {
    const place = this.#rise(item, from);
    if (place === from) this.#sink(item, from);
  }

  #rise(item: T, from: number): number {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (!this.#before(item, this.#items[parent]!)) break;
      this.#put(this.#items[parent]!, place);
      place = parent;
    }
    if (place !== from) this.#put(item, place);
    return place;
  }

  #sink(item: T, from: number): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#items.length) break;
      const right = child + 1;
      if (right < this.#items.length && this.#before(this.#items[right]!, this.#items[child]!)) {
        child = right;
      }
      if (!this.#before(this.#items[child]!, item)) break;
      this.#put(this.#items[child]!, place);
      place = child;
    }
    if (place !== from) this.#put(item, place);
  }
}
