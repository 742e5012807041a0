/**
 * What clients and servers of the store say to each other; as bytes: kv/messages.ts.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import type { Event } from "./change_log.ts";
import type { Answer } from "./commands.ts";

/** A message of a client. `id` names it in the answer; the client counts them up. */
export type Request =
  | { readonly kind: "open"; readonly id: number }
  /** Session 0: of no session; then `number` and `lowest` are 0 too. */
  | {
      readonly kind: "write";
      readonly id: number;
      readonly session: number;
      readonly number: number;
      readonly lowest: number;
      /** Where it was decoded, a part of the message. */
      readonly command: Uint8Array;
    }
  /** Requests of one session, from `number` on, whose messages are called `id` and so on. */
  | {
      readonly kind: "writes";
      readonly id: number;
      readonly session: number;
      readonly number: number;
      readonly lowest: number;
      readonly count: number;
      /** As `packed` writes them; where it was decoded, a part of the message. */
      readonly commands: Uint8Array;
    }
  | {
      readonly kind: "get";
      readonly id: number;
      readonly key: ByteString;
      readonly isStale: boolean;
    }
  | {
      readonly kind: "list";
      readonly id: number;
      readonly prefix: ByteString;
      /** Keys behind this one; "": from the first on. */
      readonly after: ByteString;
      readonly keysMax: number;
      readonly isStale: boolean;
      /** Without keys that go with a lease. */
      readonly isLasting?: boolean;
    }
  /** Changes behind the revision `after`; undefined: from now on. */
  | {
      readonly kind: "watch";
      readonly id: number;
      readonly prefix: ByteString;
      readonly after: number | undefined;
      /** A key that goes with a lease is told of as if it were deleted. */
      readonly isLasting?: boolean;
    }
  /** A message of events has come: another may be sent. */
  | { readonly kind: "seen"; readonly id: number }
  | { readonly kind: "unwatch"; readonly id: number }
  /** The lease's time begins anew. */
  | { readonly kind: "renew"; readonly id: number; readonly lease: number }
  | { readonly kind: "status"; readonly id: number }
  /** Make a node a voter, remove one, or hand the lead to one (0: to the best one). */
  | {
      readonly kind: "manage";
      readonly id: number;
      readonly deed: Deed;
      readonly node: number;
    }
  /** The session is of no use any more. There is no answer. */
  | { readonly kind: "close"; readonly session: number };

/** What is done to a cluster. */
export type Deed = (typeof DEEDS)[number];
export const DEEDS = ["promote", "remove", "transfer"] as const;

/** Why a server did not do it. */
export type Denial =
  /** It does not lead; `leader` is the address of who does, perhaps. */
  | "not leader"
  /** Nobody is known to lead, or no quorum answers. */
  | "no leader"
  /** A limit is reached: later. */
  | "overloaded"
  /** It may have been done, or not: the lead changed. */
  | "unsure"
  | "unknown session"
  | "too many sessions"
  /** A request of a smaller number is missing, or is answered already. */
  | "out of order"
  | "no lease"
  /** The changes that a watch wants are forgotten. */
  | "compacted"
  | "too many watches"
  /** It was not understood: it is malformed, or of a newer kind than the server knows. */
  | "malformed"
  /** The disk of this server is full, and it knows nobody who could take it instead. */
  | "no space";

export const DENIALS: readonly Denial[] = [
  "not leader",
  "no leader",
  "overloaded",
  "unsure",
  "unknown session",
  "too many sessions",
  "out of order",
  "no lease",
  "compacted",
  "too many watches",
  "malformed",
  "no space",
];

/** An entry of a page. */
export interface PageItem {
  readonly key: ByteString;
  readonly value: Uint8Array;
  readonly version: number;
}

/** A message of a server. */
export type Reply =
  | { readonly kind: "opened"; readonly id: number; readonly session: number }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  /** To messages `id`, `id` + 1, and so on. */
  | { readonly kind: "answers"; readonly id: number; readonly answers: readonly Answer[] }
  /** Version 0 and no value: no such key. */
  | {
      readonly kind: "value";
      readonly id: number;
      readonly revision: number;
      readonly version: number;
      readonly value: Uint8Array | undefined;
    }
  | {
      readonly kind: "page";
      readonly id: number;
      readonly revision: number;
      readonly items: readonly PageItem[];
      readonly hasMore: boolean;
    }
  /** Of a watch: these, in order, are all changes up to the revision `upTo`. */
  | {
      readonly kind: "events";
      readonly id: number;
      readonly upTo: number;
      readonly events: readonly Event[];
    }
  | { readonly kind: "renewed"; readonly id: number; readonly ttlMs: number }
  /** JSON. */
  | { readonly kind: "status"; readonly id: number; readonly text: string }
  /** What was asked of the cluster was done; or why not, in a line. */
  | { readonly kind: "managed"; readonly id: number; readonly error: string }
  | {
      readonly kind: "denied";
      readonly id: number;
      readonly why: Denial;
      readonly leader: string;
      /** Of "no space": what could not be done, and where, for people. */
      readonly about?: string;
    };

/** A reply that answers a call. */
export type AnswerReply = Exclude<
  Reply,
  { readonly kind: "opened" | "answers" | "events" | "denied" }
>;
