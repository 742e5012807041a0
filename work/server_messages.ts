/**
 * What the servers of a cluster say of themselves: who leads and where the others are, for miners
 * and clients; how a server stands, and who belongs to the cluster, for people.
 *
 * @module
 */

/** Longest address of a server, in bytes of UTF-8. */
export const SERVER_BYTES_MAX = 80;
/** Longest report of a server on itself, in bytes of UTF-8. */
export const REPORT_BYTES_MAX = 32_768;
/** Longest reason why something was not done to a cluster, in bytes of UTF-8. */
export const ERROR_BYTES_MAX = 512;

// ---- server -> anybody

/**
 * Who leads. A server of several tells it to every cbor connection: at the first message, and
 * whenever it changes. One that does not lead ends the connection behind it.
 */
export interface Servers {
  readonly kind: "servers";
  /** Whether the server that says so leads. */
  readonly leads: boolean;
  /** Where the leader is, `HOST:PORT`; "" when that is not known. */
  readonly leader: string;
  /** Where the members of the cluster are; `SERVERS_MAX` at most. */
  readonly servers: readonly string[];
}

/** Answer to {@link Inspect}: JSON. */
export interface Report {
  readonly kind: "report";
  readonly job: number;
  readonly text: string;
}

/** Answer to {@link Manage}: it is done, or, with a text, why not. */
export interface Managed {
  readonly kind: "managed";
  readonly job: number;
  readonly error: string;
}

// ---- anybody -> server

/**
 * The first message of a server that relays a peer of the json wire to the leader: from here on
 * the payloads are the classic ones.
 */
export interface Relayed {
  readonly kind: "relayed";
}

/** How does this server stand? Answered by {@link Report}, by one that does not lead, too. */
export interface Inspect {
  readonly kind: "inspect";
  /** Number of the question, which the answer repeats. */
  readonly job: number;
}

/** What can be done to a cluster. */
export const DEEDS = ["promote", "remove", "transfer"] as const;
export type Deed = (typeof DEEDS)[number];

/** Do something to the cluster; the leader does. Answered by {@link Managed}. */
export interface Manage {
  readonly kind: "manage";
  /** Number of the question, which the answer repeats. */
  readonly job: number;
  readonly deed: Deed;
  /** Which node; 0, for a transfer: whichever is best. */
  readonly node: number;
}

/** Longest part of a table in a {@link Part}, in bytes. */
export const TABLE_PART_BYTES_MAX = 65_536;

/**
 * A copy of the whole table, a part at a time; the leader has it. From 0, a new copy is taken, of
 * which the parts that follow are. Answered by {@link Part}, or by a `refused`.
 */
export interface Export {
  readonly kind: "export";
  /** Number of the question, which the answer repeats. */
  readonly job: number;
  /** The first byte that is wanted. */
  readonly from: number;
}

/** Answer to {@link Export}. */
export interface Part {
  readonly kind: "part";
  readonly job: number;
  /** Bytes of the whole. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

export type ServerMessage = Servers | Inspect | Report | Manage | Managed | Relayed | Export | Part;
