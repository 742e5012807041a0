/**
 * Gives workers work: brings together the scheduler's choice of a job, the size that suits the
 * worker, and the next task of the job.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import type { Doubts } from "./doubts.ts";
import type { FleetLimits } from "./limits.ts";
import type { Roster, Worker } from "./roster.ts";
import { precedes, type Scheduler } from "./scheduler.ts";
import { fullTask, taskUnits } from "./sizing.ts";
import type { Job, Task } from "./task.ts";

export class Dispatcher {
  readonly #limits: FleetLimits;
  readonly #roster: Roster<Task>;
  readonly #scheduler: Scheduler<Job>;
  readonly #doubts: Doubts;
  /** Tells the worker to begin. */
  readonly #assign: (task: Task) => void;

  constructor(
    limits: FleetLimits,
    roster: Roster<Task>,
    scheduler: Scheduler<Job>,
    doubts: Doubts,
    assign: (task: Task) => void,
  ) {
    this.#limits = limits;
    this.#roster = roster;
    this.#scheduler = scheduler;
    this.#doubts = doubts;
    this.#assign = assign;
  }

  /**
   * Gives work to workers that can take some: first to the idle, then into the empty queues of the
   * proven, and what is left to those that proved nothing yet.
   */
  feed(nowMs: Millis): void {
    const { idle, thirsty, unproven, idleBlind, unprovenBlind, steerable } = this.#roster;
    const hasBlindWork = (): boolean => this.#scheduler.hasBlindWork(steerable > 0);
    this.#feedAll(idle, nowMs);
    if (idleBlind.size > 0 && hasBlindWork()) this.#feedAll(idleBlind, nowMs);
    // One that does several at a time gets one after the other, in turn with its like.
    while (this.#feedAll(thirsty, nowMs));
    this.#feedAll(unproven, nowMs);
    if (unprovenBlind.size > 0 && hasBlindWork()) this.#feedAll(unprovenBlind, nowMs);
  }

  /**
   * Queued tasks whose place `job`, just arrived, should have: those of jobs that are less urgent,
   * unless they stand there on the oldest's share; the soonest to run first. None if `job` is not
   * the most urgent.
   */
  revocable(job: Job): Task[] {
    if (this.#scheduler.shortest !== job) return [];
    const found: { task: Task; startsIn: number }[] = [];
    for (const worker of this.#roster.workers.values()) {
      // One place must be left for the task that comes instead.
      if (worker.probation || worker.tasks.length >= this.#limits.maxOutstandingTasks) continue;
      const live = worker.tasks.filter((task) => !task.stopping);
      const task = live[1];
      if (task?.job === undefined || task.charge < 0 || !precedes(job, task.job)) continue;
      // A whole task may run beside the first: what it has done would be lost.
      if (task.isWhole && !task.isUntouched) continue;
      found.push({ task, startsIn: Number(live[0]!.left) / worker.speed(this.#limits) });
    }
    found.sort((a, b) => a.startsIn - b.startsIn);
    return found.map(({ task }) => task);
  }

  /** Gives `worker` its next task; false if there is no work for it. */
  assign(worker: Worker<Task>, nowMs: Millis): boolean {
    const rate = worker.rate.value;
    const fleetRate = Math.max(this.#roster.fleetRate, worker.speed(this.#limits));
    const fullSeconds = fullTask(rate, this.#limits) / fleetRate;
    const isNew = worker.standing === "new";
    const suits = (job: Job): boolean =>
      !this.#doubts.bars(job, worker) && (!isNew || this.#hasRoomForNew(job)) && job.suits(worker);
    const among = worker.steerable ? undefined : this.#roster.steerable > 0;
    const choice = this.#scheduler.choose(fullSeconds, suits, among);
    if (choice === undefined) return false;
    const { job } = choice;
    const paid = choice.maxSeconds * fleetRate;
    const size = taskUnits(rate, fleetRate, job.pendingUnits, paid, this.#limits);
    const isProven = worker.standing === "proven";
    const most = isProven ? size : lesser(size, this.#limits.probeUnits);
    const units = job.nextUnits(most, worker);
    invariant(units > 0n, "a scheduled job has pending work");
    if (worker.tasks.length === 0) worker.advancedMs = nowMs;
    if (worker.occupied === 0) worker.markMs = nowMs;
    const charge = this.#scheduler.charge(choice, Number(units) / fleetRate);
    const task = job.take({ worker, units, charge, nowMs });
    worker.tasks.push(task);
    job.tasks.add(task);
    if (isNew) job.probes.add(task);
    this.#scheduler.update(job);
    this.#roster.refresh(worker);
    this.#assign(task);
    return true;
  }

  /**
   * Gives work to these; those who find none do not make the others wait for ever. Whether one of
   * those who got some could take more.
   */
  #feedAll(workers: Set<Worker<Task>>, nowMs: Millis): boolean {
    const missed: Worker<Task>[] = [];
    let isMoreWanted = false;
    for (const worker of workers) {
      if (!this.#scheduler.hasWork || missed.length >= this.#limits.missesMax) break;
      if (!this.assign(worker, nowMs)) missed.push(worker);
      else if (workers.has(worker)) isMoreWanted = true;
    }
    for (const worker of missed) {
      workers.delete(worker);
      workers.add(worker);
    }
    return isMoreWanted && this.#scheduler.hasWork;
  }

  /**
   * A job that the proven workers would soon have done lends itself to one new worker at a time: if
   * that one shows nothing the job is late once, however many of its kind there are.
   */
  #hasRoomForNew(job: Job): boolean {
    if (!this.#roster.hasProven || job.probes.size === 0) return true;
    return Number(job.pendingUnits) > this.#provenRate(job) * this.#limits.taskSeconds;
  }

  /** Units a second of the proven workers that may have the job. */
  #provenRate(job: Job): number {
    const { fleetRate, blindRate, steerable } = this.#roster;
    const fitsBlind = job.fitsBlind(steerable > 0);
    let rate = fitsBlind ? fleetRate : fleetRate - blindRate;
    for (const worker of this.#doubts.barred(job)) {
      const counts = worker.standing === "proven" && (worker.steerable || fitsBlind);
      if (counts) rate -= worker.rate.value ?? 0;
    }
    return Math.max(0, rate);
  }
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
