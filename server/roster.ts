/**
 * Who is in the fleet: miners, the chunks they were sent, their measured rates and their clocks.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Job } from "./job.ts";
import type { ServerLimits } from "./limits.ts";
import { RateEstimator } from "./rate.ts";

/**
 * A range that a miner was asked to search, from the Assign to the one message that ends it (Result
 * or Stopped). Ranges are half-open here: `lower <= n < end`.
 */
export interface Chunk {
  /** The number on the wire, unique on the connection. */
  readonly id: number;
  readonly miner: Miner;
  /** Undefined once the job ended or was dropped: the chunk only occupies its miner. */
  job: Job | undefined;
  readonly lower: bigint;
  /** As assigned. */
  readonly assignedEnd: bigint;
  readonly assignedMs: Millis;
  /** What the miner will search up to: as assigned, or as the last Shrunk said. */
  end: bigint;
  /** The cursor: `lower <= n < next` is searched and accepted. */
  next: bigint;
  /** `next <= n < heldEnd` is this chunk's alone; nobody else searches it. */
  heldEnd: bigint;
  /** A Stop is under way. */
  stopping: boolean;
  /** The end that the last Shrink asked for (`assignedEnd` before the first). */
  askedEnd: bigint;
  /** Shrinks under way. */
  shrinks: number;
  /** When the Stop or Shrink under way should have been confirmed. */
  confirmByMs: Millis;
  /** The last candidate of this chunk whose hash was checked. */
  checked: Candidate | undefined;
  /** What handing it out moved the scheduler's credit by. */
  readonly charge: number;
}

/** One connected miner. */
export class Miner {
  readonly connId: number;
  readonly wire: Wire;
  threads: number;
  /** For people: the kernel that it hashes with. */
  label: string;
  /** Unanswered chunks in the order in which they were assigned. */
  readonly chunks: Chunk[] = [];
  rate: RateEstimator;
  /** Up to when its work is measured. */
  markMs: Millis;
  /** When its hashing last showed progress, or its work began. */
  advancedMs: Millis;
  reportedMs: Millis;
  /** Smoothed time between its reports. */
  reportGapMs = 0;
  /** Its hashing stalled: no new work until everything it was sent is answered. */
  probation = false;
  /** Others took work over from it: nothing more is queued until it is through with the rest. */
  relieved = false;
  strikes = 0;
  #nextChunk = 1;

  constructor(of: Pick<Miner, "connId" | "wire" | "threads" | "label">, rate: number, now: Millis) {
    this.connId = of.connId;
    this.wire = of.wire;
    this.threads = of.threads;
    this.label = of.label;
    this.rate = new RateEstimator(rate);
    this.markMs = now;
    this.advancedMs = now;
    this.reportedMs = now;
  }

  /** Chunks it may have, running and queued: a classic miner has no queue. */
  get slots(): number {
    return this.wire === "json" ? 1 : 2;
  }

  /** Chunks that occupy a slot: those not being stopped. (A classic one cannot be told to stop.) */
  get occupied(): number {
    if (this.wire === "json") return this.chunks.length;
    let live = 0;
    for (const chunk of this.chunks) if (!chunk.stopping) live++;
    return live;
  }

  takeChunkNumber(): number {
    return this.#nextChunk++;
  }

  chunk(id: number): Chunk | undefined {
    return this.chunks.find((chunk) => chunk.id === id);
  }

  /** Notes a report: measures the work, restarts the stall clock if the cursor moved. */
  heard(advance: bigint, now: Millis): void {
    this.rate.sample(advance, now - this.markMs);
    this.markMs = now;
    const gap = now - this.reportedMs;
    this.reportedMs = now;
    this.reportGapMs += (gap - this.reportGapMs) / 4;
    if (advance > 0n) this.advancedMs = now;
  }

  /** How long its cursor may stay where it is before its work is taken away. */
  stallAfterMs(limits: ServerLimits): Millis {
    if (this.wire === "json") {
      const size = Number((this.chunks[0]?.assignedEnd ?? 0n) - (this.chunks[0]?.lower ?? 0n));
      const expected = (size / this.speed(limits)) * 1000;
      return limits.classicStallChunks * Math.max(expected, limits.chunkSeconds * 1000);
    }
    const gap = Math.min(this.reportGapMs, limits.maxReportMs);
    return Math.max(limits.stallMs, limits.stallReports * gap);
  }

  /** Nonces a second for planning: measured, declared, or assumed; at least 1. */
  speed(limits: ServerLimits): number {
    return Math.max(1, this.rate.value ?? limits.assumedRate);
  }

  /** Nonces that it holds and has, by its rate, not searched yet. */
  remaining(now: Millis, limits: ServerLimits): number {
    let sum = 0;
    for (const chunk of this.chunks) {
      if (!chunk.stopping) sum += Number(chunk.heldEnd - chunk.next);
    }
    const unreported = Math.min(now - this.markMs, limits.statusMs * 2);
    return Math.max(0, sum - (this.speed(limits) * unreported) / 1000);
  }
}

/** All miners, with those that could take more work kept at hand. */
export class Roster {
  readonly miners: Map<number, Miner> = new Map();
  /** Miners with nothing to do, longest first. */
  readonly idle: Set<Miner> = new Set();
  /** Miners at work whose queue is empty. */
  readonly thirsty: Set<Miner> = new Set();
  readonly #limits: ServerLimits;
  /** Miners that owe an answer and are expected to give it. */
  readonly #owing = new Set<Miner>();
  readonly #rates = new Map<Miner, number>();
  #fleetRate = 0;
  #natives = 0;

  constructor(limits: ServerLimits) {
    this.#limits = limits;
  }

  /** Nonces a second of all miners together, as measured or declared. */
  get fleetRate(): number {
    return Math.max(0, this.#fleetRate);
  }

  /** Whether any miner, not on probation, owes an answer to a chunk. */
  get isOwed(): boolean {
    return this.#owing.size > 0;
  }

  /** How many miners speak the native wire. */
  get natives(): number {
    return this.#natives;
  }

  add(miner: Miner): void {
    this.miners.set(miner.connId, miner);
    if (miner.wire === "cbor") this.#natives++;
    this.refresh(miner);
  }

  remove(miner: Miner): void {
    this.miners.delete(miner.connId);
    if (miner.wire === "cbor") this.#natives--;
    this.idle.delete(miner);
    this.thirsty.delete(miner);
    this.#owing.delete(miner);
    this.#fleetRate -= this.#rates.get(miner) ?? 0;
    this.#rates.delete(miner);
    if (this.miners.size === 0) this.#fleetRate = 0;
  }

  /** Sorts `miner` anew after its chunks, its rate or its probation changed. */
  refresh(miner: Miner): void {
    const rate = miner.probation ? 0 : (miner.rate.value ?? 0);
    this.#fleetRate += rate - (this.#rates.get(miner) ?? 0);
    this.#rates.set(miner, rate);
    place(this.#owing, miner, miner.chunks.length > 0 && !miner.probation);
    const occupied = miner.occupied;
    if (occupied === 0) miner.relieved = false;
    const willing = !miner.probation && miner.chunks.length < this.#limits.maxOutstandingChunks;
    place(this.idle, miner, willing && occupied === 0);
    const hasRoom = occupied > 0 && occupied < miner.slots && !miner.relieved;
    place(this.thirsty, miner, willing && hasRoom);
  }
}

function place<T>(set: Set<T>, item: T, belongs: boolean): void {
  if (belongs) set.add(item);
  else set.delete(item);
}
