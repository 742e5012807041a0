/**
 * Items in the order of their keys, in chunks: small enough to insert into by copying, large enough
 * that a million items are few of them.
 *
 * @module
 */
import type { ByteString } from "./bytes.ts";

/** Anything with a key; it is never changed, but replaced. */
export interface Keyed {
  readonly key: ByteString;
}

/** A chunk of more is cut in two. */
const CHUNK_MAX = 256;

/** See the module. */
export class Sorted<Item extends Keyed> {
  /** None is empty, but the only one. */
  #chunks: Item[][] = [[]];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: ByteString): Item | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]!;
    const item = chunk[placeIn(chunk, key)];
    return item?.key === key ? item : undefined;
  }

  /** Puts an item in, in the place of one with its key. */
  set(item: Item): void {
    const at = this.#chunkOf(item.key);
    const chunk = this.#chunks[at]!;
    const place = placeIn(chunk, item.key);
    if (chunk[place]?.key === item.key) {
      chunk[place] = item;
      return;
    }
    chunk.splice(place, 0, item);
    this.#size++;
    if (chunk.length <= CHUNK_MAX) return;
    // At the end keys often come in order: then chunks are left full.
    const isLast = at === this.#chunks.length - 1 && place === chunk.length - 1;
    this.#chunks.splice(at + 1, 0, chunk.splice(isLast ? CHUNK_MAX : CHUNK_MAX / 2));
  }

  delete(key: ByteString): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    const place = placeIn(chunk, key);
    if (chunk[place]?.key !== key) return;
    chunk.splice(place, 1);
    this.#size--;
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** Items from `key` on, in order. What changes meanwhile is seen or not. */
  *from(key: ByteString): Iterable<Item> {
    let place = -1;
    for (let at = this.#chunkOf(key); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      for (place = place === -1 ? placeIn(chunk, key) : 0; place < chunk.length; place++) {
        yield chunk[place]!;
      }
    }
  }

  /** The chunk that has `key`, if any has. */
  #chunkOf(key: ByteString): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#chunks[middle]![0]!.key <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The place of the first item whose key is `key` or greater. */
function placeIn(chunk: readonly Keyed[], key: ByteString): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunk[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
