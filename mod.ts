/**
 * Motherlode: a fleet of machines that searches nonces, and the protocol (LSP: ordered,
 * exactly-once messages over UDP) on which it runs, as a library.
 *
 * ```ts
 * import { hashNonce, mine, serve, submit } from "./mod.ts";
 *
 * const server = await serve({ host: "127.0.0.1", port: 0 });
 * const miner = mine({ port: server.port, threads: 1 });
 * const job = submit({ port: server.port, message: "hello", lower: 0n, upper: 999_999n });
 * for await (const { done, fleetRate } of job) console.error(done, fleetRate);
 * const { hash, nonce } = await job.answer;
 * console.log(hash === hashNonce("hello", nonce));
 * await miner.close();
 * await server.close();
 * ```
 *
 * What the verbs give and take, and all else, is in the rooms, one namespace each: `lsp.LspClient`,
 * `server.ServeOptions`, `miner.chooseKernel`. Importing any of it does nothing by itself.
 *
 * @module
 */
export { openSystem } from "./actors/mod.ts";
export { submit } from "./client/mod.ts";
export { openStore } from "./kv/mod.ts";
export { connect, listen } from "./lsp/mod.ts";
export { mine } from "./miner/mod.ts";
export { serve } from "./server/mod.ts";
export { hashNonce } from "./work/mod.ts";

export * as actors from "./actors/mod.ts";
export * as base from "./base/mod.ts";
export * as channels from "./channels/mod.ts";
export * as client from "./client/mod.ts";
export * as geo from "./geo/mod.ts";
export * as kv from "./kv/mod.ts";
export * as lsp from "./lsp/mod.ts";
export * as mapreduce from "./mapreduce/mod.ts";
export * as miner from "./miner/mod.ts";
export * as mud from "./mud/mod.ts";
export * as peer from "./peer/mod.ts";
export * as raft from "./raft/mod.ts";
export * as run from "./run/mod.ts";
export * as server from "./server/mod.ts";
export * as textkv from "./textkv/mod.ts";
export * as work from "./work/mod.ts";
