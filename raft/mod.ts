/**
 * Raft, a log that survives its machines (Ongaro and Ousterhout 2014; Ongaro's thesis): a core
 * without I/O.
 *
 * @module
 */
export { isMember, isVoter } from "./config.ts";
export { RaftCore } from "./core.ts";
export type * from "./messages.ts";
export type { RaftNode, Rejection } from "./node.ts";
export * from "./params.ts";
export * from "./quorum.ts";
export type * from "./types.ts";
