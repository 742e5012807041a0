/**
 * What a stranger may make grow, and how far. Those of the replicated state are the same on every
 * node, for they decide what a command comes to.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Bytes of a key, 1 at least. */
export const KEY_BYTES_MAX = 1024;
/** Bytes of a value; none is a value too. */
export const VALUE_BYTES_MAX: number = 1 << 20;

/** What is wrong with a key of so many bytes, in words for people; undefined: nothing. */
export function whyNoKey(bytes: number): string | undefined {
  if (bytes >= 1 && bytes <= KEY_BYTES_MAX) return undefined;
  return `a key has ${bytes} bytes, expected 1..${KEY_BYTES_MAX}`;
}

/** The same of a value. */
export function whyNoValue(bytes: number): string | undefined {
  if (bytes <= VALUE_BYTES_MAX) return undefined;
  return `a value has ${bytes} bytes, expected ${VALUE_BYTES_MAX} at most`;
}

/** Keys that one compareAndSet changes. */
export const CHANGES_MAX = 32;
/** Bytes of one command: a value, or all those of one compareAndSet, and what belongs to it. */
export const COMMAND_BYTES_MAX: number = VALUE_BYTES_MAX + 64 * 1024;
/**
 * Weight of everything that is kept: keys, values, tombstones, {@link ITEM_BYTES} for each. Above,
 * what would make it larger is refused.
 */
export const STORE_BYTES_MAX: number = 1 << 30;
/** What a key costs beside its own bytes and its value's. */
export const ITEM_BYTES = 64;
/** Leases at a time. */
export const LEASES_MAX = 100_000;
/** Times to live that a lease may have. */
export const TTL_MS_MIN: Millis = 100;
export const TTL_MS_MAX: Millis = 86_400_000;
/** Keys and bytes of one page of a list; a page ends behind the entry that reaches either. */
export const PAGE_KEYS_MAX = 1000;
export const PAGE_BYTES_MAX: number = 1 << 20;
/** Changes, and their bytes, that a node remembers for watches. */
export const HISTORY_CHANGES_MAX = 100_000;
export const HISTORY_BYTES_MAX: number = 64 << 20;
/** Events in one message of a watch, and their bytes, unless one is larger. */
export const EVENTS_MAX = 256;
export const EVENTS_BYTES_MAX: number = 1 << 18;
/** Messages of events to one watch that are not said to be seen; more wait. */
export const EVENTS_AHEAD_MAX = 16;
/** Watches of one client. */
export const WATCHES_MAX = 100;
/** Requests that one message asks for, and the bytes of their commands: no more than an entry. */
export const RUN_MAX = 512;
export const RUN_BYTES_MAX: number = 48 * 1024;
/** Requests of one client that a server has under way; more are denied. */
export const REQUESTS_MAX = 4096;
/** Bytes of the address of a leader, and of what a server says of itself. */
export const HINT_BYTES_MAX = 300;
export const STATUS_BYTES_MAX: number = 1 << 16;
/** Largest message of a client, and of a server. */
export const REQUEST_BYTES_MAX: number = COMMAND_BYTES_MAX + 64;
export const REPLY_BYTES_MAX: number = PAGE_BYTES_MAX + VALUE_BYTES_MAX + PAGE_KEYS_MAX * 1100;

/** The leader looks after leases this often. */
export const LOOK_MS: Millis = 100;
/** A session that sends nothing for this long is ended. */
export const SESSION_IDLE_MS: Millis = 600_000;
/** A tombstone lives this long at least: longer than any request may take. */
export const TOMBSTONE_MS: Millis = 3_600_000;
/** Between two notes of how far the store has come, for tombstones and parts. */
export const MARK_MS: Millis = 60_000;
/** A watch hears from its server this often, if only that nothing has changed. */
export const WATCH_BEAT_MS: Millis = 1000;

/** Bytes of a command that go into one entry of the log; larger ones go ahead in parts. */
export const PART_BYTES: number = 48 * 1024;
/** Bytes of parts that wait for their end; then the oldest are dropped. */
export const STAGED_BYTES_MAX: number = 32 << 20;
