/**
 * All lists by their keys, and what they take in memory.
 *
 * @module
 */
import { List, VALUE_BYTES, type View } from "./list.ts";

/** What a key is reckoned to take in memory beyond its bytes and values. */
const KEY_BYTES = 256;

/** Keys and their lists. A key whose list has no values is no key. */
export class Lists {
  /** It takes nothing more that would need more memory, in bytes. */
  bytesMax: number;
  /** Index of the newest record that deleted a list. */
  deletedAt = 0;
  readonly #lists = new Map<string, List>();
  /** Lists that were deleted while there were views of them. */
  readonly #buried = new Set<List>();
  #bytes = 0;
  #values = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get keys(): number {
    return this.#lists.size;
  }

  get values(): number {
    return this.#values;
  }

  /** What all of it is reckoned to take in memory, with what is kept for views. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): List | undefined {
    return this.#lists.get(key);
  }

  /** All keys and lists, those that come while one iterates too. */
  entries(): Iterator<[string, List]> {
    return this.#lists.entries();
  }

  /**
   * Appends to the list of `key`, which is made if need be; whether there was room. `index` is that
   * of the record of it, if there are records.
   */
  put(key: string, value: string, index = 0): boolean {
    const list = this.#lists.get(key);
    const cost = VALUE_BYTES + value.length + (list === undefined ? KEY_BYTES + key.length : 0);
    if (this.#bytes + cost > this.bytesMax) return false;
    this.#append(key, list, value, index);
    return true;
  }

  /** Takes out the first `old` and appends `value`, whether there was one or not. */
  update(key: string, old: string, value: string, index = 0): boolean {
    const list = this.#lists.get(key);
    if (list === undefined) return this.put(key, value, index);
    // What is taken out makes room, unless somebody is still reading it.
    const grows = VALUE_BYTES + value.length;
    if (this.#bytes + grows > this.bytesMax && (list.isViewed || value.length > old.length)) {
      return false;
    }
    const before = list.cost;
    if (list.remove(old)) this.#values--;
    else if (this.#bytes + grows > this.bytesMax) return false;
    this.#bytes += list.cost - before;
    this.#append(key, list, value, index);
    return true;
  }

  /** Whether there was such a list. */
  delete(key: string, index = 0): boolean {
    const list = this.#lists.get(key);
    if (list === undefined) return false;
    this.#lists.delete(key);
    this.deletedAt = Math.max(this.deletedAt, index);
    this.#values -= list.length;
    this.#bytes -= KEY_BYTES + key.length;
    if (list.isViewed) this.#buried.add(list);
    else this.#bytes -= list.cost;
    return true;
  }

  /** Lets go of a view of one of these lists. */
  release(view: View): void {
    const { list } = view;
    const before = list.cost;
    list.release(view);
    const isGone = !list.isViewed && this.#buried.delete(list);
    this.#bytes -= isGone ? before : before - list.cost;
  }

  #append(key: string, known: List | undefined, value: string, index: number): void {
    let list = known;
    if (list === undefined) {
      list = new List();
      this.#lists.set(key, list);
      this.#bytes += KEY_BYTES + key.length;
    }
    const before = list.cost;
    list.append(value);
    list.changedAt = index;
    this.#values++;
    this.#bytes += list.cost - before;
  }
}
