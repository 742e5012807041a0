/**
 * What miners report on their chunks, and what is believed of it: every candidate is hashed again
 * and must lie in its chunk, every cursor must move forward inside it.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Fleet } from "../work/fleet.ts";
import { UINT64_MAX } from "../work/hash.ts";
import type { Held, Progress, Result, Shrunk, Stopped } from "../work/messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { type ResumePort, takeBack } from "./resume.ts";
import { Chunk, type SearchJob } from "./search_job.ts";

/** Why a report was not believed: the owner counts these, and watches the miner's strikes. */
export type Rejection = string | undefined;

/** What the searches need done by their owner. */
export interface SearchPort extends ResumePort {
  /** The miner told a falsehood about the job; it is not known yet whose fault that is. */
  suspected(job: SearchJob, reason: string, miner: Worker<Task>): void;
}

export class Searches {
  readonly #fleet: Fleet;
  readonly #port: SearchPort;

  constructor(fleet: Fleet, port: SearchPort) {
    this.#fleet = fleet;
    this.#port = port;
  }

  /**
   * Searches the last of all nonces, where the job has it: the loops of classic miners, which count
   * up to their range's end in 64 bits, do not end there.
   */
  searchLast(job: SearchJob): void {
    const { spec } = job.record;
    if (spec.upper !== UINT64_MAX) return;
    const nonce = spec.upper;
    job.pending.remove(nonce, nonce + 1n);
    for (const piece of job.accept(nonce, nonce + 1n)) this.#port.accepted(job, piece, undefined);
    job.record.fold({ hash: this.#port.hash(spec.subject, nonce), nonce });
  }

  /** See server/resume.ts. */
  resume(
    miner: Worker<Task>,
    job: SearchJob,
    held: Held,
    nowMs: Millis,
  ): ReturnType<typeof takeBack> {
    return takeBack(this.#fleet, this.#port, miner, job, held, nowMs);
  }

  progress(miner: Worker<Task>, report: Progress, nowMs: Millis): Rejection {
    const chunk = chunkOf(miner, report.chunk);
    if (chunk === undefined) return "progress of an unknown chunk";
    const { next, best } = report;
    if (next < chunk.next || next > chunk.end) return "cursor outside its chunk";
    const job = chunk.search;
    if (job !== undefined) {
      if (best === undefined && next > chunk.lower) return "cursor without a candidate";
      const falsehood = best && this.#check(chunk, job, best);
      if (falsehood) {
        this.#blame(chunk, job, falsehood, nowMs);
        // What it had to give back waits for others now.
        this.#fleet.settle(miner, job, nowMs);
        return falsehood;
      }
    }
    this.#advance(chunk, believable(chunk, next, best), nowMs);
    if (job !== undefined && best !== undefined) this.#fold(job, best, chunk, nowMs);
    this.#fleet.settle(miner, job, nowMs);
    return undefined;
  }

  result(miner: Worker<Task>, report: Result, nowMs: Millis): Rejection {
    const chunk = chunkOf(miner, report.chunk);
    if (chunk === undefined) return "result of an unknown chunk";
    return this.#finish(chunk, report.best, nowMs);
  }

  /** A classic Result: it names no chunk, for a classic miner has one at most. */
  classicResult(miner: Worker<Task>, best: Candidate, nowMs: Millis): Rejection {
    const [chunk] = miner.tasks;
    if (!(chunk instanceof Chunk)) return "result without a request";
    return this.#finish(chunk, best, nowMs);
  }

  shrunk(miner: Worker<Task>, report: Shrunk, nowMs: Millis): Rejection {
    const chunk = chunkOf(miner, report.chunk);
    if (chunk === undefined) return "shrunk of an unknown chunk";
    const end = report.upper + 1n;
    if (chunk.shrinks === 0) return "shrunk unasked";
    if (end < chunk.askedEnd || end < chunk.next || end > chunk.end) {
      return "shrunk outside its chunk";
    }
    chunk.shrinks--;
    chunk.end = end;
    const job = chunk.search;
    if (job !== undefined && end < chunk.heldEnd) {
      job.release(end, chunk.heldEnd);
      chunk.heldEnd = end;
      this.#fleet.update(job);
    }
    this.#fleet.settle(miner, job, nowMs);
    return undefined;
  }

  stopped(miner: Worker<Task>, report: Stopped, nowMs: Millis): Rejection {
    const chunk = chunkOf(miner, report.chunk);
    if (chunk === undefined) return "stopped of an unknown chunk";
    const job = chunk.search;
    const { next, best } = report;
    let reason: Rejection;
    let falsehood: Rejection;
    if (!chunk.stopping) falsehood = "stopped unasked";
    else if (next > chunk.end) reason = "cursor outside its chunk";
    else if (job !== undefined && next > chunk.lower) {
      if (best === undefined) reason = "cursor without a candidate";
      else falsehood = this.#check(chunk, job, best);
    }
    reason ??= falsehood;
    if (reason === undefined) {
      this.#advance(chunk, believable(chunk, next, best), nowMs);
      if (job !== undefined && best !== undefined && next > chunk.lower) {
        this.#fold(job, best, chunk, nowMs);
      }
    }
    this.#fleet.release(chunk);
    this.#fleet.end(chunk, nowMs);
    this.#blame(chunk, job, falsehood, nowMs);
    this.#fleet.settle(miner, job, nowMs);
    return reason;
  }

  // ---- inside

  #finish(chunk: Chunk, best: Candidate, nowMs: Millis): Rejection {
    const { worker: miner } = chunk;
    const job = chunk.search;
    const falsehood = job && this.#check(chunk, job, best);
    if (falsehood === undefined) {
      if (!chunk.isHit(best)) this.#advance(chunk, chunk.end, nowMs);
      else if (miner.steerable) this.#advance(chunk, afterHit(chunk, best), nowMs);
      else this.#advanceFromTop(chunk, best.nonce, nowMs);
      if (job !== undefined) this.#fold(job, best, chunk, nowMs);
    }
    this.#fleet.release(chunk);
    this.#fleet.end(chunk, nowMs);
    this.#blame(chunk, job, falsehood, nowMs);
    this.#fleet.settle(miner, job, nowMs);
    return falsehood;
  }

  /** Notes a falsehood, if it is one, about what the miner was to search of the chunk. */
  #blame(chunk: Chunk, job: SearchJob | undefined, reason: Rejection, nowMs: Millis): void {
    if (reason === undefined) return;
    const { worker, next, end } = chunk;
    const isOpen = (): boolean => job!.record.uncovered.intersects(next, end);
    if (job !== undefined) this.#port.suspected(job, reason, worker);
    this.#fleet.blame(job, { worker, reason, isOpen }, nowMs);
  }

  /** Why the candidate cannot be of this chunk, if so. */
  #check(chunk: Chunk, job: SearchJob, best: Candidate): Rejection {
    if (best.nonce < chunk.lower || best.nonce >= chunk.assignedEnd) {
      return "candidate outside its chunk";
    }
    const { checked } = chunk;
    if (checked?.nonce === best.nonce && checked.hash === best.hash) return undefined;
    if (this.#port.hash(job.record.spec.subject, best.nonce) !== best.hash) return "wrong hash";
    chunk.checked = best;
    return undefined;
  }

  /** The miner has searched everything below `to`. */
  #advance(chunk: Chunk, to: bigint, nowMs: Millis): void {
    const from = chunk.next;
    this.#fleet.heard(chunk, to > from ? to - from : 0n, nowMs);
    if (to <= from) return;
    const held = chunk.heldEnd;
    chunk.next = to;
    if (chunk.heldEnd < to) chunk.heldEnd = to;
    this.#accept(chunk, from, to, held, nowMs);
  }

  /**
   * A classic miner knows no targets: it reports the least hash of its chunk. If that is a hit, no
   * nonce above it matters, but there may be a lower hit below it, so that part goes back.
   */
  #advanceFromTop(chunk: Chunk, hit: bigint, nowMs: Millis): void {
    this.#fleet.heard(chunk, chunk.end - chunk.lower, nowMs);
    this.#accept(chunk, hit, chunk.end, chunk.heldEnd, nowMs);
  }

  #accept(chunk: Chunk, from: bigint, to: bigint, heldEnd: bigint, nowMs: Millis): void {
    const job = chunk.search;
    if (job === undefined) return;
    for (const piece of job.accept(from, to)) this.#port.accepted(job, piece, chunk.worker);
    // What it was not alone with may be pending, or with others who can be spared it now.
    if (to > heldEnd) {
      job.pending.remove(from, to);
      this.#fleet.spare(job.tasks, chunk, nowMs);
    } else if (job.raced.size > 0) this.#fleet.spare(job.raced, chunk, nowMs);
    this.#fleet.update(job);
  }

  #fold(job: SearchJob, best: Candidate, source: Chunk, nowMs: Millis): void {
    const { record } = job;
    record.fold(best);
    if (!record.isHit(best) || record.best !== best) return;
    const { nonce } = best;
    for (const piece of job.accept(nonce, nonce + 1n)) {
      this.#port.accepted(job, piece, source.worker);
    }
    job.cutFrom(nonce);
    this.#fleet.update(job);
    for (const chunk of job.tasks as Set<Chunk>) {
      if (chunk.heldEnd > nonce) chunk.heldEnd = chunk.next > nonce ? chunk.next : nonce;
      if (chunk === source || chunk.stopping || !chunk.worker.steerable) continue;
      if (chunk.next >= nonce) this.#fleet.stop(chunk, nowMs);
      else if (chunk.end > nonce) this.#fleet.shrink(chunk, nonce - chunk.next, nowMs);
    }
  }
}

function chunkOf(miner: Worker<Task>, id: number): Chunk | undefined {
  const task = miner.task(id);
  return task instanceof Chunk ? task : undefined;
}

/** Behind the hit at which a cbor miner ended the chunk; unchecked once the job is over. */
function afterHit({ assignedEnd }: Chunk, { nonce }: Candidate): bigint {
  return nonce < assignedEnd ? nonce + 1n : assignedEnd;
}

/**
 * The cursor as far as it can be relied on. With several threads a target's hit may be known while
 * the part below it is still being searched; only the Result says that it is the lowest.
 */
function believable(chunk: Chunk, next: bigint, best: Candidate | undefined): bigint {
  const record = chunk.search?.record;
  if (best !== undefined && best.nonce < next && record?.isHit(best)) return chunk.next;
  return next;
}
