/**
 * The fleet at work: hands out tasks of jobs to workers, and takes back what they lost. Knows
 * neither wires nor clients, nor what a task is about; those who read the workers' reports tell it
 * what became of their tasks.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Doubts, type Suspicion } from "./doubts.ts";
import type { FleetLimits } from "./limits.ts";
import { Roster, type Worker } from "./roster.ts";
import { Scheduler } from "./scheduler.ts";
import { relieveStragglers, trimOversized, watchConfirmations } from "./stragglers.ts";
import type { Job, Task } from "./task.ts";

/** What the fleet needs done by its owner. */
export interface FleetPort {
  /** Tell the worker to begin the task. */
  assign(task: Task): void;
  /** Ask for the task to end as its `cutTo` said. */
  shrink(task: Task): void;
  stop(task: Task): void;
  /** All is done. The job is forgotten already. */
  done(job: Job): void;
  /** No worker is left that could do the job: refuse and drop it. */
  hopeless(job: Job, reason: string): void;
  /** The worker stalled, or works again: its standing tells. */
  stalled(worker: Worker<Task>): void;
  /** The worker shows nothing for too long: it is to leave. */
  letGo(worker: Worker<Task>, reason: string): void;
}

/** A tick that comes later than so many was slept through, and counts against no worker. */
const SLEPT_TICKS = 2;

export class Fleet {
  readonly limits: FleetLimits;
  readonly roster: Roster<Task>;
  readonly scheduler: Scheduler<Job>;
  readonly doubts: Doubts;
  readonly jobs: Set<Job> = new Set();
  /** When stragglers were last looked for. */
  relievedMs: Millis = -Infinity;
  readonly #port: FleetPort;
  readonly #dispatcher: Dispatcher;
  #nextSeq = 1;
  #tickedMs: Millis | undefined;

  constructor(limits: FleetLimits, port: FleetPort) {
    this.limits = limits;
    this.#port = port;
    this.roster = new Roster(limits);
    this.scheduler = new Scheduler(limits);
    this.doubts = new Doubts(limits);
    const assign = (task: Task): void => {
      port.assign(task);
      // Nobody waits for a suspect.
      if (task.worker.standing === "suspect") this.race(task);
    };
    const { roster, scheduler, doubts } = this;
    this.#dispatcher = new Dispatcher(limits, roster, scheduler, doubts, assign);
  }

  // ---- jobs

  /** The place in the order of arrival for the next job. */
  takeSeq(): number {
    return this.#nextSeq++;
  }

  /** Takes a job in and puts the fleet to work on it. It must have pending work. */
  addJob(job: Job, nowMs: Millis): void {
    this.jobs.add(job);
    this.scheduler.update(job);
    this.#dispatcher.feed(nowMs);
    for (const task of this.#dispatcher.revocable(job)) {
      if (!job.hasPending) break;
      this.stop(task, nowMs);
      this.#dispatcher.assign(task.worker, nowMs);
    }
  }

  /** Forgets a job; its workers are told to stop and get other work at once. */
  dropJob(job: Job, nowMs: Millis): void {
    this.dropJobs([job], nowMs);
  }

  /** Forgets all of them at once, so that no worker gets work of one that is about to go. */
  dropJobs(jobs: readonly Job[], nowMs: Millis): void {
    for (const job of jobs) this.#forget(job, nowMs);
    this.#dispatcher.feed(nowMs);
  }

  // ---- workers

  join(worker: Worker<Task>, nowMs: Millis): void {
    this.roster.add(worker);
    this.#dispatcher.feed(nowMs);
  }

  /** The worker is gone: what its tasks hold goes to others. */
  leave(worker: Worker<Task>, nowMs: Millis): void {
    worker.probation = false;
    for (let task = worker.tasks[0]; task !== undefined; task = worker.tasks[0]) {
      this.release(task);
      this.end(task, nowMs);
    }
    this.roster.remove(worker);
    this.doubts.leave(worker);
    this.#dispatcher.feed(nowMs);
  }

  /** The worker came back with a task in hand, and goes on with it. */
  adopt(task: Task, nowMs: Millis): void {
    const { worker, job } = task;
    if (worker.tasks.length === 0) worker.advancedMs = nowMs;
    if (worker.occupied === 0) worker.markMs = nowMs;
    worker.tasks.push(task);
    job?.tasks.add(task);
    if (job !== undefined) this.scheduler.update(job);
    this.roster.refresh(worker);
  }

  // ---- what became of tasks

  /** The worker reported that `units` more of `task` are done (0: nothing new). */
  heard(task: Task, units: bigint, nowMs: Millis): void {
    const { worker } = task;
    worker.heard(units, nowMs, task.isWhole);
    // What it gives back at last may have been done long before it came under suspicion.
    const isNew = !task.stopping || task.assignedMs > worker.suspectedMs;
    if (units > 0n && isNew && !worker.probation) {
      if (worker.standing !== "proven") this.#prove(worker, nowMs);
      worker.forgive(nowMs, this.limits);
    }
    this.roster.refresh(worker);
  }

  /** The task's worker is at work on it, although it reports nothing done. */
  alive(task: Task, nowMs: Millis): void {
    task.worker.advancedMs = nowMs;
  }

  /** A shrink was confirmed, or a task otherwise holds less: `job` has more pending. */
  update(job: Job): void {
    this.scheduler.update(job);
  }

  /** What the task holds is pending again. */
  release(task: Task): void {
    const { job } = task;
    if (job === undefined || task.held <= 0n) return;
    task.release();
    this.scheduler.update(job);
  }

  /** The task's last word was spoken: it occupies its worker no longer. */
  end(task: Task, nowMs: Millis): void {
    const { worker, job } = task;
    worker.tasks.splice(worker.tasks.indexOf(task), 1);
    job?.tasks.delete(task);
    job?.raced.delete(task);
    job?.probes.delete(task);
    task.job = undefined;
    worker.advancedMs = nowMs;
    // It gets probes again, but is no less a suspect: it may answer and not work.
    if (worker.tasks.length === 0) worker.probation = false;
    this.roster.refresh(worker);
  }

  /**
   * The worker told a falsehood about `job` (about one that is over: undefined). One that failed a
   * job too often gives back what it has of it.
   */
  blame(job: Job | undefined, suspicion: Suspicion, nowMs: Millis): void {
    const { worker, reason } = suspicion;
    if (job === undefined) return this.doubts.strike(worker, reason);
    this.doubts.suspect(job, suspicion, nowMs);
    if (!this.doubts.bars(job, worker)) return;
    for (const task of worker.tasks) {
      if (task.job !== job) continue;
      this.release(task);
      this.stop(task, nowMs);
    }
  }

  /** To be called when a report of `worker` on a task of `job` is booked: goes on from there. */
  settle(worker: Worker<Task>, job: Job | undefined, nowMs: Millis): void {
    if (job !== undefined) this.doubts.convict(job);
    if (job !== undefined && this.jobs.has(job) && job.isDone) {
      this.#forget(job, nowMs);
      this.#port.done(job);
    }
    this.#dispatcher.feed(nowMs);
    if (worker.occupied === 0) relieveStragglers(this, nowMs);
  }

  /** More or less of the job is pending, or it is done, for a reason that is no worker's report. */
  review(job: Job, nowMs: Millis): void {
    if (!this.jobs.has(job)) return;
    if (job.isDone) {
      this.#forget(job, nowMs);
      this.#port.done(job);
    } else this.scheduler.update(job);
    this.#dispatcher.feed(nowMs);
  }

  /** Asks for the task to end when `units` (1 or more) of what is left are done. */
  shrink(task: Task, units: bigint, nowMs: Millis): void {
    task.cutTo(units);
    task.shrinks++;
    task.confirmByMs = nowMs + this.limits.confirmMs;
    this.#port.shrink(task);
  }

  /** Tells the worker to drop the task; one that cannot be steered goes on. */
  stop(task: Task, nowMs: Millis): void {
    if (task.stopping || !task.worker.steerable) return;
    task.stopping = true;
    task.confirmByMs = nowMs + this.limits.confirmMs;
    this.scheduler.refund(task.isUntouched ? task.charge : 0);
    this.#port.stop(task);
    this.roster.refresh(task.worker);
  }

  /** Lets others do what this task holds although its worker may do so too. */
  race(task: Task): void {
    const { job } = task;
    if (job === undefined) return;
    this.release(task);
    job.raced.add(task);
  }

  /** Has others do the task of a worker that is late; it gets no more until it shows progress. */
  doubt(task: Task, nowMs: Millis): void {
    const { worker } = task;
    worker.relieved = true;
    if (worker.standing !== "suspect") worker.suspect(nowMs);
    this.roster.refresh(worker);
    this.race(task);
  }

  /** Stops those tasks, except perhaps one, in which nothing is left to find out. */
  spare(tasks: Iterable<Task>, except: Task | undefined, nowMs: Millis): void {
    for (const task of tasks) if (task !== except && task.isNeedless) this.stop(task, nowMs);
  }

  // ---- time

  /** To be called every `tickMs` while anything is under way. */
  tick(nowMs: Millis): void {
    const sinceMs = nowMs - (this.#tickedMs ?? nowMs);
    // It was this machine that slept: the workers' reports of that time are yet to be read.
    const sleptMs = Math.max(0, sinceMs - SLEPT_TICKS * this.limits.tickMs);
    this.#tickedMs = nowMs;
    for (const worker of this.roster.workers.values()) {
      if (worker.tasks.length === 0) continue;
      if (worker.standing === "suspect") this.#try(worker, Math.min(sinceMs, this.limits.tickMs));
      if (worker.probation) continue;
      if (sleptMs > 0) worker.advancedMs = Math.min(nowMs, worker.advancedMs + sleptMs);
      const patienceMs = worker.tasks[0]?.patienceMs ?? worker.stallAfterMs(this.limits);
      if (nowMs - worker.advancedMs >= patienceMs) this.#stall(worker, nowMs);
      else if (worker.steerable) trimOversized(this, worker, nowMs);
    }
    watchConfirmations(this, nowMs);
    for (const [job, why] of this.doubts.hopeless(this.roster, nowMs))
      this.#port.hopeless(job, why);
    this.#dispatcher.feed(nowMs);
    relieveStragglers(this, nowMs);
  }

  // ---- inside

  #forget(job: Job, nowMs: Millis): void {
    this.jobs.delete(job);
    this.scheduler.remove(job);
    this.doubts.forget(job);
    for (const task of job.tasks) {
      task.abandon();
      task.job = undefined;
      this.stop(task, nowMs);
    }
    job.tasks.clear();
    job.raced.clear();
    job.probes.clear();
  }

  #prove(worker: Worker<Task>, nowMs: Millis): void {
    const worksAgain = worker.stalls > 0;
    worker.prove(nowMs, this.limits);
    if (worksAgain) this.#port.stalled(worker);
  }

  /** A suspect had work for `sinceMs` and showed nothing. */
  #try(worker: Worker<Task>, sinceMs: Millis): void {
    const { probationMs } = this.limits;
    worker.trialMs += sinceMs;
    if (worker.trialMs < probationMs) return;
    this.#port.letGo(worker, `it has shown no work for ${probationMs / 1000} s`);
  }

  /** The worker stalled: others get its work, and it none until it answers for all. */
  #stall(worker: Worker<Task>, nowMs: Millis): void {
    worker.stall(nowMs);
    for (const task of worker.tasks) {
      this.release(task);
      this.stop(task, nowMs);
    }
    this.roster.refresh(worker);
    this.#port.stalled(worker);
  }
}
