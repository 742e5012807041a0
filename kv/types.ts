/**
 * What the core of a server of the store is told, and what it asks for.
 *
 * @module
 */
import type { SessionAnswer } from "../raft/mod.ts";
import type { Deed } from "./messages.ts";

/** Names a client's connection, for as long as it lasts and ever after. */
export type ClientId = number;

/** Why the log did not take something. */
export type LogRefusal = "not leader" | "overloaded" | "no space" | "too large" | "stopped";

/** What goes into the log: a command of a session, or of none; a session's beginning or end. */
export type LogEntry =
  | { readonly kind: "open" }
  | {
      readonly kind: "request";
      readonly session: number;
      readonly number: number;
      readonly lowest: number;
      readonly command: Uint8Array;
    }
  /** Requests from `number` on, carried out as one entry; their commands as `packed` has them. */
  | {
      readonly kind: "run";
      readonly session: number;
      readonly number: number;
      readonly lowest: number;
      readonly commands: Uint8Array;
    }
  | { readonly kind: "plain"; readonly command: Uint8Array }
  | { readonly kind: "end"; readonly sessions: readonly number[] };

/** What something that was submitted came to. */
export interface Applied {
  readonly ticket: number;
  readonly answer: SessionAnswer;
}

export type ServerInput =
  /** A message of a client. The bytes are the core's from now on. */
  | { readonly kind: "message"; readonly client: ClientId; readonly bytes: Uint8Array }
  /** The client's connection is no more. */
  | { readonly kind: "gone"; readonly client: ClientId }
  /** What was submitted is applied to this node's state, with these answers. */
  | { readonly kind: "applied"; readonly applied: readonly Applied[] }
  /** It is in no log and will be in none; `leader` is the address of who leads, "" if unknown. */
  | {
      readonly kind: "rejected";
      readonly ticket: number;
      readonly why: LogRefusal;
      readonly leader: string;
    }
  /** It may come into the log, or not. */
  | { readonly kind: "unsure"; readonly ticket: number }
  /** This node's state now has all that was done before these reads were asked for. */
  | { readonly kind: "readable"; readonly tickets: readonly number[] }
  /** It could not be confirmed. */
  | { readonly kind: "unreadable"; readonly ticket: number; readonly leader: string }
  /** What was asked of the cluster was done (""), or why not. */
  | { readonly kind: "managed"; readonly ticket: number; readonly error: string }
  /** Who leads has changed; `leader` is its address, "" if unknown. */
  | { readonly kind: "role"; readonly isLeader: boolean; readonly leader: string }
  /** The disk is full (`trouble`: what could not be done, and where), or is not any more (""). */
  | { readonly kind: "disk"; readonly trouble: string }
  /** Entries were applied, or a snapshot was restored. */
  | { readonly kind: "advanced" };

export type ServerEffect =
  | { readonly kind: "send"; readonly client: ClientId; readonly bytes: Uint8Array }
  /** End the connection: it broke the protocol. `reason` is one line. */
  | { readonly kind: "close"; readonly client: ClientId; readonly reason: string }
  /** Replicate an entry; answered by `applied`, `rejected` or `unsure`. */
  | { readonly kind: "submit"; readonly ticket: number; readonly entry: LogEntry }
  /** Do something to the cluster; answered by `managed`. */
  | {
      readonly kind: "manage";
      readonly ticket: number;
      readonly deed: Deed;
      readonly node: number;
    }
  /** Say when the state is recent; answered by `readable` or `unreadable`. */
  | { readonly kind: "read"; readonly ticket: number };
