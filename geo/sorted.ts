/**
 * Items in the order of their keys, in chunks: small enough to insert into by copying, large enough
 * that a million items are few of them.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";

/** Anything with a key; it is never changed, but replaced. */
export interface Keyed {
  readonly key: ByteString;
}

/** A chunk of more is cut in two. */
const CHUNK_MAX = 256;

/** See the module. */
export class Sorted<Item extends Keyed> {
  /** None is empty, but the only one. */
  readonly #chunks: Item[][] = [[]];
  #size = 0;
  /** What was last looked for, and where it is or would be: often it is looked for again. */
  #key: ByteString | undefined;
  #at = 0;
  #place = 0;

  get size(): number {
    return this.#size;
  }

  get(key: ByteString): Item | undefined {
    this.#find(key);
    const item = this.#chunks[this.#at]![this.#place];
    return item?.key === key ? item : undefined;
  }

  /** Puts an item in, in the place of one with its key. */
  set(item: Item): void {
    this.#find(item.key);
    const at = this.#at;
    const place = this.#place;
    const items = this.#chunks[at]!;
    if (items[place]?.key === item.key) {
      items[place] = item;
      return;
    }
    this.#key = undefined;
    items.splice(place, 0, item);
    this.#size++;
    if (items.length <= CHUNK_MAX) return;
    // At the end keys often come in order: then chunks are left full.
    const isLast = at === this.#chunks.length - 1 && place === items.length - 1;
    const behind = items.splice(isLast ? CHUNK_MAX : CHUNK_MAX / 2);
    this.#chunks.splice(at + 1, 0, behind);
  }

  delete(key: ByteString): void {
    this.#find(key);
    const at = this.#at;
    const items = this.#chunks[at]!;
    if (items[this.#place]?.key !== key) return;
    items.splice(this.#place, 1);
    this.#key = undefined;
    this.#size--;
    if (items.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** Items from `key` on, in order. What changes meanwhile is seen or not. */
  *from(key: ByteString): Iterable<Item> {
    let place = -1;
    for (let at = this.#chunkOf(key); at < this.#chunks.length; at++) {
      const items = this.#chunks[at]!;
      for (place = place === -1 ? placeIn(items, key) : 0; place < items.length; place++) {
        yield items[place]!;
      }
    }
  }

  /** Looks for `key`, unless that is what was last looked for. */
  #find(key: ByteString): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#at = this.#chunkOf(key);
    this.#place = placeIn(this.#chunks[this.#at]!, key);
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
