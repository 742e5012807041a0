/**
 * What the calls of a store take, and what they give.
 *
 * @module
 */
import type { CallOptions } from "./client_adapter.ts";
import type { Lease } from "./lease_adapter.ts";

/** Text stands for its UTF-8 bytes. */
export type Bytes = string | Uint8Array;

/** What a write asks for. */
export interface WriteOptions extends CallOptions {
  /** The version that the key must have; 0: it must be absent. */
  readonly at?: number | undefined;
  /** The lease that the key is to go with. */
  readonly lease?: Lease | undefined;
}

/** What a read asks for. */
export interface ReadOptions extends CallOptions {
  /** Reads the server's own state as it is: it may be old. */
  readonly isStale?: boolean;
  /** Told the store's revision at which it was read, also where there is no such key. */
  readonly onRevision?: (revision: number) => void;
}

/** What a list asks for. */
export interface ListOptions extends ReadOptions {
  /** Keys behind this one. */
  readonly after?: Bytes;
  /** Of a page; 1,000 if left out. */
  readonly keysMax?: number;
  /** Leaves out keys that go with a lease. */
  readonly isLasting?: boolean;
}

/** A key that is there. */
export interface StoreEntry {
  /** The key as text; its bytes are `keyBytes`. */
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly value: Uint8Array;
  readonly version: number;
}

/** What was read of a key. */
export interface StoreValue {
  readonly value: Uint8Array;
  /** The value as text, whatever is not UTF-8 replaced. */
  readonly text: string;
  readonly version: number;
  /** Of the store, at that moment. */
  readonly revision: number;
}

/** What a write came to. */
export interface Written {
  /** False: the condition was not met, or there was nothing to delete. */
  readonly isDone: boolean;
  /** The key's version behind it; if it was refused, the present one, or 0. */
  readonly version: number;
  /** Of the store, behind it. */
  readonly revision: number;
  /**
   * Of a refused write without a session: an earlier sending of it may have been done, and be what
   * it met. Else false.
   */
  readonly isMaybe: boolean;
}

/** One change of a compareAndSet. */
export interface StoreSet {
  readonly key: Bytes;
  readonly at?: number | undefined;
  /** Undefined deletes the key. */
  readonly value?: Bytes | undefined;
  readonly lease?: Lease | undefined;
}
