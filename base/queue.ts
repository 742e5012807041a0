/**
 * A first-in-first-out queue on a plain array, with constant amortised cost at both ends.
 *
 * @module
 */

/** Values leave in the order in which they came. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many wait. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) this.#compact();
    return item;
  }

  /** The `index`-th from the front, without taking it. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  clear(): void {
    this.#items.length = 0;
    this.#head = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
