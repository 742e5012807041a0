/**
 * What the fleet works on: subjects and candidates, their hashes, the messages about them on either
 * wire, and how work is shared out. Rooms of this house import its files
 * one by one; this face is for everybody else.
 *
 * @module
 */
export { better, type Candidate, isBetter } from "./candidate.ts";
export {
  CLASSIC_JOIN,
  type ClassicMessage,
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "./classic.ts";
export { Doubts, type Suspicion } from "./doubts.ts";
export { Fleet, type FleetPort } from "./fleet.ts";
export { HEADER_BYTES, hashHeader, hashNonce, UINT64_MAX } from "./hash.ts";
export { type Interval, IntervalSet } from "./interval_set.ts";
export { DEFAULT_FLEET_LIMITS, type FleetLimits } from "./limits.ts";
export type * from "./mapreduce_messages.ts";
export type * from "./messages.ts";
export {
  LABEL_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  REASON_BYTES_MAX,
  MESSAGES_VERSION,
} from "./messages.ts";
export { RateEstimator } from "./rate.ts";
export { hexDigits, readableRate } from "./readable.ts";
export { type HeldTask, Roster, type Standing, Worker, type WorkerOptions } from "./roster.ts";
export { Account, type Choice, type ScheduledJob, Scheduler } from "./scheduler.ts";
export {
  hashMaxOf,
  hashOf,
  isSameSearch,
  nonceMaxOf,
  type SearchSpec,
  type Subject,
  subjectBytes,
  whyNoSearch,
} from "./subject.ts";
export { Job, Task, type TaskOptions } from "./task.ts";
export type * from "./server_messages.ts";
export { decodeMessage, encodeMessage } from "./wire.ts";
