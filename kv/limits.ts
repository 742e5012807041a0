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
