/**
 * Who is in the fleet: workers, the tasks they were sent, their measured rates and their clocks.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { FleetLimits } from "./limits.ts";
import { RateEstimator } from "./rate.ts";

/** A task as the roster sees it: from the order to the one message that ends it. */
export interface HeldTask {
  /** The number on the wire, unique on the connection. */
  readonly id: number;
  /** Units as ordered. */
  readonly units: bigint;
  /** Units that are this task's alone and not reported done. */
  readonly held: bigint;
  /** The worker was told to drop it. */
  readonly stopping: boolean;
}

/** What is known of a worker when it joins. */
export interface WorkerOptions {
  readonly connId: number;
  /** It can be told to shrink or stop a task, reports progress, and keeps a queue. */
  readonly steerable: boolean;
  readonly threads: number;
  readonly label: string;
  /** For people: what its owner calls it; may be empty. */
  readonly name: string;
  /** Units a second that it declares, 0 for unknown. */
  readonly rate: number;
}

/** One connected worker. */
export class Worker<T extends HeldTask> {
  readonly connId: number;
  readonly steerable: boolean;
  threads: number;
  /** For people: what it works with. */
  label: string;
  readonly name: string;
  /** Unanswered tasks in the order in which they were assigned. */
  readonly tasks: T[] = [];
  rate: RateEstimator;
  /** Up to when its work is measured. */
  markMs: Millis;
  /** When it last showed progress, or its work began. */
  advancedMs: Millis;
  reportedMs: Millis;
  /** Smoothed time between its reports. */
  reportGapMs = 0;
  /** It stalled: no new work until everything it was sent is answered. */
  probation = false;
  /** Others took work over from it: nothing more is queued until it is through with the rest. */
  relieved = false;
  strikes = 0;
  #nextTask = 1;

  constructor(options: WorkerOptions, nowMs: Millis) {
    this.connId = options.connId;
    this.steerable = options.steerable;
    this.threads = options.threads;
    this.label = options.label;
    this.name = options.name;
    this.rate = new RateEstimator(options.rate);
    this.markMs = nowMs;
    this.advancedMs = nowMs;
    this.reportedMs = nowMs;
  }

  /** Tasks it may have, running and queued: one that cannot be steered has no queue. */
  get slots(): number {
    return this.steerable ? 2 : 1;
  }

  /** Tasks that occupy a slot: those not being stopped. */
  get occupied(): number {
    if (!this.steerable) return this.tasks.length;
    let live = 0;
    for (const task of this.tasks) if (!task.stopping) live++;
    return live;
  }

  takeTaskNumber(): number {
    return this.#nextTask++;
  }

  task(id: number): T | undefined {
    return this.tasks.find((task) => task.id === id);
  }

  /** Notes a report: measures the work, restarts the stall clock if there was any. */
  heard(advance: bigint, now: Millis): void {
    this.rate.sample(advance, now - this.markMs);
    this.markMs = now;
    const gap = now - this.reportedMs;
    this.reportedMs = now;
    this.reportGapMs += (gap - this.reportGapMs) / 4;
    if (advance > 0n) this.advancedMs = now;
  }

  /** Time without progress after which its work is taken away. */
  stallAfterMs(limits: FleetLimits): Millis {
    if (!this.steerable) {
      const expectedMs = (Number(this.tasks[0]?.units ?? 0n) / this.speed(limits)) * 1000;
      return limits.blindStallTasks * Math.max(expectedMs, limits.taskSeconds * 1000);
    }
    const gap = Math.min(this.reportGapMs, limits.maxReportMs);
    return Math.max(limits.stallMs, limits.stallReports * gap);
  }

  /** Units a second for planning: measured, declared, or assumed; at least 1. */
  speed(limits: FleetLimits): number {
    return Math.max(1, this.rate.value ?? limits.assumedRate);
  }

  /** Units that it holds and has, by its rate, not done yet. */
  remaining(now: Millis, limits: FleetLimits): number {
    let sum = 0;
    for (const task of this.tasks) if (!task.stopping) sum += Number(task.held);
    const unreported = Math.min(now - this.markMs, limits.unreportedMs);
    return Math.max(0, sum - (this.speed(limits) * unreported) / 1000);
  }
}

/** All workers, with those that could take more work kept at hand. */
export class Roster<T extends HeldTask> {
  readonly workers: Map<number, Worker<T>> = new Map();
  /** Workers with nothing to do, longest first. */
  readonly idle: Set<Worker<T>> = new Set();
  /** Workers at work whose queue is empty. */
  readonly thirsty: Set<Worker<T>> = new Set();
  readonly #limits: FleetLimits;
  /** Workers that owe an answer and are expected to give it. */
  readonly #owing = new Set<Worker<T>>();
  readonly #rates = new Map<Worker<T>, number>();
  #fleetRate = 0;
  #steerable = 0;

  constructor(limits: FleetLimits) {
    this.#limits = limits;
  }

  /** Units a second of all workers together, as measured or declared. */
  get fleetRate(): number {
    return Math.max(0, this.#fleetRate);
  }

  /** Whether any worker, not on probation, owes an answer to a task. */
  get isOwed(): boolean {
    return this.#owing.size > 0;
  }

  /** How many workers can be steered. */
  get steerable(): number {
    return this.#steerable;
  }

  add(worker: Worker<T>): void {
    this.workers.set(worker.connId, worker);
    if (worker.steerable) this.#steerable++;
    this.refresh(worker);
  }

  remove(worker: Worker<T>): void {
    this.workers.delete(worker.connId);
    if (worker.steerable) this.#steerable--;
    this.idle.delete(worker);
    this.thirsty.delete(worker);
    this.#owing.delete(worker);
    this.#fleetRate -= this.#rates.get(worker) ?? 0;
    this.#rates.delete(worker);
    if (this.workers.size === 0) this.#fleetRate = 0;
  }

  /** Sorts `worker` anew after its tasks, its rate or its standing changed. */
  refresh(worker: Worker<T>): void {
    const rate = worker.probation ? 0 : (worker.rate.value ?? 0);
    this.#fleetRate += rate - (this.#rates.get(worker) ?? 0);
    this.#rates.set(worker, rate);
    place(this.#owing, worker, worker.tasks.length > 0 && !worker.probation);
    const occupied = worker.occupied;
    if (occupied === 0) worker.relieved = false;
    const willing = !worker.probation && worker.tasks.length < this.#limits.maxOutstandingTasks;
    place(this.idle, worker, willing && occupied === 0);
    const hasRoom = occupied > 0 && occupied < worker.slots && !worker.relieved;
    place(this.thirsty, worker, willing && hasRoom);
  }
}

function place<T>(set: Set<T>, item: T, belongs: boolean): void {
  if (belongs) set.add(item);
  else set.delete(item);
}
