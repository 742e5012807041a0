/**
 * A job's books: which nonces are accepted, which wait for a miner, which candidate is best.
 *
 * Three things are true after every step, and tests hold them: `pending` and the ranges that chunks
 * hold are disjoint; together they contain `uncovered`; the job is done when `uncovered` is empty.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { utf8Length } from "../base/text.ts";
import { better, type Candidate } from "../work/candidate.ts";
import { type Interval, IntervalSet } from "../work/interval_set.ts";
import { RateEstimator } from "./rate.ts";
import type { Chunk } from "./roster.ts";
import type { Claim } from "./scheduler.ts";

/** What a client asks for; both ends of the range included. */
export interface JobSpec {
  /** The client's number for it. */
  readonly number: number;
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint | undefined;
}

/** See the module. All changes of ranges go through its methods. */
export class Job {
  readonly spec: JobSpec;
  readonly claim: Claim;
  /** Length of its message, in bytes of UTF-8. */
  readonly messageBytes: number;
  /** Order of arrival over all jobs. */
  readonly seq: number;
  /** Nonces that nobody has searched yet (or whose searching nobody has confirmed). */
  readonly uncovered: IntervalSet;
  /** The part of `uncovered` that no chunk holds: what the scheduler may hand out. */
  readonly pending: IntervalSet;
  /** The unanswered chunks that work on this job. */
  readonly chunks: Set<Chunk> = new Set();
  /** Those of them whose range was given to others as well. */
  readonly raced: Set<Chunk> = new Set();
  /** Nonces accepted. */
  done = 0n;
  /** How fast it moves; fed by the status tick. */
  readonly rate: RateEstimator = new RateEstimator();
  readonly arrivedMs: Millis;
  /** What the status tick remembers. */
  statusMs: Millis;
  statusDone = 0n;
  statusMiners = -1;
  #least: Candidate | undefined;
  #hit: Candidate | undefined;
  #classicBytes: number | undefined;

  constructor(spec: JobSpec, claim: Claim, seq: number, nowMs: Millis) {
    this.spec = spec;
    this.claim = claim;
    this.messageBytes = utf8Length(spec.message);
    this.seq = seq;
    this.arrivedMs = nowMs;
    this.statusMs = nowMs;
    this.uncovered = new IntervalSet(spec.lower, spec.upper + 1n);
    this.pending = new IntervalSet(spec.lower, spec.upper + 1n);
  }

  /** The lowest known nonce that meets the target, or else the least hash seen. */
  get best(): Candidate | undefined {
    return this.#hit ?? this.#least;
  }

  /** Whether a target was reached; a job without one has nothing to miss. */
  get met(): boolean {
    return this.spec.target === undefined || this.#hit !== undefined;
  }

  get isDone(): boolean {
    return this.uncovered.size === 0;
  }

  /** Whether `candidate` meets this job's target. */
  isHit(candidate: Candidate): boolean {
    return this.spec.target !== undefined && candidate.hash <= this.spec.target;
  }

  /** Takes a candidate whose hash was checked into account. */
  fold(candidate: Candidate): void {
    this.#least = better(this.#least, candidate);
    if (!this.isHit(candidate)) return;
    if (this.#hit === undefined || candidate.nonce < this.#hit.nonce) this.#hit = candidate;
  }

  /** Books `lower <= n < end` as searched and returns what of it is news. */
  accept(lower: bigint, end: bigint): Interval[] {
    const news = this.uncovered.remove(lower, end);
    for (const piece of news) this.done += piece.end - piece.lower;
    return news;
  }

  /** Makes what is still uncovered of `lower <= n < end` available to the scheduler again. */
  release(lower: bigint, end: bigint): void {
    for (const piece of this.uncovered.intersection(lower, end)) {
      this.pending.insert(piece.lower, piece.end);
    }
  }

  /** A hit at `nonce` is known: nothing from there on needs searching any more. */
  cutFrom(nonce: bigint): void {
    this.uncovered.remove(nonce, this.spec.upper + 1n);
    this.pending.remove(nonce, this.spec.upper + 1n);
  }

  /** Bytes of the longest classic Request for this job; computed by `measure` once. */
  classicBytes(measure: (spec: JobSpec) => number): number {
    this.#classicBytes ??= measure(this.spec);
    return this.#classicBytes;
  }
}
