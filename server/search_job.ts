/**
 * Nonce search as a kind of work: a job over one {@link SearchRecord}, and its tasks, the chunks.
 *
 * Three things are true after every step, and tests hold them: `pending` and the ranges that chunks
 * hold are disjoint; together they contain the record's `uncovered`; the job is done when that is
 * empty.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Candidate } from "../work/candidate.ts";
import { classicRequest, encodeClassicMessage } from "../work/classic.ts";
import { UINT64_MAX } from "../work/hash.ts";
import { type Interval, IntervalSet } from "../work/interval_set.ts";
import { RateEstimator } from "../work/rate.ts";
import type { Worker } from "../work/roster.ts";
import type { Account } from "../work/scheduler.ts";
import type { Subject } from "../work/subject.ts";
import { Job, Task, type TaskOptions } from "../work/task.ts";
import type { ServerLimits } from "./limits.ts";
import type { SearchNews, SearchRecord } from "./table.ts";

type ClassicLimits = Pick<ServerLimits, "safeClassicBytes" | "maxClassicBytes">;

/** Bytes of the longest classic Request that any chunk of the search can need, if up to `most`. */
function longestRequestBytes(subject: Subject, most: number): number {
  // JSON has a byte or more for each of its characters: what is far too long is not encoded at all.
  if (typeof subject !== "string" || subject.length > most) return Infinity;
  return encodeClassicMessage(classicRequest(subject, UINT64_MAX, UINT64_MAX)).length;
}

/** A range, and how far it is searched: below `next`. */
export interface Cursor {
  readonly lower: bigint;
  readonly next: bigint;
  readonly end: bigint;
}

/** See the module. What is durable of it is its record. */
export class SearchJob extends Job {
  readonly record: SearchRecord;
  /** The part of the record's `uncovered` that no chunk holds. */
  readonly pending: IntervalSet;
  /** How fast it moves; fed by the status tick. */
  readonly rate: RateEstimator = new RateEstimator();
  /** What the status tick remembers. */
  statusMs: Millis;
  statusDone = 0n;
  statusMiners = -1;
  /** Connections that are told how it goes, with their numbers for it. */
  readonly followers: Map<number, number> = new Map();
  /** What was accepted and is not in the table yet; nothing, of a job that is not to be there. */
  readonly #unsaved = new IntervalSet();
  #savedLeast: Candidate | undefined;
  #savedHit: Candidate | undefined;
  readonly #limits: ClassicLimits;
  #classicBytes: number | undefined;

  constructor(
    record: SearchRecord,
    account: Account,
    seq: number,
    limits: ClassicLimits,
    nowMs: Millis,
  ) {
    super(account, seq, nowMs);
    this.record = record;
    this.pending = new IntervalSet();
    for (const { lower, end } of record.uncovered.intervals) this.pending.insert(lower, end);
    this.statusMs = nowMs;
    this.#limits = limits;
    this.#savedLeast = record.least;
    this.#savedHit = record.hit;
  }

  /** Whether it is in the table, and so outlives connections. */
  get isKept(): boolean {
    return this.record.id !== 0;
  }

  get remaining(): bigint {
    return this.record.uncovered.count;
  }

  get hasPending(): boolean {
    return this.pending.size > 0;
  }

  get pendingUnits(): bigint {
    return this.pending.count;
  }

  get isDone(): boolean {
    return this.record.isDone;
  }

  fitsBlind(others: boolean): boolean {
    // What a classic peer's buffer cannot hold never arrives.
    const { safeClassicBytes, maxClassicBytes } = this.#limits;
    this.#classicBytes ??= longestRequestBytes(this.record.spec.subject, maxClassicBytes);
    return this.#classicBytes <= (others ? safeClassicBytes : maxClassicBytes);
  }

  nextUnits(most: bigint): bigint {
    const front = this.pending.intervals[0];
    if (front === undefined) return 0n;
    const size = front.end - front.lower;
    return size < most ? size : most;
  }

  take(options: Omit<TaskOptions<Job>, "job">): Chunk {
    const { lower, end } = this.pending.takeFront(options.units)!;
    return new Chunk({ ...options, job: this }, lower, end);
  }

  /** A chunk of `lower <= n < end`, all of which from `next` on is pending, and is so no more. */
  adopt(worker: Worker<Task>, { lower, next, end }: Cursor, nowMs: Millis): Chunk {
    this.pending.remove(next, end);
    const chunk = new Chunk({ worker, job: this, units: end - next, charge: 0, nowMs }, lower, end);
    chunk.next = next;
    return chunk;
  }

  /** Makes what is still uncovered of `lower <= n < end` available to the scheduler again. */
  release(lower: bigint, end: bigint): void {
    for (const piece of this.record.uncovered.intersection(lower, end)) {
      this.pending.insert(piece.lower, piece.end);
    }
  }

  /** A hit at `nonce` is known: nothing from there on needs searching any more. */
  cutFrom(nonce: bigint): void {
    this.record.cutFrom(nonce);
    this.pending.remove(nonce, this.record.spec.upper + 1n);
  }

  /** Books `lower <= n < end` as searched and returns what of it is news. */
  accept(lower: bigint, end: bigint): Interval[] {
    const news = this.record.accept(lower, end);
    if (this.isKept) for (const piece of news) this.#unsaved.insert(piece.lower, piece.end);
    return news;
  }

  /** What the table does not have yet, in the order of nonces; it has it from now on. */
  takeNews(): SearchNews {
    const searched = [...this.#unsaved.intervals];
    for (const { lower, end } of searched) this.#unsaved.remove(lower, end);
    const { least, hit } = this.record;
    const news = {
      searched,
      least: least === this.#savedLeast ? undefined : least,
      hit: hit === this.#savedHit ? undefined : hit,
    };
    this.#savedLeast = least;
    this.#savedHit = hit;
    return news;
  }
}

/**
 * A range that a miner was asked to search, from the Assign to the one message that ends it (Result
 * or Stopped). Ranges are half-open here: `lower <= n < end`.
 */
export class Chunk extends Task {
  readonly lower: bigint;
  /** As assigned. */
  readonly assignedEnd: bigint;
  /** What the miner will search up to: as assigned, or as the last Shrunk said. */
  end: bigint;
  /** The cursor: `lower <= n < next` is searched and accepted. */
  next: bigint;
  /** `next <= n < heldEnd` is this chunk's alone; nobody else searches it. */
  heldEnd: bigint;
  /** The end that the last Shrink asked for (`assignedEnd` before the first). */
  askedEnd: bigint;
  /** The last candidate of this chunk whose hash was checked. */
  checked: Candidate | undefined;
  /** Of its job, which may be over long before its miner has stopped. */
  readonly #target: bigint | undefined;

  constructor(options: TaskOptions<SearchJob>, lower: bigint, end: bigint) {
    super(options);
    this.lower = lower;
    this.next = lower;
    this.assignedEnd = end;
    this.end = end;
    this.heldEnd = end;
    this.askedEnd = end;
    this.#target = options.job.record.spec.target;
  }

  /** The search that it is a part of, unless that is over. */
  get search(): SearchJob | undefined {
    return this.job as SearchJob | undefined;
  }

  /** Whether a cbor miner ends the chunk there. */
  isHit({ hash }: Candidate): boolean {
    return this.#target !== undefined && hash <= this.#target;
  }

  get held(): bigint {
    return this.heldEnd - this.next;
  }

  get left(): bigint {
    return this.end - this.next;
  }

  get isUntouched(): boolean {
    return this.next === this.lower;
  }

  get isDivisible(): boolean {
    return this.held > 1n;
  }

  get isNeedless(): boolean {
    return !this.search?.record.uncovered.intersects(this.next, this.end);
  }

  release(): void {
    this.search?.release(this.next, this.heldEnd);
    this.heldEnd = this.next;
  }

  abandon(): void {
    this.heldEnd = this.next;
  }

  cutTo(units: bigint): void {
    this.askedEnd = this.next + units;
  }
}
