/**
 * Gives miners work: brings together the scheduler's choice of a job, the size that suits the
 * miner, and the range from the front of the job's pending work.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import type { Job, JobSpec } from "./job.ts";
import type { ServerLimits } from "./limits.ts";
import type { Chunk, Miner, Roster } from "./roster.ts";
import { precedes, type Scheduler } from "./scheduler.ts";
import { chunkNonces, fullChunk } from "./sizing.ts";

/** What dispatching needs done. */
export interface DispatchPort {
  /** Bytes of the longest classic Request for the job. */
  classicBytes(spec: JobSpec): number;
  /** Tell the miner to search the chunk. */
  assign(chunk: Chunk, job: Job): void;
}

export class Dispatcher {
  readonly #limits: ServerLimits;
  readonly #roster: Roster;
  readonly #scheduler: Scheduler;
  readonly #port: DispatchPort;

  constructor(limits: ServerLimits, roster: Roster, scheduler: Scheduler, port: DispatchPort) {
    this.#limits = limits;
    this.#roster = roster;
    this.#scheduler = scheduler;
    this.#port = port;
  }

  /** Gives work to whoever can take some: first to the idle, then into empty queues. */
  feed(now: Millis): void {
    for (const miners of [this.#roster.idle, this.#roster.thirsty]) {
      for (const miner of miners) {
        if (!this.#scheduler.hasWork) return;
        this.assign(miner, now);
      }
    }
  }

  /**
   * Queued chunks whose place `job`, just arrived, should have: those of jobs that are less urgent,
   * unless they are there on the oldest's share; the soonest to run first. None if `job` is not
   * the most urgent.
   */
  revocable(job: Job): Chunk[] {
    if (this.#scheduler.shortest !== job) return [];
    const found: { chunk: Chunk; startsIn: number }[] = [];
    for (const miner of this.#roster.miners.values()) {
      // One place must be left for the chunk that comes instead.
      if (miner.probation || miner.chunks.length >= this.#limits.maxOutstandingChunks) continue;
      const live = miner.chunks.filter((chunk) => !chunk.stopping);
      const chunk = live[1];
      if (chunk?.job === undefined || chunk.charge < 0 || !precedes(job, chunk.job)) continue;
      const left = Number(live[0]!.end - live[0]!.next);
      found.push({ chunk, startsIn: left / miner.speed(this.#limits) });
    }
    found.sort((a, b) => a.startsIn - b.startsIn);
    return found.map(({ chunk }) => chunk);
  }

  /** Gives `miner` its next chunk; false if there is no work for it. */
  assign(miner: Miner, now: Millis): boolean {
    const rate = miner.rate.value;
    const fleetRate = Math.max(this.#roster.fleetRate, miner.speed(this.#limits));
    const fullSeconds = fullChunk(rate, this.#limits) / fleetRate;
    const choice = this.#scheduler.choose(fullSeconds, (job) => this.#fits(job, miner));
    if (choice === undefined) return false;
    const { job } = choice;
    const most = choice.maxSeconds * fleetRate;
    const size = chunkNonces(rate, fleetRate, job.pending.count, most, this.#limits);
    const range = job.pending.takeFront(size);
    invariant(range !== undefined, "a scheduled job has pending work");
    if (miner.chunks.length === 0) miner.advancedMs = now;
    if (miner.occupied === 0) miner.markMs = now;
    const { lower, end } = range;
    const charge = this.#scheduler.charge(choice, Number(end - lower) / fleetRate);
    const chunk = newChunk(miner, job, lower, end, now, charge);
    miner.chunks.push(chunk);
    job.chunks.add(chunk);
    this.#scheduler.update(job);
    this.#roster.refresh(miner);
    this.#port.assign(chunk, job);
    return true;
  }

  /** A classic miner gets only what its wire can carry. */
  #fits(job: Job, miner: Miner): boolean {
    if (miner.wire === "cbor") return true;
    const { safeClassicBytes, maxClassicBytes } = this.#limits;
    const most = this.#roster.natives > 0 ? safeClassicBytes : maxClassicBytes;
    return job.classicBytes((spec) => this.#port.classicBytes(spec)) <= most;
  }
}

function newChunk(
  miner: Miner,
  job: Job,
  lower: bigint,
  end: bigint,
  now: Millis,
  charge: number,
): Chunk {
  return {
    id: miner.takeChunkNumber(),
    miner,
    job,
    lower,
    assignedEnd: end,
    assignedMs: now,
    end,
    next: lower,
    heldEnd: end,
    stopping: false,
    askedEnd: end,
    shrinks: 0,
    confirmByMs: 0,
    checked: undefined,
    charge,
  };
}
