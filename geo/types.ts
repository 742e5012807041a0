/**
 * What the core of a query actor is told, and what it asks for.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Entry } from "./entry.ts";
import type { MergeRules } from "./replica.ts";

/** Names a client's connection on its server, and is used once. */
export type ClientId = number;

export type QueryInput =
  /** A message of another actor. */
  | { readonly kind: "envelope"; readonly bytes: Uint8Array }
  /** A request of a client. */
  | { readonly kind: "request"; readonly client: ClientId; readonly bytes: Uint8Array }
  /** The client's connection is no more. */
  | { readonly kind: "gone"; readonly client: ClientId }
  /** What was asked to be kept under this ticket, or an earlier one, is durable. */
  | { readonly kind: "kept"; readonly ticket: number };

export type QueryEffect =
  /** A message for the actor `index` of the server at `server`. */
  | {
      readonly kind: "tell";
      readonly server: string;
      readonly index: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "reply"; readonly client: ClientId; readonly bytes: Uint8Array }
  /** Make an entry durable; answered by `kept`. */
  | { readonly kind: "keep"; readonly ticket: number; readonly entry: Entry }
  /** A line for people. */
  | { readonly kind: "warn"; readonly text: string };

/** What a query actor is made of. */
export interface QueryOptions {
  /** `HOST:PORT` of its server, as others are to call it. */
  readonly address: string;
  /** This life of the server, drawn by chance from 1..LIFE_MAX. */
  readonly life: number;
  /** Which of the server's `actors` it is; 0 is the gateway. */
  readonly index: number;
  readonly actors: number;
  /** Addresses of any other servers, for the gateway. */
  readonly joins: readonly string[];
  /** The wall clock, in ms since 1970: it may jump, and be wrong. */
  readonly wallMs: () => Millis;
  /** What the server had kept. */
  readonly entries: Iterable<Entry>;
  /** Whether entries are made durable before they are acknowledged. */
  readonly isDurable: boolean;
  /** For the simulator. */
  readonly rules?: MergeRules;
  readonly paceMs?: Millis;
}
