/**
 * What the core of a client of the store is told, and what it asks for.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { ByteString } from "../base/byte_fields.ts";
import type { Event } from "./change_log.ts";
import type { Command } from "./commands.ts";
import type { Deed, Reply } from "./messages.ts";

/** What is asked of the store. */
export type Call =
  /** `isBare`: without a session; when it is sent again it may be done again. */
  | { readonly kind: "write"; readonly command: Command; readonly isBare: boolean }
  | { readonly kind: "get"; readonly key: ByteString; readonly isStale: boolean }
  | {
      readonly kind: "list";
      readonly prefix: ByteString;
      readonly after: ByteString;
      readonly keysMax: number;
      readonly isStale: boolean;
      readonly isLasting?: boolean;
    }
  | { readonly kind: "renew"; readonly lease: number }
  | { readonly kind: "status" }
  | { readonly kind: "manage"; readonly deed: Deed; readonly node: number };

/** Why asking again does not help, for as long as that lasts. */
export type Cause =
  /** Servers have no space, and none takes what is asked. */
  | "no space"
  /** All servers are of other versions; or so is the leader. */
  | "other version"
  /** A server does not understand the client, or the client the server. */
  | "misunderstood";

/** Why there is no answer. */
export type CallFailure =
  /** It may have been done, or may yet be: the time is over, or the session was lost. */
  | "unknown"
  /** The time is over, it was aborted, or the client closed: it was not done, and will not be. */
  | "timed out"
  | "aborted"
  | "closed"
  | "no lease"
  | "too many sessions"
  | Cause
  /** The server did not understand it. */
  | "malformed";

/** What became of a call. `isDoubtful`: an earlier sending of it may have been done. */
export type CallOutcome =
  | { readonly reply: Reply; readonly isDoubtful: boolean }
  /** `about`: a line for people that says more. */
  | { readonly failure: CallFailure; readonly about?: string };

/** How a connection ended: by the server, in good order; never made, for a version; or else. */
export interface Gone {
  readonly why: "closed" | "other version" | "lost";
  /** One line for people. */
  readonly about: string;
}

/** Why a watch ends. */
export type WatchEnd = "compacted" | "closed" | "too many watches" | "malformed" | Cause;

/** `id` is new. At `deadlineMs`, if there is one, it is given up. */
export interface NewCall {
  readonly id: number;
  readonly call: Call;
  readonly deadlineMs: Millis | undefined;
}

export type ClientInput =
  /** Calls that were made together, in their order: what can be is sent in one message. */
  | { readonly kind: "calls"; readonly calls: readonly NewCall[] }
  | { readonly kind: "abort"; readonly id: number }
  /** Changes of keys with `prefix` behind the revision `after`; undefined: from now on. */
  | {
      readonly kind: "watch";
      readonly id: number;
      readonly prefix: ByteString;
      readonly after: number | undefined;
      readonly isLasting?: boolean;
    }
  /** An `events` effect is dealt with: more may come. */
  | { readonly kind: "taken"; readonly id: number }
  | { readonly kind: "unwatch"; readonly id: number }
  /** The connection that was dialled is there. */
  | { readonly kind: "connected" }
  | { readonly kind: "payload"; readonly bytes: Uint8Array }
  /** It could not be made, or is gone. */
  | ({ readonly kind: "gone" } & Gone)
  /** Everything is given up, and the session with it. */
  | { readonly kind: "close" };

export type ClientEffect =
  /** Connect to this server, and drop an older connection. */
  | { readonly kind: "dial"; readonly server: string }
  | { readonly kind: "hangUp" }
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "done"; readonly id: number; readonly outcome: CallOutcome }
  /** Of a watch: these are all changes up to the revision `upTo`. */
  | {
      readonly kind: "events";
      readonly id: number;
      readonly events: readonly Event[];
      readonly upTo: number;
    }
  /** A watch is over. */
  | {
      readonly kind: "watchEnded";
      readonly id: number;
      readonly why: WatchEnd;
      readonly about: string;
    };
