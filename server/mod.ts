/**
 * The server: takes jobs from clients, splits them among miners, folds what they find, answers.
 * {@link serve} runs it on a socket; {@link ServerCore} is the whole policy as a plain state
 * machine, the same on sockets and under the simulator.
 *
 * @module
 */
export { type Accepted, ServerCore, type ServerCoreOptions } from "./core.ts";
export type { RowChange, RowGroups } from "./rows.ts";
export { type KeptRows, type KindFactory, type KindPort, type WorkKind } from "./kind.ts";
export { DEFAULT_SERVER_LIMITS, type ServerLimits, TRANSPORT_LIMITS } from "./limits.ts";
export type { ChunkSnapshot, JobName, JobSnapshot, MinerSnapshot } from "./snapshot.ts";
export type { ServerSnapshot } from "./snapshot.ts";
export type { ServerEffect, ServerInput } from "./types.ts";
export { type RunningServer, serve, type ServeOptions } from "./adapter.ts";
