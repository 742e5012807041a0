/**
 * The numbers that a group is run with. docs/raft.md gives the reason for each.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";

/** Times in milliseconds, sizes in bytes. All nodes of a group should have the same. */
export interface RaftParams {
  /**
   * T, the least election time-out; each is drawn from [T, 2T]. For as long as this after it heard
   * from a leader a node helps nobody to replace it (Raft thesis, 4.2.3).
   */
  readonly electionMs: Millis;
  /** The leader's beat; well below `electionMs`, above a round trip. */
  readonly heartbeatMs: Millis;
  /** How long a follower is told of a commit by the next append alone; then by a message. */
  readonly commitDelayMs: Millis;
  /** A leader that has heard from no quorum for this long gives up (Raft thesis, 6.2). */
  readonly quorumMs: Millis;
  /** A follower that has acknowledged nothing for this long, of what is under way, is probed. */
  readonly resendMs: Millis;
  /** A transfer of the lead that takes longer is given up; so is a read. */
  readonly patienceMs: Millis;
  /** A change of members that waits longer for a new one to catch up is given up. */
  readonly catchUpMs: Millis;
  /**
   * How much faster the fastest clock of the group may run than the slowest, 1 or more: a lease is
   * `electionMs` divided by this. 0: no lease reads.
   */
  readonly leaseClockRatio: number;

  /** Largest command. */
  readonly entryBytesMax: number;
  /** Largest append message by the count of {@link entryBytes}; no less than one entry. */
  readonly appendBytesMax: number;
  /** Appends under way to one peer. */
  readonly inflightMax: number;
  /** Bytes of appends under way to one peer. */
  readonly inflightBytesMax: number;
  /** Proposals above this many uncommitted bytes are refused. */
  readonly uncommittedBytesMax: number;
  /** Proposals are refused while the log is larger: a snapshot is overdue. */
  readonly logBytesMax: number;
  /** Bytes of one `apply` effect, unless one entry is larger. */
  readonly applyBytesMax: number;
  /** Entries kept behind a snapshot, for followers that are a little late. */
  readonly trailingEntries: number;
  /** The same in bytes, by the count of {@link entryBytes}: whichever is less. */
  readonly trailingBytes: number;
  /** Bytes of a snapshot in one message. */
  readonly chunkBytesMax: number;
  /** Such messages under way to one peer. */
  readonly chunksInflightMax: number;
  /** Bytes of a snapshot a millisecond to one peer, while commands come in. */
  readonly busyChunkBytesPerMs: number;
  /** Reads that wait at one node; more are refused. */
  readonly readsMax: number;
  /** A follower's question waits so long for as many reads as the last one was for. */
  readonly readGapMs: Millis;
  /** Answers that wait for the disk; more are dropped, like messages that a network loses. */
  readonly heldMax: number;
  /** Members of a configuration. */
  readonly membersMax: number;
}

/** For machines in one room: a leader is replaced within half a second. */
export const DEFAULT_PARAMS: RaftParams = {
  electionMs: 300,
  heartbeatMs: 100,
  commitDelayMs: 5,
  quorumMs: 600,
  resendMs: 200,
  patienceMs: 600,
  catchUpMs: 60_000,
  leaseClockRatio: 0,
  entryBytesMax: 60_000,
  appendBytesMax: 64_000,
  inflightMax: 64,
  inflightBytesMax: 1 << 20,
  uncommittedBytesMax: 16 << 20,
  logBytesMax: 512 << 20,
  applyBytesMax: 1 << 20,
  trailingEntries: 4096,
  trailingBytes: 4 << 20,
  chunkBytesMax: 32_768,
  chunksInflightMax: 16,
  busyChunkBytesPerMs: 10_000,
  readsMax: 65_536,
  readGapMs: 1,
  heldMax: 65_536,
  membersMax: 64,
};

const MAY_BE_ZERO: ReadonlySet<string> = new Set<keyof RaftParams>([
  "commitDelayMs",
  "leaseClockRatio",
  "readGapMs",
  "trailingEntries",
  "trailingBytes",
]);

/** {@link DEFAULT_PARAMS} with some replaced. Throws RangeError on what cannot work together. */
export function raftParams(given: Partial<RaftParams> = {}): RaftParams {
  const params = { ...DEFAULT_PARAMS, ...given };
  const need = (isGood: boolean, what: string): void => {
    if (!isGood) throw new RangeError(`raft: ${what}`);
  };
  for (const [name, value] of Object.entries(params)) {
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    need(value >= least, `${name} is ${value}, expected at least ${least}`);
  }
  const { electionMs, heartbeatMs, entryBytesMax, appendBytesMax, leaseClockRatio } = params;
  need(heartbeatMs < electionMs, `heartbeatMs ${heartbeatMs} is not below electionMs`);
  need(params.quorumMs >= heartbeatMs, `quorumMs ${params.quorumMs} is below heartbeatMs`);
  need(
    entryBytesMax + ENTRY_OVERHEAD_BYTES <= appendBytesMax,
    `appendBytesMax ${appendBytesMax} does not hold an entry of entryBytesMax ${entryBytesMax}`,
  );
  need(leaseClockRatio === 0 || leaseClockRatio >= 1, `leaseClockRatio ${leaseClockRatio} < 1`);
  return params;
}

/**
 * Terms and indexes are below this. At a million a second they come there in 140 years; a number
 * above it can only be meant to bring arithmetic down.
 */
export const NUMBER_MAX: number = 2 ** 52;

/** What an entry is counted for beside its command: index, term, kind, length. */
export const ENTRY_OVERHEAD_BYTES = 32;

/** What an entry weighs in every limit above. */
export function entryBytes(dataLength: number): number {
  invariant(dataLength >= 0, "a command has a length");
  return dataLength + ENTRY_OVERHEAD_BYTES;
}
