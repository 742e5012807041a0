/**
 * The list of one key: values in order, of which the first equal one can be taken out, and which
 * can be read as it was at a moment while it goes on changing.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";

/** What a value is reckoned to take in memory beyond its bytes, with its place in an index. */
export const VALUE_BYTES: number = 160;
/** A list with more places than this finds a value by an index, made when it is first needed. */
const SCANNED_MAX = 64;

/**
 * Values in their order. One that is taken out of a long list, or of one that is viewed, leaves its
 * place empty for a while: a view still sees what was taken out after it was made.
 */
export class List {
  /** Bytes of the values that are in the list. */
  bytes = 0;
  /** Index of the newest record that changed it; 0 if there are no records. */
  changedAt = 0;
  readonly #values: string[] = [];
  /** Places of values that were taken out, with the number of the change that did it. */
  readonly #removed = new Map<number, number>();
  /** Where each value is; only of a long list. */
  #places: Map<string, Places> | undefined;
  #changes = 0;
  #views = 0;
  /** Values that were taken out and are kept for views, and their bytes. */
  #kept = 0;
  #keptBytes = 0;

  /** Values in the list. */
  get length(): number {
    return this.#values.length - this.#removed.size;
  }

  /** Whether there is a view of it. */
  get isViewed(): boolean {
    return this.#views > 0;
  }

  /** What it is reckoned to take in memory, with what is kept for views. */
  get cost(): number {
    return (this.length + this.#kept) * VALUE_BYTES + this.bytes + this.#keptBytes;
  }

  append(value: string): void {
    if (this.#places !== undefined) addPlace(this.#places, value, this.#values.length);
    this.#values.push(value);
    this.bytes += value.length;
  }

  /** Takes out the first value that equals `value`; whether there was one. */
  remove(value: string): boolean {
    const place = this.#takePlaceOf(value);
    if (place === undefined) return false;
    this.bytes -= value.length;
    if (this.#views === 0 && this.#removed.size === 0 && this.#places === undefined) {
      this.#values.splice(place, 1);
      return true;
    }
    this.#removed.set(place, ++this.#changes);
    if (this.#views > 0) {
      this.#kept++;
      this.#keptBytes += value.length;
    } else {
      this.#values[place] = "";
      this.#sweep();
    }
    return true;
  }

  /** The values in order, if no place is empty: of most lists the fast way to them. */
  get whole(): readonly string[] | undefined {
    return this.#removed.size === 0 ? this.#values : undefined;
  }

  /** The values, in order. */
  *[Symbol.iterator](): Generator<string, void> {
    for (const [place, value] of this.#values.entries()) {
      if (!this.#removed.has(place)) yield value;
    }
  }

  /** The list as it is now, to be read bit by bit and then handed to `release`. */
  view(): View {
    this.#views++;
    return new View(this, this.#values.length, this.#changes);
  }

  /** The view is not read any more; what was kept for it alone is not kept. */
  release(view: View): void {
    invariant(view.list === this && this.#views > 0, "a view is released once, by its own list");
    if (--this.#views > 0) return;
    if (this.#kept > 0) for (const place of this.#removed.keys()) this.#values[place] = "";
    this.#kept = this.#keptBytes = 0;
    this.#sweep();
  }

  /** For views: the first place from `from` on with a value that was there at change `seen`. */
  placeFrom(from: number, seen: number): number {
    let place = from;
    if (this.#removed.size > 0) while ((this.#removed.get(place) ?? Infinity) <= seen) place++;
    return place;
  }

  /** For views. */
  valueAt(place: number): string {
    return this.#values[place]!;
  }

  /** The first place of `value`, which is then to be removed. */
  #takePlaceOf(value: string): number | undefined {
    if (this.#places === undefined) {
      if (this.#values.length > SCANNED_MAX) this.#index();
      else return this.#scanFor(value);
    }
    return takePlace(this.#places!, value);
  }

  #scanFor(value: string): number | undefined {
    let place = this.#values.indexOf(value);
    while (this.#removed.has(place)) place = this.#values.indexOf(value, place + 1);
    return place < 0 ? undefined : place;
  }

  #index(): void {
    this.#places = new Map();
    for (const [place, value] of this.#values.entries()) {
      if (!this.#removed.has(place)) addPlace(this.#places, value, place);
    }
  }

  /** Closes the empty places when they are more than the values. */
  #sweep(): void {
    if (this.#removed.size * 2 <= this.#values.length) return;
    let to = 0;
    for (const value of this) this.#values[to++] = value;
    this.#values.length = to;
    this.#removed.clear();
    this.#places = undefined;
  }
}

/** A list as it was when the view was made. */
export class View {
  readonly list: List;
  /** Values that were not yet taken. */
  left: number;
  readonly #seen: number;
  #place = 0;

  /** Made by `List.view` alone: what is in the first `places` places after `seen` changes. */
  constructor(list: List, places: number, seen: number) {
    this.list = list;
    this.left = list.length;
    this.#seen = seen;
    invariant(this.left <= places, "a list has no more values than places");
  }

  /** The next value, which stays the next until `advance`. There is one while `left` is above 0. */
  peek(): string {
    this.#place = this.list.placeFrom(this.#place, this.#seen);
    return this.list.valueAt(this.#place);
  }

  advance(): void {
    this.#place++;
    this.left--;
  }
}

/** Places of equal values in order, the next one at `next`. One place is just its number. */
type Places = number | { readonly all: number[]; next: number };

function addPlace(places: Map<string, Places>, value: string, place: number): void {
  const known = places.get(value);
  if (known === undefined) places.set(value, place);
  else if (typeof known === "number") places.set(value, { all: [known, place], next: 0 });
  else known.all.push(place);
}

/** The first place of `value`, which is forgotten. */
function takePlace(places: Map<string, Places>, value: string): number | undefined {
  const known = places.get(value);
  if (known === undefined) return undefined;
  if (typeof known === "number") {
    places.delete(value);
    return known;
  }
  const place = known.all[known.next++]!;
  if (known.next === known.all.length) places.delete(value);
  return place;
}
