/**
 * Raft, a log that survives its machines (Ongaro and Ousterhout 2014; Ongaro's thesis): a core
 * without I/O.
 *
 * @module
 */
export type * from "./messages.ts";
export * from "./params.ts";
export * from "./quorum.ts";
export type * from "./types.ts";
