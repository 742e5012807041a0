/**
 * The latest changes, for watches. Every node remembers its own: they are no part of the replicated
 * state, and a restored snapshot begins them anew.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { HISTORY_BYTES_MAX, HISTORY_CHANGES_MAX, ITEM_BYTES } from "./limits.ts";
import { bytesOfRecord, type Item, itemAt, putRecord, startsAt } from "./record.ts";

/** One change of one key. */
export interface Event {
  /** The store's revision behind it; each change has its own. */
  readonly revision: number;
  readonly key: ByteString;
  /** Undefined: the key was deleted. */
  readonly value: Uint8Array | undefined;
  /** The key's version behind it; of a delete, its last. */
  readonly version: number;
}

/** Changes of some keys, in order: all of them up to a revision. */
export interface Changes {
  readonly events: readonly Event[];
  readonly upTo: number;
}

/** Changes of a page, and their bytes unless one is larger. What is forgotten is whole pages. */
const PAGE_CHANGES_MAX = 1024;
const PAGE_BYTES_MAX = 128 << 10;
const PAGE_CHANGES_FIRST = 64;
const PAGE_BYTES_FIRST = 4 << 10;
const NO_VALUE = new Uint8Array(0);

/** Bits of the byte before a record: it was a delete; its key goes with a lease. */
const GONE = 1;
const LEASED = 2;

/** Changes one after the other, as records: kept as objects they would cost several times that. */
interface Page {
  /** The revision of its first change. */
  readonly from: number;
  count: number;
  places: Uint32Array;
  bytes: Uint8Array;
  used: number;
  weight: number;
}

/** See the module. */
export class ChangeLog {
  #pages: Page[] = [];
  #count = 0;
  #weight = 0;
  #floor = 0;
  /** The bytes of a page that was forgotten, for the next. */
  #spare: Uint8Array | undefined;

  /** Changes up to this revision are not known. */
  get floor(): number {
    return this.#floor;
  }

  /** Nothing is known of what came before `revision`. */
  restart(revision: number): void {
    this.#pages = [];
    this.#count = 0;
    this.#weight = 0;
    this.#floor = revision;
  }

  /** Takes the change behind the last one. `isLeased`: the key goes with a lease. */
  push({ revision, key, value, version }: Event, isLeased = false): void {
    const item: Item = { key, value: value ?? NO_VALUE, version, lease: 0 };
    const need = 1 + bytesOfRecord(item);
    const page = this.#pageFor(revision, need);
    page.places[page.count++] = page.used;
    page.bytes[page.used] = (value === undefined ? GONE : 0) | (isLeased ? LEASED : 0);
    page.used = putRecord(page.bytes, page.used + 1, item);
    const weight = weightOf(item);
    page.weight += weight;
    this.#weight += weight;
    this.#count++;
    while (this.#count > HISTORY_CHANGES_MAX || this.#weight > HISTORY_BYTES_MAX) this.#forget();
  }

  /**
   * Changes behind `revision` of keys with `prefix`, in order, at most `countMax`, and not many
   * more bytes than `bytesMax`; and the revision up to which they are all. Undefined: some of them
   * are forgotten. `isLasting`: a key that goes with a lease is as if it were deleted.
   */
  after(
    revision: number,
    prefix: ByteString,
    countMax: number,
    bytesMax: number,
    isLasting = false,
  ): Changes | undefined {
    if (revision < this.#floor) return undefined;
    const events: Event[] = [];
    let upTo = revision;
    let bytes = 0;
    let at = this.#pages.length - 1;
    while (at > 0 && this.#pages[at]!.from > revision + 1) at--;
    for (; at >= 0 && at < this.#pages.length; at++) {
      const page = this.#pages[at]!;
      // Revisions have no gaps.
      for (let i = upTo + 1 - page.from; i < page.count; i++, upTo++) {
        const place = page.places[i]!;
        if (!startsAt(page.bytes, place + 1, prefix)) continue;
        if (events.length === countMax || bytes >= bytesMax) return { events, upTo };
        // A page's bytes are used again.
        const { key, value, version } = itemAt(page.bytes, place + 1, "kept");
        bytes += weightOf({ key, value });
        const bits = page.bytes[place]!;
        const isGone = (bits & GONE) !== 0 || (isLasting && (bits & LEASED) !== 0);
        events.push({ revision: upTo + 1, key, value: isGone ? undefined : value, version });
      }
    }
    return { events, upTo };
  }

  /** The last page, with room for `need` bytes. */
  #pageFor(revision: number, need: number): Page {
    const last = this.#pages.at(-1);
    const isFull = last && (last.count === PAGE_CHANGES_MAX || last.used + need > PAGE_BYTES_MAX);
    if (last === undefined || (isFull && last.count > 0)) {
      const places = new Uint32Array(PAGE_CHANGES_FIRST);
      const bytes = this.#spare ?? new Uint8Array(PAGE_BYTES_FIRST);
      this.#spare = undefined;
      this.#pages.push({ from: revision, count: 0, places, bytes, used: 0, weight: 0 });
      return this.#pageFor(revision, need);
    }
    if (last.count === last.places.length) {
      const places = new Uint32Array(Math.min(PAGE_CHANGES_MAX, 4 * last.count));
      places.set(last.places);
      last.places = places;
    }
    if (last.used + need <= last.bytes.length) return last;
    const larger = new Uint8Array(Math.max(last.used + need, 2 * last.bytes.length));
    larger.set(last.bytes);
    last.bytes = larger;
    return last;
  }

  #forget(): void {
    const { from, count, weight, bytes } = this.#pages.shift()!;
    this.#count -= count;
    this.#weight -= weight;
    this.#floor = from + count - 1;
    if (bytes.length === PAGE_BYTES_MAX) this.#spare = bytes;
  }
}

function weightOf({ key, value }: Pick<Item, "key" | "value">): number {
  return ITEM_BYTES + key.length + value.length;
}
