/**
 * Every number that the server's policy hangs on, and every limit on what a stranger can make grow.
 *
 * @module
 */

import { CLASSIC_PAYLOAD_BYTES_MAX } from "../lsp/mod.ts";

/** Settings of a server core; {@link DEFAULT_SERVER_LIMITS} unless overridden. */
export interface ServerLimits {
  /** Miners connected at the same time; one more is refused. */
  readonly maxMiners: number;
  /** Client connections at the same time; one more is refused. */
  readonly maxClients: number;
  /** Live jobs of all clients together. */
  readonly maxJobs: number;
  /** Messages of all live jobs together, in bytes of UTF-8. */
  readonly maxMessageBytesTotal: number;
  /** Live jobs of one client. */
  readonly maxJobsPerClient: number;
  /** Chunks that a miner was sent and has not answered, those being stopped included. */
  readonly maxOutstandingChunks: number;
  /** Proven falsehoods (a wrong hash, an unasked stop) after which a miner is closed. */
  readonly maxStrikes: number;
  /** Largest chunk, in nonces. */
  readonly maxChunkNonces: bigint;
  /** A miner's first chunk when nothing is known about its rate, in nonces. */
  readonly probeNonces: bigint;
  /** What a miner of unknown rate is assumed to do, in nonces a second. */
  readonly assumedRate: number;
  /** Length of a chunk that a miner is given far from the end of a job, in seconds. */
  readonly chunkSeconds: number;
  /** Length below which splitting for a common finish stops, in seconds. */
  readonly minChunkSeconds: number;
  /** Part of the contested fleet that goes to the oldest claim, 0..1. */
  readonly oldestShare: number;
  /** A miner that has more than this many chunk times before it (it slowed down) is relieved. */
  readonly oversizedChunks: number;
  /** How often the clocks are looked at while anything is under way, in milliseconds. */
  readonly tickMs: number;
  /** How often a client hears of a job that moves, in milliseconds. */
  readonly statusMs: number;
  /** How often a client hears of a job that does not move, in milliseconds. */
  readonly statusIdleMs: number;
  /** A native miner's cursor may stay where it is for this long, in milliseconds ... */
  readonly stallMs: number;
  /** ... and for this many of its own report intervals. */
  readonly stallReports: number;
  /** Longest report interval that is believed for that, in milliseconds. */
  readonly maxReportMs: number;
  /** A classic miner may take this many times its expected chunk time. */
  readonly classicStallChunks: number;
  /** A Shrink or Stop unconfirmed for this long leads to a race, in milliseconds. */
  readonly confirmMs: number;
  /** A miner this much later than the common finish is relieved by idle ones, in milliseconds. */
  readonly stragglerMs: number;
  /** Shortest time between two looks for stragglers, in milliseconds. */
  readonly rebalanceMs: number;
  /** Largest application payload toward a classic peer, in bytes (docs/lsp.md, section 8). */
  readonly maxClassicBytes: number;
  /** The same while a native miner could do the job instead: all Go peers can read this. */
  readonly safeClassicBytes: number;
  /** Log lines that may be written at once, and how many a second after that. */
  readonly logBurst: number;
  readonly logPerSecond: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = Object.freeze({
  maxMiners: 10_000,
  maxClients: 10_000,
  maxJobs: 20_000,
  maxMessageBytesTotal: 64 << 20,
  maxJobsPerClient: 1_000,
  maxOutstandingChunks: 8,
  maxStrikes: 3,
  maxChunkNonces: 1n << 48n,
  probeNonces: 100_000n,
  assumedRate: 100_000,
  chunkSeconds: 1,
  minChunkSeconds: 0.05,
  oldestShare: 0.25,
  oversizedChunks: 4,
  tickMs: 100,
  statusMs: 250,
  statusIdleMs: 2_000,
  stallMs: 5_000,
  stallReports: 5,
  maxReportMs: 4_000,
  classicStallChunks: 10,
  confirmMs: 1_000,
  stragglerMs: 150,
  rebalanceMs: 20,
  maxClassicBytes: CLASSIC_PAYLOAD_BYTES_MAX,
  safeClassicBytes: 700,
  logBurst: 50,
  logPerSecond: 10,
});
