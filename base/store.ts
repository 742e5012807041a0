/**
 * What a core asks of its disk and what it is told: a log of records, a little metadata, and a
 * snapshot that stands for the beginning of the log. `run/disk.ts` carries it out on files,
 * `sim/engine/disk.ts` in the simulator; docs/storage.md says what is promised.
 *
 * @module
 */

/** Most bytes of metadata. It is written anew with every segment of the log: keep it small. */
export const META_BYTES_MAX: number = 4096;
/** Most bytes of one record. */
export const RECORD_BYTES_MAX: number = 16 << 20;
/** Most bytes of the records of one `store` effect together. */
export const STORE_BYTES_MAX: number = 64 << 20;
/** Most bytes of one part of a snapshot, saved or loaded. */
export const PART_BYTES_MAX: number = 4 << 20;
/** Most snapshots that are begun and not whole at the same time. */
export const UNFINISHED_MAX: number = 8;

/** One durable step: all of it survives a crash, or none of it does. */
export interface Store {
  readonly kind: "store";
  /** Answered by `stored`. Above the token of every earlier `store` effect of this life. */
  readonly token: number;
  /**
   * From index `at` on the log is these records and nothing else. That appends (`at` is the index
   * behind the last record) or replaces the tail, perhaps by nothing. Indexes begin at 1; `at` is
   * above the index of the newest snapshot and leaves no gap.
   */
  readonly log?: { readonly at: number; readonly records: readonly Uint8Array[] };
  /** Replaces the metadata. */
  readonly meta?: Uint8Array;
}

/** A part of a new snapshot. Parts come in order; those of several snapshots may alternate. */
export interface Save {
  readonly kind: "save";
  /** Answered by `saved`. */
  readonly token: number;
  /**
   * The last record that the snapshot stands for. A part of a snapshot that is not newer than the
   * newest one changes nothing and is answered.
   */
  readonly index: number;
  /** Where the part begins. 0 begins the snapshot, anew if it was begun before. */
  readonly offset: number;
  /** At most {@link PART_BYTES_MAX}, perhaps none. */
  readonly bytes: Uint8Array;
  /** On the last part alone: the snapshot is complete, and takes the place of the one before. */
  readonly last?: SaveEnd;
}

/** What happens, in one step, when a snapshot takes the place of the one before. */
export interface SaveEnd {
  /**
   * `keep`: the records from `logFrom` on stay; the one at the snapshot's index was asked to be
   * stored before. `discard`: none stay, the next record has the snapshot's index and 1 more, and
   * `store` effects behind this one count on that.
   */
  readonly log: "keep" | "discard";
  /** For `keep`: at most `index` + 1, which it is if left out. Lower ones may go. */
  readonly logFrom?: number;
  /** What the core wants to know of the snapshot without reading it; {@link META_BYTES_MAX}. */
  readonly about?: Uint8Array;
  /** Indexes of older snapshots that can still be loaded in this life; all others go. */
  readonly retain?: readonly number[];
}

/** Forgets an unfinished snapshot. */
export interface Forget {
  readonly kind: "forget";
  readonly index: number;
}

/** Asks for a part of a snapshot that is whole: the newest, or one that is retained. */
export interface Load {
  readonly kind: "load";
  readonly index: number;
  readonly offset: number;
  readonly bytesMax: number;
}

/** What a core may ask of its disk. */
export type StoreEffect = Store | Save | Forget | Load;

/** What a disk tells its core. */
export type StoreInput =
  /** Everything up to this token is durable. */
  | { readonly kind: "stored"; readonly token: number }
  /** The part is taken; the last one: the snapshot is durable, and the log is as asked for. */
  | { readonly kind: "saved"; readonly token: number }
  /**
   * A part of the snapshot at `index`, which has `size` bytes in all. Without `bytes`: there is no
   * such snapshot (any more).
   */
  | {
      readonly kind: "loaded";
      readonly index: number;
      readonly offset: number;
      readonly size: number;
      readonly bytes?: Uint8Array;
    }
  /**
   * `full`: there is no space. Nothing is lost, what is pending waits, and there is still room for
   * what ends things in good order; a user that goes on as before may wait long. `ready`: there is
   * space again. `failed`: nothing that is pending may be believed, now or ever; the program has to
   * end. `reason` is one line for people.
   */
  | {
      readonly kind: "disk";
      readonly state: "full" | "ready" | "failed";
      readonly reason: string;
    };

/** The records of a log, read by index. */
export interface StoredRecords {
  /** Index of the first record that is there, or of the next one when there is none. */
  readonly first: number;
  /** Index behind the last record. */
  readonly next: number;
  /** The record at `index`, first..next - 1; a view that is the caller's to keep. */
  at(index: number): Uint8Array;
}

/** The newest snapshot. */
export interface StoredSnapshot {
  readonly index: number;
  /** Bytes of its content. */
  readonly size: number;
  readonly about: Uint8Array | undefined;
  /** The content, if it is small enough to be handed over whole. */
  readonly bytes: Uint8Array | undefined;
}

/** What a disk held when it was opened: all that a new core is given. */
export interface StoredState {
  /** Undefined when it was never set. */
  readonly meta: Uint8Array | undefined;
  readonly snapshot: StoredSnapshot | undefined;
  /**
   * The records: all behind the snapshot, and those before it that were to stay, if the log goes as
   * far as the snapshot.
   */
  readonly records: StoredRecords;
}
