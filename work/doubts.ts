/**
 * Whose fault a worker's false report is: the worker's, the job's, or this server's own.
 *
 * A falsehood (a wrong result, a task given back unasked) is a suspicion first. When what it was
 * about has been done after all, by anyone, it was the worker's fault: a strike. Meanwhile a worker
 * that failed a job `maxStrikes` times gets no more work of that job, but of all others. When
 * nobody is left who could do a job, the job is doubted and not the workers: it is given up, and
 * they keep their good standing. So no job can empty the fleet.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { readablePlural } from "../base/text.ts";
import type { FleetLimits } from "./limits.ts";
import type { Roster, Worker } from "./roster.ts";
import type { Job, Task } from "./task.ts";

/** A falsehood that may be the worker's fault. */
export interface Suspicion {
  readonly worker: Worker<Task>;
  readonly reason: string;
  /** Whether what it was about is still to be done. */
  isOpen(): boolean;
}

/** A falsehood that was the worker's fault. */
export interface Strike {
  readonly worker: Worker<Task>;
  readonly reason: string;
  /** Strikes of the worker by then. */
  readonly count: number;
}

interface Doubt {
  readonly sinceMs: Millis;
  suspicions: Suspicion[];
}

export class Doubts {
  /** Strikes that the owner has not taken note of yet. */
  readonly strikes: Strike[] = [];
  readonly #limits: FleetLimits;
  readonly #byJob = new Map<Job, Doubt>();

  constructor(limits: FleetLimits) {
    this.#limits = limits;
  }

  /** Jobs in doubt. */
  get size(): number {
    return this.#byJob.size;
  }

  /** The workers that have failed the job too often to get more of it. */
  barred(job: Job): Set<Worker<Task>> {
    const barred = new Set<Worker<Task>>();
    for (const { worker } of this.#byJob.get(job)?.suspicions ?? []) {
      if (this.bars(job, worker)) barred.add(worker);
    }
    return barred;
  }

  /** Whether the worker has failed the job too often to get more of it. */
  bars(job: Job, worker: Worker<Task>): boolean {
    const doubt = this.#byJob.get(job);
    return doubt !== undefined && this.#count(doubt, worker) >= this.#limits.maxStrikes;
  }

  /** Notes a falsehood about a live job; beyond `maxStrikes` of a worker they add nothing. */
  suspect(job: Job, suspicion: Suspicion, nowMs: Millis): void {
    const doubt = this.#byJob.get(job) ?? { sinceMs: nowMs, suspicions: [] };
    this.#byJob.set(job, doubt);
    if (this.#count(doubt, suspicion.worker) < this.#limits.maxStrikes) {
      doubt.suspicions.push(suspicion);
    }
    this.convict(job);
  }

  /** More of the job is done: those who failed where nothing is left to do are at fault. */
  convict(job: Job): void {
    const doubt = this.#byJob.get(job);
    if (doubt === undefined) return;
    for (const suspicion of doubt.suspicions) {
      if (!suspicion.isOpen()) this.strike(suspicion.worker, suspicion.reason);
    }
    this.#keep(job, doubt, (suspicion) => suspicion.isOpen());
  }

  /** The falsehood was the worker's fault. */
  strike(worker: Worker<Task>, reason: string): void {
    this.strikes.push({ worker, reason, count: ++worker.strikes });
  }

  forget(job: Job): void {
    this.#byJob.delete(job);
  }

  leave(worker: Worker<Task>): void {
    for (const [job, doubt] of this.#byJob) this.#keep(job, doubt, (of) => of.worker !== worker);
  }

  /** The jobs in doubt for `doubtMs` that nobody in `roster` could take any more, and why. */
  hopeless(roster: Roster<Task>, nowMs: Millis): [Job, string][] {
    const found: [Job, string][] = [];
    for (const [job, { sinceMs, suspicions }] of this.#byJob) {
      if (nowMs - sinceMs < this.#limits.doubtMs) continue;
      const barred = this.barred(job);
      const others = roster.steerable > 0;
      const isLeft = (worker: Worker<Task>): boolean =>
        !barred.has(worker) &&
        worker.standing !== "suspect" &&
        (worker.steerable || job.fitsBlind(others));
      if (barred.size === 0 || roster.workers.values().some(isLeft)) continue;
      const reasons = [...new Set(suspicions.map(({ reason }) => reason))].join(", ");
      const who = readablePlural(barred.size, "miner");
      const text = `${who} failed it and none is left to try (${reasons}): `;
      found.push([job, `${text}the job or the server may be at fault, not the miners`]);
    }
    return found;
  }

  #count(doubt: Doubt, worker: Worker<Task>): number {
    return doubt.suspicions.reduce((count, of) => count + (of.worker === worker ? 1 : 0), 0);
  }

  #keep(job: Job, doubt: Doubt, keep: (suspicion: Suspicion) => boolean): void {
    doubt.suspicions = doubt.suspicions.filter(keep);
    if (doubt.suspicions.length === 0) this.#byJob.delete(job);
  }
}
