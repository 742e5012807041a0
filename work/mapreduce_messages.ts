/**
 * What client, server and workers say to each other about map-reduce jobs; docs/mapreduce.md has
 * the way of a job. Their CBOR form is in work/mapreduce_wire.ts.
 *
 * A job has two numbers: the client's, on its connection, and the server's (`uid`), which workers
 * know. A holder is the connection of who has the data: the client, or a worker.
 *
 * @module
 */

/** Longest name of an application: one that is built in, or `code:` and a SHA-256. */
export const APPLICATION_BYTES_MAX = 1_024;
/** Longest error, with its stack, and longest note, in bytes of UTF-8. */
export const TROUBLE_BYTES_MAX = 8_192;
/** Data that one message carries through a server. */
export const PIECE_BYTES_MAX = 65_536;
/**
 * Data that one message carries from peer to peer: with all around it, LSP sends it in 16 of its
 * largest datagrams. Each piece costs both sides a message, an answer, and turns of their loops.
 */
export const DIRECT_PIECE_BYTES_MAX: number = 254 << 10;
/** Rows that one message carries of a table. */
export const SPLITS_ROWS_MAX = 8_000;
export const SOURCES_ROWS_MAX = 1_400;
export const PARTS_ROWS_MAX = 1_000;
export const PEERS_ROWS_MAX = 100;
export const HAVE_ROWS_MAX = 1_400;
/** Longest address of a peer, and longest path in a shared directory, in bytes of UTF-8. */
export const ADDRESS_BYTES_MAX = 100;
export const SHARED_PATH_BYTES_MAX = 4_096;
/** Bytes of what names a shared directory. */
export const SHARE_BYTES = 32;

/** What a task needs to know of its job. */
export interface JobTerms {
  readonly application: string;
  readonly reducers: number;
  /** Bad records are skipped and reported. */
  readonly skipBad: boolean;
  /** Outputs are records, not lines. */
  readonly asRecords: boolean;
  /** Memory for sorting, in MiB. */
  readonly sortMib: number;
  readonly timeoutMs: number;
  readonly memoryMib: number;
  /** Which directory client and workers share, in hexadecimal digits; empty: none. */
  readonly share: string;
  /** Where in it the outputs go, as a path from there; empty: to the client. */
  readonly out: string;
  /** Outputs stay with the workers for those who ask for them by the job's id. */
  readonly keep: boolean;
}

/** Where a peer can be asked for data without the server in between. */
export interface PeerAt {
  /** `HOST:PORT`; empty: it cannot. */
  readonly at: string;
}

/** What a client gives to those who ask it directly. */
export interface ClientAt extends PeerAt {
  /** What they must know: 32 bytes in hexadecimal digits, or empty. */
  readonly key: string;
}

/** A holder of partitions, and where it can be asked. */
export interface WirePeer extends PeerAt {
  readonly holder: number;
}

/** A partition or an output: its size in bytes, and its SHA-256 in hexadecimal digits. */
export interface WirePart {
  readonly bytes: number;
  readonly hash: string;
}

/** Where a reduce finds its partition of a map. */
export interface WireSource extends WirePart {
  readonly holder: number;
}

/** What data is asked for. */
export type Item =
  /** Of the client: what a split is called, as {@link AboutSplit}, its bytes, the code. */
  | { readonly kind: "about" | "split"; readonly index: number }
  | { readonly kind: "code" }
  /** Of a worker: a map's partition for a reduce; a reduce's output. */
  | { readonly kind: "part"; readonly index: number; readonly reduce: number }
  | { readonly kind: "output"; readonly index: number };

// ---- client -> server

/** A job; what follows are its splits. */
export interface MrSubmit {
  readonly kind: "mr-submit";
  readonly job: number;
  readonly terms: JobTerms;
  readonly maps: number;
  /** The port on which it can be asked for splits directly, by who knows the key; 0: none. */
  readonly port: number;
  readonly key: string;
}

/** What is wanted of a job that is there: to hear how it stands, its outputs, its end. */
export type AttachWish = "look" | "follow" | "cancel";

/** A client comes back to its job, which the key proves, or somebody asks for it by its id. */
export interface MrAttach {
  readonly kind: "mr-attach";
  readonly job: number;
  readonly id: number;
  readonly key: string;
  readonly wish: AttachWish;
  readonly port: number;
}

/** The sizes of some splits, in bytes, from number `first` on. */
export interface MrSplits {
  readonly kind: "mr-splits";
  readonly job: number;
  readonly first: number;
  readonly sizes: readonly number[];
}

/** The client has an output, or (not `good`) cannot get it as it was announced. */
export interface MrFinal {
  readonly kind: "mr-final";
  readonly job: number;
  readonly reduce: number;
  readonly good: boolean;
}

// ---- server -> client

/** The job was accepted, or is followed: what it is. */
export interface MrAttached {
  readonly kind: "mr-attached";
  readonly job: number;
  readonly id: number;
  readonly application: string;
  readonly maps: number;
  readonly reducers: number;
  /** Outputs stay. */
  readonly keep: boolean;
  /** There is a client that has its splits. */
  readonly isSupplied: boolean;
}

export interface MrStatus {
  readonly kind: "mr-status";
  readonly job: number;
  readonly mapsDone: number;
  readonly reducesDone: number;
  readonly bytesDone: number;
  readonly failures: number;
  readonly workers: number;
}

/** An output can be fetched. */
export interface MrOutput extends PeerAt {
  readonly kind: "mr-output";
  readonly job: number;
  readonly reduce: number;
  readonly source: WireSource;
}

/** All outputs are with the client. */
export interface MrDone {
  readonly kind: "mr-done";
  readonly job: number;
}

/** The job failed: the reason, perhaps with a stack in the lines below. */
export interface MrFailed {
  readonly kind: "mr-failed";
  readonly job: number;
  readonly reason: string;
}

/** Something that a person should know, and the job goes on. */
export interface MrNote {
  readonly kind: "mr-note";
  readonly job: number;
  readonly text: string;
}

// ---- worker -> server

/** This miner maps and reduces, too: so many tasks at a time; `code`: it runs code of users. */
export interface MrOffer {
  readonly kind: "mr-offer";
  readonly code: boolean;
  readonly tasks: number;
  /** The port on which it can be asked for what it made; 0: none. */
  readonly port: number;
}

/** What a worker has of a task of an earlier server, or of a connection that was lost. */
export interface HaveRow {
  readonly isMap: boolean;
  readonly index: number;
  /** It has the result; else it is still at it. */
  readonly isDone: boolean;
  /** Of a result: one SHA-256 of all of it (mapreduce/parts_digest.ts). */
  readonly hash: string;
}

/** A worker is back: what it has of a job. It says so of every job, and before it offers itself. */
export interface MrHave {
  readonly kind: "mr-have";
  readonly uid: number;
  readonly rows: readonly HaveRow[];
}

/** It works on the task, once a second at least. */
export interface MrProgress {
  readonly kind: "mr-progress";
  readonly task: number;
  /** Bytes that the application has read. */
  readonly bytes: number;
  /** The application has begun. */
  readonly runs: boolean;
}

/** A map is done: its partitions. */
export interface MrMapped {
  readonly kind: "mr-mapped";
  readonly task: number;
  readonly parts: readonly WirePart[];
  /** What is to be told, or nothing. */
  readonly note: string;
}

/** A reduce is done: its output. */
export interface MrReduced {
  readonly kind: "mr-reduced";
  readonly task: number;
  readonly output: WirePart;
  readonly note: string;
}

/** Why a task ended without a result. */
export type EndReason = "stopped" | "threw" | "died" | "missing" | "declined";

/** A task ended without a result. */
export interface MrEnded {
  readonly kind: "mr-ended";
  readonly task: number;
  readonly why: EndReason;
  readonly text: string;
  /** `missing`: the map whose partition cannot be had from `holder`, or is damaged. */
  readonly map: number;
  readonly holder: number;
}

// ---- server -> worker

export interface MrMap extends ClientAt {
  readonly kind: "mr-map";
  readonly task: number;
  readonly uid: number;
  readonly terms: JobTerms;
  readonly index: number;
  /** Size of the split. */
  readonly bytes: number;
  /** Who has the split. */
  readonly holder: number;
}

/** A reduce; its sources follow, all `maps` of them. */
export interface MrReduce extends ClientAt {
  readonly kind: "mr-reduce";
  readonly task: number;
  readonly uid: number;
  readonly terms: JobTerms;
  readonly index: number;
  readonly maps: number;
  /** Who has the code. */
  readonly holder: number;
}

/** Where holders of a reduce's partitions can be asked; those left out: through the server. */
export interface MrPeers {
  readonly kind: "mr-peers";
  readonly task: number;
  readonly peers: readonly WirePeer[];
}

export interface MrSources {
  readonly kind: "mr-sources";
  readonly task: number;
  readonly first: number;
  readonly sources: readonly WireSource[];
}

/** What the worker said that it is at, or has, is this task from now on. */
export interface MrAdopt {
  readonly kind: "mr-adopt";
  readonly task: number;
  readonly uid: number;
  readonly isMap: boolean;
  readonly index: number;
}

/** The job is over: nothing of it is needed any more. */
export interface MrForget {
  readonly kind: "mr-forget";
  readonly uid: number;
}

// ---- data, from peer to peer

/**
 * Asks a peer directly; what answers is no message (mapreduce/piece_frame.ts). `name` is what only
 * those know whom the server told: the SHA-256 of what is asked for, or the client's key.
 */
export interface MrWant {
  readonly kind: "mr-want";
  readonly id: number;
  readonly name: string;
  readonly job: number;
  readonly item: Item;
  readonly offset: number;
  readonly length: number;
}

// ---- data, relayed by the server

/** Asks for bytes of an item; `id` is the asker's. `job` is the number under which it knows it. */
export interface MrGet {
  readonly kind: "mr-get";
  readonly id: number;
  readonly holder: number;
  readonly job: number;
  readonly item: Item;
  readonly offset: number;
  readonly length: number;
}

/** The same on its way to the holder; `id` is the server's. */
export interface MrAsked {
  readonly kind: "mr-asked";
  readonly id: number;
  readonly job: number;
  readonly item: Item;
  readonly offset: number;
  readonly length: number;
}

/** The bytes; fewer than asked for at the item's end. Not `found`: they cannot be had there. */
export interface MrPiece {
  readonly kind: "mr-piece";
  readonly id: number;
  readonly found: boolean;
  readonly bytes: Uint8Array;
}

export type MapReduceMessage =
  | MrSubmit
  | MrAttach
  | MrAttached
  | MrSplits
  | MrFinal
  | MrStatus
  | MrOutput
  | MrDone
  | MrFailed
  | MrNote
  | MrOffer
  | MrHave
  | MrProgress
  | MrMapped
  | MrReduced
  | MrEnded
  | MrMap
  | MrReduce
  | MrPeers
  | MrSources
  | MrAdopt
  | MrForget
  | MrWant
  | MrGet
  | MrAsked
  | MrPiece;
