/**
 * The latest changes, for watches. Every node remembers its own: they are no part of the replicated
 * state, and a restored snapshot begins them anew.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { HISTORY_BYTES_MAX, HISTORY_CHANGES_MAX, ITEM_BYTES } from "./limits.ts";

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

/** See the module. */
export class ChangeLog {
  #events: Event[] = [];
  /** Those before it are forgotten. */
  #first = 0;
  #bytes = 0;
  #floor = 0;
  /** Of the changes here, those that set a key that goes with a lease: their revisions. */
  readonly #leased = new Set<number>();

  /** Changes up to this revision are not known. */
  get floor(): number {
    return this.#floor;
  }

  /** Nothing is known of what came before `revision`. */
  restart(revision: number): void {
    this.#events = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#floor = revision;
    this.#leased.clear();
  }

  /** `isLeased`: the key goes with a lease. */
  push(event: Event, isLeased = false): void {
    this.#events.push(event);
    if (isLeased) this.#leased.add(event.revision);
    this.#bytes += weight(event);
    while (
      this.#events.length - this.#first > HISTORY_CHANGES_MAX ||
      this.#bytes > HISTORY_BYTES_MAX
    ) {
      const oldest = this.#events[this.#first++]!;
      this.#bytes -= weight(oldest);
      this.#floor = oldest.revision;
      if (this.#leased.size > 0) this.#leased.delete(oldest.revision);
    }
    if (this.#first < 1024 || this.#first * 2 < this.#events.length) return;
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
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
    // Revisions have no gaps.
    for (let i = this.#first + revision - this.#floor; i < this.#events.length; i++) {
      const event = this.#events[i]!;
      if (event.key.startsWith(prefix)) {
        if (events.length === countMax || bytes >= bytesMax) return { events, upTo };
        const isGone = isLasting && this.#leased.has(event.revision);
        events.push(isGone ? { ...event, value: undefined } : event);
        bytes += weight(event);
      }
      upTo = event.revision;
    }
    return { events, upTo };
  }
}

const weight = ({ key, value }: Event): number => ITEM_BYTES + key.length + (value?.length ?? 0);
