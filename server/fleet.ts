/**
 * The fleet at work: hands out ranges of jobs as chunks to miners, books what they report, and
 * takes back what they lost. Knows neither wires nor clients; those are the core's.
 *
 * The life of a range: pending in its job -> held by a chunk -> accepted, when the miner's cursor
 * passes it; or released to pending again, when the miner is lost, stalls, or gives it back.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Interval } from "../work/interval_set.ts";
import type { Progress, Result, Shrunk, Stopped } from "../work/messages.ts";
import { Dispatcher, type DispatchPort } from "./dispatcher.ts";
import { Job, type JobSpec } from "./job.ts";
import type { ServerLimits } from "./limits.ts";
import { RateEstimator } from "./rate.ts";
import { type Chunk, type Miner, Roster } from "./roster.ts";
import { type Claim, Scheduler } from "./scheduler.ts";
import { relieveStragglers, trimOversized, watchConfirmations } from "./stragglers.ts";

/** What the fleet needs done by its owner. */
export interface FleetPort extends DispatchPort {
  /** The plain hash of a nonce. */
  hash(message: string, nonce: bigint): bigint;
  /** Ask for the chunk to end below `end`. */
  shrink(chunk: Chunk, end: bigint): void;
  stop(chunk: Chunk): void;
  accepted(job: Job, piece: Interval, miner: Miner): void;
  /** All is searched. The job is forgotten already. */
  done(job: Job): void;
  /** The miner has stalled, or works again. */
  stalled(miner: Miner): void;
}

/** Why a report was not believed: the owner counts these, and watches the miner's strikes. */
export type Rejection = string | undefined;

export class Fleet {
  readonly limits: ServerLimits;
  readonly roster: Roster;
  readonly scheduler: Scheduler;
  readonly jobs: Set<Job> = new Set();
  /** Bytes of the messages of all live jobs. */
  messageBytes = 0;
  /** When stragglers were last looked for. */
  relievedMs: Millis = -Infinity;
  readonly #port: FleetPort;
  readonly #dispatcher: Dispatcher;
  #nextSeq = 1;
  #tickedMs: Millis | undefined;

  constructor(limits: ServerLimits, port: FleetPort) {
    this.limits = limits;
    this.#port = port;
    this.roster = new Roster(limits);
    this.scheduler = new Scheduler(limits);
    this.#dispatcher = new Dispatcher(limits, this.roster, this.scheduler, port);
  }

  // ---- jobs

  /** Takes a job in and puts the fleet to work on it. The range must not be empty. */
  addJob(spec: JobSpec, claim: Claim, now: Millis): Job {
    invariant(spec.lower <= spec.upper, "a job's range is not empty");
    const job = new Job(spec, claim, this.#nextSeq++, now);
    this.jobs.add(job);
    this.messageBytes += job.messageBytes;
    this.scheduler.update(job);
    this.#dispatcher.feed(now);
    for (const chunk of this.#dispatcher.revocable(job)) {
      if (job.pending.size === 0) break;
      this.stop(chunk, now);
      this.#dispatcher.assign(chunk.miner, now);
    }
    return job;
  }

  /** Forgets a job; its miners are told to stop and get other work at once. */
  dropJob(job: Job, now: Millis): void {
    this.#forget(job, now);
    this.#dispatcher.feed(now);
  }

  // ---- miners

  join(miner: Miner, now: Millis): void {
    this.roster.add(miner);
    this.#dispatcher.feed(now);
  }

  /** The miner is gone: what lies after its cursors goes to others. */
  leave(miner: Miner, now: Millis): void {
    miner.probation = false;
    for (let chunk = miner.chunks[0]; chunk !== undefined; chunk = miner.chunks[0]) {
      this.#release(chunk);
      this.#end(chunk, now);
    }
    this.roster.remove(miner);
    this.#dispatcher.feed(now);
  }

  // ---- what miners report

  progress(miner: Miner, report: Progress, now: Millis): Rejection {
    const chunk = miner.chunk(report.chunk);
    if (chunk === undefined) return "progress of an unknown chunk";
    const { next, best } = report;
    if (next < chunk.next || next > chunk.end) return "cursor outside its chunk";
    const job = chunk.job;
    if (job !== undefined) {
      if (best === undefined && next > chunk.lower) return "cursor without a candidate";
      const falsehood = best && this.#check(chunk, job, best);
      if (falsehood) return this.#strike(miner, falsehood);
    }
    this.#advance(chunk, this.#believable(chunk, next, best), now);
    if (job !== undefined && best !== undefined) this.#fold(job, best, chunk, now);
    this.#settle(miner, job, now);
    return undefined;
  }

  result(miner: Miner, report: Result, now: Millis): Rejection {
    const chunk = miner.chunk(report.chunk);
    if (chunk === undefined) return "result of an unknown chunk";
    return this.#finish(chunk, report.best, now);
  }

  /** A classic Result: it names no chunk, for a classic miner has one at most. */
  classicResult(miner: Miner, best: Candidate, now: Millis): Rejection {
    const chunk = miner.chunks[0];
    if (chunk === undefined) return "result without a request";
    return this.#finish(chunk, best, now);
  }

  shrunk(miner: Miner, report: Shrunk, now: Millis): Rejection {
    const chunk = miner.chunk(report.chunk);
    if (chunk === undefined) return "shrunk of an unknown chunk";
    const end = report.upper + 1n;
    if (chunk.shrinks === 0) return "shrunk unasked";
    if (end < chunk.askedEnd || end < chunk.next || end > chunk.end) {
      return "shrunk outside its chunk";
    }
    chunk.shrinks--;
    chunk.end = end;
    if (chunk.job !== undefined && end < chunk.heldEnd) {
      chunk.job.release(end, chunk.heldEnd);
      chunk.heldEnd = end;
      this.scheduler.update(chunk.job);
    }
    this.#settle(miner, chunk.job, now);
    return undefined;
  }

  stopped(miner: Miner, report: Stopped, now: Millis): Rejection {
    const chunk = miner.chunk(report.chunk);
    if (chunk === undefined) return "stopped of an unknown chunk";
    const { job } = chunk;
    const { next, best } = report;
    let reason: Rejection;
    if (!chunk.stopping) reason = this.#strike(miner, "stopped unasked");
    else if (next > chunk.end) reason = "cursor outside its chunk";
    else if (job !== undefined && next > chunk.lower) {
      if (best === undefined) reason = "cursor without a candidate";
      else reason = this.#strike(miner, this.#check(chunk, job, best));
    }
    if (reason === undefined) {
      this.#advance(chunk, this.#believable(chunk, next, best), now);
      if (job !== undefined && best !== undefined && next > chunk.lower) {
        this.#fold(job, best, chunk, now);
      }
    }
    this.#release(chunk);
    this.#end(chunk, now);
    this.#settle(miner, job, now);
    return reason;
  }

  // ---- time

  /** To be called every `tickMs` while anything is under way. */
  tick(now: Millis): void {
    const slept = now - (this.#tickedMs ?? now) > this.limits.stallMs / 2;
    this.#tickedMs = now;
    for (const miner of this.roster.miners.values()) {
      if (miner.chunks.length === 0 || miner.probation) continue;
      // It was this machine that slept: the miners' reports are yet to be read.
      if (slept) miner.advancedMs = now;
      if (now - miner.advancedMs >= miner.stallAfterMs(this.limits)) this.#stall(miner, now);
      else if (miner.wire === "cbor") trimOversized(this, miner, now);
    }
    watchConfirmations(this, now);
    this.#dispatcher.feed(now);
    relieveStragglers(this, now);
  }

  // ---- for stragglers.ts

  /** Asks for the chunk to end below `end`. */
  shrink(chunk: Chunk, end: bigint, now: Millis): void {
    chunk.askedEnd = end;
    chunk.shrinks++;
    chunk.confirmByMs = now + this.limits.confirmMs;
    this.#port.shrink(chunk, end);
  }

  /** Tells the miner to drop the chunk. A classic miner cannot be told. */
  stop(chunk: Chunk, now: Millis): void {
    if (chunk.stopping || chunk.miner.wire === "json") return;
    chunk.stopping = true;
    chunk.confirmByMs = now + this.limits.confirmMs;
    this.scheduler.refund(chunk.next === chunk.lower ? chunk.charge : 0);
    this.#port.stop(chunk);
    this.roster.refresh(chunk.miner);
  }

  /** Lets others search what this chunk holds although its miner may do so too. */
  race(chunk: Chunk): void {
    const { job } = chunk;
    if (job === undefined) return;
    this.#release(chunk);
    job.raced.add(chunk);
  }

  // ---- inside

  #finish(chunk: Chunk, best: Candidate, now: Millis): Rejection {
    const { job, miner } = chunk;
    const falsehood = job && this.#check(chunk, job, best);
    if (falsehood === undefined) {
      const hit = job?.isHit(best) ?? false;
      if (!hit) this.#advance(chunk, chunk.end, now);
      else if (miner.wire === "cbor") this.#advance(chunk, best.nonce + 1n, now);
      else this.#advanceFromTop(chunk, best.nonce, now);
      if (job !== undefined) this.#fold(job, best, chunk, now);
    }
    this.#release(chunk);
    this.#end(chunk, now);
    const reason = this.#strike(miner, falsehood);
    this.#settle(miner, job, now);
    return reason;
  }

  /** Why the candidate cannot be of this chunk, if so. */
  #check(chunk: Chunk, job: Job, best: Candidate): Rejection {
    if (best.nonce < chunk.lower || best.nonce >= chunk.assignedEnd) {
      return "candidate outside its chunk";
    }
    const { checked } = chunk;
    if (checked?.nonce === best.nonce && checked.hash === best.hash) return undefined;
    if (this.#port.hash(job.spec.message, best.nonce) !== best.hash) return "wrong hash";
    chunk.checked = best;
    return undefined;
  }

  /**
   * The cursor as far as it can be relied on. With several threads a target's hit may be known
   * while the part below it is still being searched; only the Result says that it is the lowest.
   */
  #believable(chunk: Chunk, next: bigint, best: Candidate | undefined): bigint {
    if (best !== undefined && best.nonce < next && chunk.job?.isHit(best)) return chunk.next;
    return next;
  }

  /** The miner has searched everything below `to`. */
  #advance(chunk: Chunk, to: bigint, now: Millis): void {
    const from = chunk.next;
    chunk.miner.heard(to > from ? to - from : 0n, now);
    this.roster.refresh(chunk.miner);
    if (to <= from) return;
    const held = chunk.heldEnd;
    chunk.next = to;
    if (chunk.heldEnd < to) chunk.heldEnd = to;
    this.#accept(chunk, from, to, held, now);
  }

  /**
   * A classic miner knows no targets: it tells the least hash of its chunk. If that is a hit, there
   * is none above it that matters, but there may be a lower nonce below it, so that part goes back.
   */
  #advanceFromTop(chunk: Chunk, hit: bigint, now: Millis): void {
    chunk.miner.heard(chunk.end - chunk.lower, now);
    this.roster.refresh(chunk.miner);
    this.#accept(chunk, hit, chunk.end, chunk.heldEnd, now);
  }

  #accept(chunk: Chunk, from: bigint, to: bigint, heldEnd: bigint, now: Millis): void {
    const { job } = chunk;
    if (job === undefined) return;
    for (const piece of job.accept(from, to)) this.#port.accepted(job, piece, chunk.miner);
    // What it was not alone with may be pending, or with others who can be spared it now.
    if (to > heldEnd) {
      job.pending.remove(from, to);
      this.#spare(job.chunks, chunk, job, now);
    } else if (job.raced.size > 0) this.#spare(job.raced, chunk, job, now);
    this.scheduler.update(job);
  }

  /** Stops those chunks in which nothing is left to find out. */
  #spare(chunks: Iterable<Chunk>, except: Chunk, job: Job, now: Millis): void {
    for (const chunk of chunks) {
      if (chunk === except || job.uncovered.intersects(chunk.next, chunk.end)) continue;
      this.stop(chunk, now);
    }
  }

  #fold(job: Job, best: Candidate, source: Chunk, now: Millis): void {
    job.fold(best);
    if (!job.isHit(best) || job.best !== best) return;
    const { nonce } = best;
    for (const piece of job.accept(nonce, nonce + 1n)) {
      this.#port.accepted(job, piece, source.miner);
    }
    job.cutFrom(nonce);
    this.scheduler.update(job);
    for (const chunk of job.chunks) {
      if (chunk.heldEnd > nonce) chunk.heldEnd = chunk.next > nonce ? chunk.next : nonce;
      if (chunk === source || chunk.stopping || chunk.miner.wire === "json") continue;
      if (chunk.next >= nonce) this.stop(chunk, now);
      else if (chunk.end > nonce) this.shrink(chunk, nonce, now);
    }
  }

  #strike(miner: Miner, reason: Rejection): Rejection {
    if (reason === undefined) return undefined;
    miner.strikes++;
    return reason;
  }

  #release(chunk: Chunk): void {
    if (chunk.job === undefined || chunk.heldEnd <= chunk.next) return;
    chunk.job.release(chunk.next, chunk.heldEnd);
    chunk.heldEnd = chunk.next;
    this.scheduler.update(chunk.job);
  }

  /** The chunk's last word was spoken: it occupies its miner no longer. */
  #end(chunk: Chunk, now: Millis): void {
    const { miner, job } = chunk;
    miner.chunks.splice(miner.chunks.indexOf(chunk), 1);
    job?.chunks.delete(chunk);
    job?.raced.delete(chunk);
    chunk.job = undefined;
    miner.advancedMs = now;
    if (miner.probation && miner.chunks.length === 0) {
      miner.probation = false;
      this.#port.stalled(miner);
    }
    this.roster.refresh(miner);
  }

  #settle(miner: Miner, job: Job | undefined, now: Millis): void {
    if (job !== undefined && this.jobs.has(job) && job.isDone) {
      this.#forget(job, now);
      this.#port.done(job);
    }
    this.#dispatcher.feed(now);
    if (this.roster.idle.has(miner)) relieveStragglers(this, now);
  }

  #forget(job: Job, now: Millis): void {
    this.jobs.delete(job);
    this.messageBytes -= job.messageBytes;
    this.scheduler.remove(job);
    for (const chunk of job.chunks) {
      chunk.job = undefined;
      chunk.heldEnd = chunk.next;
      this.stop(chunk, now);
    }
    job.chunks.clear();
    job.raced.clear();
  }

  /** The miner's hashing has stalled: others get its work, and it none until it answers for all. */
  #stall(miner: Miner, now: Millis): void {
    miner.probation = true;
    miner.rate = new RateEstimator();
    for (const chunk of miner.chunks) {
      this.#release(chunk);
      this.stop(chunk, now);
    }
    this.roster.refresh(miner);
    this.#port.stalled(miner);
  }
}
