/**
 * What the three programs say to each other over LSP. The CBOR form of these messages is in
 * work/wire.ts, the classic course's messages are in work/classic.ts.
 *
 * Nonces and hashes are unsigned 64-bit numbers, held as bigint. Ranges include both ends.
 *
 * @module
 */
import type { Candidate } from "./candidate.ts";
import type { MapReduceMessage } from "./mapreduce_messages.ts";
import type { ServerMessage } from "./server_messages.ts";
import type { SearchSpec } from "./subject.ts";

/** Longest message of a job, in bytes of UTF-8. The pool of a miner has slots of this size. */
export const MESSAGE_BYTES_MAX = 65_536;
/**
 * No encoded message is longer, in bytes: the longest Submit, and what it has beside its message.
 * There is room to spare, so that one that is a little too long is told so in words.
 */
export const ENCODED_BYTES_MAX: number = MESSAGE_BYTES_MAX + 4_096;
/** Longest label, and longest name, that a miner may give itself, in bytes of UTF-8. */
export const LABEL_BYTES_MAX = 64;
/** Longest explanation in a {@link Refused} or {@link Hashing}, in bytes of UTF-8. */
export const REASON_BYTES_MAX = 256;
/** What is shown of a message in a list of jobs, in bytes of UTF-8. */
export const SUBJECT_SHOWN_BYTES = 64;
/** Jobs in one {@link Jobs}. */
export const ROWS_MAX = 10;
/** Searches that a miner may bring back, see {@link Resume}. */
export const HELD_MAX = 8;
/** Version of the messages below; travels in the cbor handshake and equal at both ends. */
export const MESSAGES_VERSION = 3;

// ---- miner -> server

/** The first message of a miner. */
export interface Join {
  readonly kind: "join";
  /** Threads that hash. */
  readonly threads: number;
  /** Nonces a second that the miner expects of itself, 0 when it does not know. */
  readonly rate: number;
  /** For people: the kernel's name and the like. */
  readonly label: string;
  /** For people: what its owner calls it, say the machine's name. */
  readonly name: string;
}

/**
 * What the miner turned out to hash with, after Join: once its kernels are measured, and whenever
 * it changes.
 */
export interface Hashing {
  readonly kind: "hashing";
  /** Threads that hash. */
  readonly threads: number;
  /** Nonces a second of all of them, as measured. */
  readonly rate: number;
  /** For people: the kernel's name. */
  readonly label: string;
  /** For people: why it is this kernel. */
  readonly reason: string;
}

/** A few times a second, of the running chunk. */
export interface Progress {
  readonly kind: "progress";
  readonly chunk: number;
  /** Everything in [chunk's lower, next - 1] has been searched; lower <= next <= upper. */
  readonly next: bigint;
  /** The best candidate so far, if any; may lie above `next` when several threads work. */
  readonly best?: Candidate;
}

/**
 * The chunk is finished. For a `target` chunk whose `best.hash` is at most the target, that nonce
 * is the lowest hit and what lies above it was not searched; else all of the chunk was.
 */
export interface Result {
  readonly kind: "result";
  readonly chunk: number;
  readonly best: Candidate;
}

/** Answer to {@link Shrink}: the chunk now ends at `upper`, at least what was asked for. */
export interface Shrunk {
  readonly kind: "shrunk";
  readonly chunk: number;
  readonly upper: bigint;
}

/**
 * Answer to {@link Stop}: hashing stopped, `[lower, next - 1]` is searched; no Result follows. Also
 * the answer to an {@link Assign} that the miner cannot read or take: nothing is searched then, and
 * `next` is 0.
 */
export interface Stopped {
  readonly kind: "stopped";
  readonly chunk: number;
  readonly next: bigint;
  readonly best?: Candidate;
}

/** A search that a miner has in hand. */
export interface Held {
  /** The job's id, as the Assign said. */
  readonly job: number;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Everything in [lower, next - 1] has been searched; next = upper + 1 is all. */
  readonly next: bigint;
  /** As in {@link Progress}. */
  readonly best?: Candidate;
}

/**
 * What a miner that comes back has in hand of an earlier connection, behind its Join; in the order
 * in which it works on them. Answered by {@link Resumed}.
 */
export interface Resume {
  readonly kind: "resume";
  /** At most {@link HELD_MAX}. */
  readonly held: readonly Held[];
}

// ---- server -> miner

/** Do this; it runs at once, or after the chunks assigned before. */
export interface Assign {
  readonly kind: "assign";
  /** Number of the chunk, unique on the connection, 1 and up. */
  readonly chunk: number;
  readonly work: SearchSpec;
  /** The job's id, with which the miner may come back; without, it is not worth keeping. */
  readonly job?: number;
}

/** Answer to {@link Resume}: for each search that was held, the number of its chunk from now on. */
export interface Resumed {
  readonly kind: "resumed";
  /** 0: it is not wanted; what was searched of it counts, if it can be. */
  readonly chunks: readonly number[];
}

/** End the chunk at `upper` (lower <= upper), or as soon after it as work already begun allows. */
export interface Shrink {
  readonly kind: "shrink";
  readonly chunk: number;
  readonly upper: bigint;
}

/** Drop the chunk, running or queued. Unanswered when its Result or Stopped is under way. */
export interface Stop {
  readonly kind: "stop";
  readonly chunk: number;
}

// ---- client -> server

/**
 * A job. The same again (equal session, number and work) joins what is under way, or gets its
 * answer once more: it never runs twice.
 */
export interface Submit {
  readonly kind: "submit";
  /** Number that the client gives the job, 1 and up. */
  readonly job: number;
  /** 64 bits picked at random, under which the numbers count; one on a connection. */
  readonly session: bigint;
  readonly work: SearchSpec;
  /** Set: it goes on although nobody waits for it, until it is cancelled. */
  readonly detached?: true;
}

/** Follow the job that is called `id`, as number `job` of this connection, to its answer. */
export interface Attach {
  readonly kind: "attach";
  readonly job: number;
  /** See {@link Submit}. */
  readonly session: bigint;
  readonly id: number;
}

/** The answer has come, and is kept for a day more. */
export interface Fetched {
  readonly kind: "fetched";
  readonly job: number;
}

/** Drop the job, or its answer; no more is heard of it. */
export interface Cancel {
  readonly kind: "cancel";
  readonly job: number;
}

/** Which jobs are there? Answered by {@link Jobs}. */
export interface List {
  readonly kind: "list";
  /** Number of the question, which the answer repeats. */
  readonly job: number;
  /** The least id that is wanted. */
  readonly from: number;
  /** At most so many, and at most {@link ROWS_MAX}. */
  readonly most: number;
}

/** End the job that is called `id`. Answered by {@link Ended}, or by {@link Refused}. */
export interface End {
  readonly kind: "end";
  /** Number of the question, which the answer repeats. */
  readonly job: number;
  readonly id: number;
  /** `cancel` one that is not answered, or `forget` the answer of one that is. */
  readonly what: "cancel" | "forget";
}

// ---- server -> client

/** The job is taken in, and so safe as the server is told to keep things; see `durable`. */
export interface Accepted {
  readonly kind: "accepted";
  readonly job: number;
  /** What people call it. */
  readonly id: number;
  /** Whether it outlives the server. */
  readonly durable: boolean;
}

/** A job, as a list shows it. */
export interface JobRow {
  readonly id: number;
  /** The beginning of its message, or its header in hexadecimal. */
  readonly shown: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
  readonly done: bigint;
  readonly best?: Candidate;
  /** Set once it is answered. */
  readonly met?: boolean;
  /** Unix times in milliseconds; 0: not yet. */
  readonly submittedMs: number;
  readonly answeredMs: number;
  readonly fetchedMs: number;
}

/** Answer to {@link List}, in the order of ids; before Accepted, when a job is attached to. */
export interface Jobs {
  readonly kind: "jobs";
  readonly job: number;
  readonly rows: readonly JobRow[];
}

/** Answer to {@link End}: it is done. */
export interface Ended {
  readonly kind: "ended";
  readonly job: number;
}

/** How the job stands, a few times a second. */
export interface Status {
  readonly kind: "status";
  readonly job: number;
  /** Nonces of the job searched so far. */
  readonly done: bigint;
  /** Nonces a second that this job gets now. */
  readonly jobRate: number;
  /** Nonces a second of the whole fleet. */
  readonly fleetRate: number;
  /** Connected miners. */
  readonly miners: number;
  readonly best?: Candidate;
}

/** The job's answer; `met` tells whether a target was reached (true for a least-hash job). */
export interface Answer {
  readonly kind: "answer";
  readonly job: number;
  readonly best: Candidate;
  readonly met: boolean;
}

/**
 * The server will not do the job, and why, in one line. Job 0: it will do nothing for the peer, a
 * miner that it does not let in or trust, or one whose request it cannot read.
 */
export interface Refused {
  readonly kind: "refused";
  readonly job: number;
  readonly reason: string;
}

export type FromMiner = Join | Hashing | Resume | Progress | Result | Shrunk | Stopped;
export type ToMiner = Assign | Resumed | Shrink | Stop | Refused;
export type FromClient = Submit | Attach | Fetched | Cancel | List | End;
export type ToClient = Accepted | Jobs | Ended | Status | Answer | Refused;
export type Message =
  FromMiner | ToMiner | FromClient | ToClient | MapReduceMessage | ServerMessage;
