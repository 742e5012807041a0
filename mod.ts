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
 * Importing it does nothing by itself.
 *
 * @module
 */
export * from "./lsp/mod.ts";
export { serve } from "./server/mod.ts";
export type { RunningServer, ServeOptions, ServerSnapshot } from "./server/mod.ts";
export { KERNEL_NAMES, mine, type MineOptions, type Miner, type MinerStatus } from "./miner/mod.ts";
export { chooseKernel, type MeasuredKernel, type Niceness, usableCores } from "./miner/mod.ts";
export { type JobAnswer, type Submission, submit, SubmitError } from "./client/mod.ts";
export type { Job, SubmitErrorCode, SubmitOptions } from "./client/mod.ts";
export { hashNonce, MAX_UINT64 } from "./work/hash.ts";
export type { Candidate } from "./work/candidate.ts";
export { MAX_MESSAGE_BYTES, type Status } from "./work/messages.ts";
