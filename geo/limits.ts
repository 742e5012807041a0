/**
 * What a stranger may make grow, and how far; and the times that the promises of docs/geo.md rest
 * on. All servers of a store have the same ones.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** Bytes of a key, 1 at least. */
export const KEY_BYTES_MAX = 1024;
/** Bytes of a value; none is a value too. */
export const VALUE_BYTES_MAX: number = 384 * 1024;
/** Weight of all that one actor holds: keys, values, and {@link ENTRY_BYTES} for each entry. */
export const STORE_BYTES_MAX: number = 1 << 30;
/** What an entry costs beside its key's and value's bytes. */
export const ENTRY_BYTES = 64;
/** Actors that have ever added to one counter, those of earlier lives of servers included. */
export const CELLS_MAX = 10_000;
/** Largest sum of what one actor in one life adds to a counter, and of what it takes from it. */
export const CELL_SUM_MAX: number = 2 ** 48 - 1;
/** Keys and bytes of one page of a list; it ends behind the item that reaches either. */
export const PAGE_KEYS_MAX = 1000;
export const PAGE_BYTES_MAX: number = 128 * 1024;
/** Bytes of entries in one message between actors, unless one entry is larger. */
export const BATCH_BYTES_MAX: number = 256 * 1024;
/** Bytes of hashes in one message between actors; the rest of a comparison waits for the next. */
export const HASHES_BYTES_MAX: number = 128 * 1024;
/** Largest message between actors: a batch, one more entry, hashes, and what belongs to them. */
export const ENVELOPE_BYTES_MAX: number = 1 << 20;
/** Query actors of one server. */
export const ACTORS_MAX = 64;
/** Servers of one store. */
export const SERVERS_MAX = 64;
/** Addresses given by `--join`. */
export const JOINS_MAX = 64;
/** Bytes of a server's address. */
export const ADDRESS_BYTES_MAX = 300;
/** Entries that wait for one neighbour; above, comparing hashes takes the place of the list. */
export const DIRTY_MAX = 20_000;
/** Batches to one neighbour that are not acknowledged; more wait. */
export const UNACKED_MAX = 64;
/** Watches of one client, and of one actor. */
export const CLIENT_WATCHES_MAX = 100;
export const WATCHES_MAX = 10_000;
/** Operations of one client that one actor has not answered; more are refused. */
export const WAITING_MAX = 4096;

/** Between two messages from one actor to another: never more than ten a second. */
export const PACE_MS: Millis = 100;
/** Neighbours tell each other this often what their states come to. */
export const DIGEST_MS: Millis = 2000;
/** A neighbour that is silent for longer is away; it is looked for every {@link DIGEST_MS}. */
export const AWAY_MS: Millis = 7000;
/** States that differ although nothing is under way are compared after this at the latest. */
export const SLOW_MS: Millis = 8000;
/** Without an acknowledgement for this long, at least, a batch is sent again. */
export const RESEND_MS: Millis = 1500;
export const RESEND_MS_MAX: Millis = 20_000;
/** What is dated further ahead is merged, with a warning that names the server. */
export const AHEAD_WARN_MS: Millis = 10_000;
/** What is dated further ahead is refused: one day. */
export const AHEAD_MS_MAX: Millis = 86_400_000;
/** A server is named in such a warning once in this time. */
export const WARN_MS: Millis = 60_000;
/** A deletion is remembered for 30 days. */
export const TOMBSTONE_MS: Millis = 30 * 86_400_000;
/** The longest absence after which a server may come back with its old state: 28 days. */
export const ABSENCE_MS_MAX: Millis = 28 * 86_400_000;
/** Old deletions are looked for this often. */
export const SWEEP_MS: Millis = 10_000;
