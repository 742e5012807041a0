/**
 * What the text server's core is told and what it asks for.
 *
 * @module
 */

import type { StoreEffect, StoreInput } from "../base/store.ts";

/** Names a connection, for as long as it lasts and ever after. */
export type ClientId = number;

export type TextInput =
  | { readonly kind: "opened"; readonly client: ClientId }
  /** Bytes that a client sent. They are the caller's again when `handle` returns. */
  | { readonly kind: "data"; readonly client: ClientId; readonly bytes: Buffer }
  /**
   * The answer to a `write`: how many of its bytes the socket took, from the first on. Fewer than
   * all means that it takes no more until `writable`.
   */
  | { readonly kind: "taken"; readonly client: ClientId; readonly bytes: number }
  /** The socket takes bytes again. */
  | { readonly kind: "writable"; readonly client: ClientId }
  /** The client will send nothing more, but may still read. */
  | { readonly kind: "ended"; readonly client: ClientId }
  /** The connection is no more, for whatever reason. */
  | { readonly kind: "gone"; readonly client: ClientId }
  /** What came of an `ask`: of a Get the list, and why the request came to nothing, if it did. */
  | {
      readonly kind: "answered";
      readonly client: ClientId;
      readonly value: string | undefined;
      readonly why: "full" | "malformed" | undefined;
    }
  /** What a disk tells, of a server that has one. */
  | StoreInput;

/** A request that is carried out elsewhere. Strings have a character a byte. */
export interface RemoteRequest {
  readonly verb: "Put" | "Get" | "Delete" | "Update";
  readonly key: string;
  readonly old: string;
  readonly value: string;
}

export type TextEffect =
  /**
   * Offer the first `bytes` bytes of `from` to the socket and say at once, by `taken`, how many it
   * took. They are the core's again when `taken` is handed in.
   */
  | {
      readonly kind: "write";
      readonly client: ClientId;
      readonly from: Buffer;
      readonly bytes: number;
    }
  /** Take nothing more from the socket until `resume`. */
  | { readonly kind: "pause"; readonly client: ClientId }
  | { readonly kind: "resume"; readonly client: ClientId }
  /** End the connection: everything for it was written, or it is not worth keeping. */
  | { readonly kind: "close"; readonly client: ClientId }
  /** There is more to do, but others first: send a `wake` when all that arrived is handed in. */
  | { readonly kind: "yield" }
  /** Carry a request out elsewhere; answered by `answered`. */
  | { readonly kind: "ask"; readonly client: ClientId; readonly request: RemoteRequest }
  /** What is asked of the disk, of a server that has one. */
  | StoreEffect
  /** The lists are as the disk had them: clients may come. */
  | { readonly kind: "restored" }
  /** One line for people. */
  | { readonly kind: "log"; readonly text: string }
  /** The disk failed, for the reason given in one line: the server has to end. */
  | { readonly kind: "fail"; readonly reason: string };

/** Why lines came to nothing. */
export type IgnoredReason =
  /** It begins with none of the four verbs. */
  | "unknown"
  /** A verb with too few parts, or a key with a colon in it. */
  | "malformed"
  /** What came before the end of a connection was no whole line. */
  | "unfinished"
  /** Longer than a line may be; its connection was closed. */
  | "long"
  /** There is no room for a further value. */
  | "full";

/** How the server stands. What happened is counted from the start of the server on. */
export interface Counts {
  /** Clients that are connected. */
  readonly active: number;
  /** Clients that were, for whatever reason they went. */
  readonly dropped: number;
  /** Connections that were turned away because there were too many. */
  readonly refused: number;
  /** Lines of answers that were dropped because their reader was slow. */
  readonly droppedLines: number;
  /** Lines of answers that wait for their readers, and bytes of them. */
  readonly waitingLines: number;
  readonly waitingBytes: number;
  /** Lines that were understood and carried out. */
  readonly requests: number;
  /** Lines that came to nothing, by reason. */
  readonly ignored: Readonly<Record<IgnoredReason, number>>;
  readonly keys: number;
  readonly values: number;
  /** What keys and values are reckoned to take in memory, with what readers still hold of them. */
  readonly bytes: number;
  /** Whether all of it is kept in memory only, or on a disk, which may be full. */
  readonly disk: "none" | "ready" | "full";
}
