/**
 * Every limit on what a stranger can make grow, and how often people are told what.
 *
 * @module
 */
import { CLASSIC_PAYLOAD_BYTES_MAX, DEFAULT_LSP_LIMITS, type LspLimits } from "../lsp/mod.ts";
import { DEFAULT_FLEET_LIMITS, type FleetLimits } from "../work/limits.ts";
import { ENCODED_BYTES_MAX } from "../work/messages.ts";

/** Settings of a server core; {@link DEFAULT_SERVER_LIMITS} unless overridden. */
export interface ServerLimits extends FleetLimits {
  /** Miners connected at the same time; one more is refused. */
  readonly maxMiners: number;
  /** Of them, from one address (of IPv6: one network of 64 bits). */
  readonly maxMinersPerAddress: number;
  /** Client connections at the same time; one more is refused. */
  readonly maxClients: number;
  /** Of them, from one address. */
  readonly maxClientsPerAddress: number;
  /** Live jobs of all clients together. */
  readonly maxJobs: number;
  /** Messages of all live jobs together, in bytes of UTF-8. */
  readonly maxMessageBytesTotal: number;
  /** Of them, those of one client. */
  readonly maxMessageBytesPerClient: number;
  /** Of them, those of the clients of one address. */
  readonly maxMessageBytesPerAddress: number;
  /** Answers that are kept, and live jobs, of all clients together; one more job is refused. */
  readonly maxAnswers: number;
  /** Connections that follow one job. */
  readonly maxFollowers: number;
  /** How long a job waits for a client that is gone, unless it is detached, in milliseconds. */
  readonly orphanMs: number;
  /**
   * The same of a job of a classic client whose own server is gone, which has to come back to the
   * leader for it; no longer than `orphanMs`.
   */
  readonly relayedOrphanMs: number;
  /** How often progress is put into the table, in milliseconds. */
  readonly batchMs: number;
  /** Live jobs of one client. */
  readonly maxJobsPerClient: number;
  /** Live jobs of the clients of one address. */
  readonly maxJobsPerAddress: number;
  /** How often a client hears of a job that moves, in milliseconds. */
  readonly statusMs: number;
  /** How often a client hears of a job that does not move, in milliseconds. */
  readonly statusIdleMs: number;
  /** Largest application payload toward a classic peer, in bytes (docs/lsp.md, section 8). */
  readonly maxClassicBytes: number;
  /** The same while a cbor miner could do the job instead: all Go peers can read this. */
  readonly safeClassicBytes: number;
  /** Reports of progress of a miner that are read at once, and how many a second after that. */
  readonly reportBurst: number;
  readonly reportsPerSecond: number;
  /** Log lines of a topic that may be written at once, and how many a second after that. */
  readonly logBurst: number;
  readonly logPerSecond: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = Object.freeze({
  ...DEFAULT_FLEET_LIMITS,
  maxMiners: 10_000,
  maxMinersPerAddress: 5_000,
  maxClients: 10_000,
  maxClientsPerAddress: 5_000,
  maxJobs: 20_000,
  maxMessageBytesTotal: 64 << 20,
  maxMessageBytesPerClient: 4 << 20,
  maxMessageBytesPerAddress: 16 << 20,
  maxAnswers: 50_000,
  maxFollowers: 64,
  orphanMs: 600_000,
  relayedOrphanMs: 20_000,
  batchMs: 250,
  maxJobsPerClient: 1_000,
  maxJobsPerAddress: 5_000,
  statusMs: 250,
  statusIdleMs: 2_000,
  maxClassicBytes: CLASSIC_PAYLOAD_BYTES_MAX,
  safeClassicBytes: 700,
  reportBurst: 16,
  reportsPerSecond: 20,
  logBurst: 50,
  logPerSecond: 10,
});

/**
 * What a server's LSP takes. No message is longer than a job's, and its message, encoded. The
 * client that has most jobs may be away for 16 seconds of their progress.
 */
export const TRANSPORT_LIMITS: LspLimits = Object.freeze({
  ...DEFAULT_LSP_LIMITS,
  maxMessageBytes: ENCODED_BYTES_MAX,
  maxReassemblyBytes: 64 << 20,
  maxQueuedBytes: 2 << 20,
  maxQueuedMessages: 16_384,
  maxQueuedBytesTotal: 64 << 20,
  maxUnreadBytesTotal: 64 << 20,
});
