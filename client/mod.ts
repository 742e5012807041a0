/**
 * The client: asks a server for a job, shows how it goes, checks the answer.
 *
 * ```ts
 * import { submit } from "./mod.ts";
 *
 * const job = submit({ port: 6060, message: "hello", lower: 0n, upper: 10n ** 9n });
 * for await (const { done, fleetRate } of job) console.error(done, fleetRate);
 * const { hash, nonce } = await job.answer;
 * ```
 *
 * {@link ClientCore} is the whole behaviour as a plain state machine, the same on sockets and under
 * the simulator.
 *
 * @module
 */
export { attach, type AttachOptions, type JobAnswer } from "./adapter.ts";
export { type Submission, submit } from "./adapter.ts";
export { endJob, type InquiryOptions, listJobs, lookUpJob } from "./inquiry_adapter.ts";
export { SubmitError, type SubmitErrorCode, type SubmitOptions } from "./adapter.ts";
export { ClientCore, type ClientCoreOptions, type ClientRejection } from "./core.ts";
export { JOBS_MAX } from "./core.ts";
export { whyNot, whyWrong } from "./checks.ts";
export type { ClientEffect, ClientInput, Job } from "./types.ts";
