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
  /** It is done whole, or not at all: no part of it can ever be taken away. */
  readonly isWhole: boolean;
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

/**
 * What a worker has shown of itself. One that is new was not seen to work yet: it gets a probe, and
 * what it declares counts for little. A suspect stopped showing progress: others do its work, and
 * do that of the probes that it gets as well, so that nobody waits for it. Progress proves both.
 */
export type Standing = "new" | "proven" | "suspect";

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
  rate: RateEstimator = new RateEstimator();
  /** What it says of its rate, 0 for nothing. */
  declared: number;
  standing: Standing = "new";
  /** When it last came under suspicion. */
  suspectedMs: Millis = -Infinity;
  /** How often it stalled, less what is forgiven. */
  stalls = 0;
  /** From when on its work counts toward forgiveness. */
  forgivenMs: Millis = 0;
  /** How long it had work, in milliseconds, and proved nothing, since it came under suspicion. */
  trialMs: Millis = 0;
  /** Up to when its work is measured. */
  markMs: Millis;
  /** When it last showed progress, or its work began. */
  advancedMs: Millis;
  /** It stalled: no new work until everything it was sent is answered. */
  probation = false;
  /** Others took work over from it: nothing more is queued until it is through with the rest. */
  relieved = false;
  strikes = 0;
  /** It has said what it brings back of an earlier connection: that can be said once. */
  hasResumed = false;
  /** Whole tasks that it does at the same time; parts of searches it does one after the other. */
  capacity = 1;
  #nextTask = 1;

  constructor(options: WorkerOptions, nowMs: Millis) {
    this.connId = options.connId;
    this.steerable = options.steerable;
    this.threads = options.threads;
    this.label = options.label;
    this.name = options.name;
    this.declared = options.rate;
    this.markMs = nowMs;
    this.advancedMs = nowMs;
  }

  /** Tasks it may have, running and queued: one not proved or not steerable has no queue. */
  get slots(): number {
    return this.steerable && this.standing === "proven" ? this.capacity + 1 : 1;
  }

  /** How many of its live tasks are whole, or are not. */
  count(isWhole: boolean): number {
    let count = 0;
    for (const task of this.tasks) if (!task.stopping && task.isWhole === isWhole) count++;
    return count;
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

  /**
   * Notes a report: measures the work, restarts the stall clock if there was any. What is done
   * whole is priced by the time that it takes, and measures nothing.
   */
  heard(advance: bigint, nowMs: Millis, isWhole = false): void {
    if (!isWhole) this.rate.sample(advance, nowMs - this.markMs);
    if (!isWhole || this.count(false) === 0) this.markMs = nowMs;
    if (advance > 0n) this.advancedMs = nowMs;
  }

  /** Takes as its rate, until that is measured, what it declares, as far as that is believed. */
  believe(limits: FleetLimits): void {
    const { assumedRate, declaredFactor } = limits;
    const shown = declaredFactor * (this.rate.measured ?? 0);
    const most = this.standing === "proven" ? Math.max(assumedRate, shown) : assumedRate;
    this.rate.declare(Math.min(this.declared, most));
  }

  /** It was seen to work. */
  prove(nowMs: Millis, limits: FleetLimits): void {
    this.standing = "proven";
    this.trialMs = 0;
    this.forgivenMs = nowMs;
    this.believe(limits);
  }

  /** It shows no progress although it should. */
  suspect(nowMs: Millis): void {
    this.standing = "suspect";
    this.suspectedMs = nowMs;
  }

  /** It stalled: what it declared and what was measured are of the past. */
  stall(nowMs: Millis): void {
    this.suspect(nowMs);
    this.stalls++;
    this.probation = true;
    this.declared = 0;
    this.rate = new RateEstimator();
  }

  /** Forgives a stall for each `forgiveMs` of work. */
  forgive(nowMs: Millis, limits: FleetLimits): void {
    if (this.stalls === 0 || nowMs - this.forgivenMs < limits.forgiveMs) return;
    this.stalls--;
    this.forgivenMs = nowMs;
  }

  /**
   * Time without progress after which its work is taken away. Nothing that the worker does makes it
   * longer; that it stalled before makes it shorter.
   */
  stallAfterMs(limits: FleetLimits): Millis {
    const { stallMs, blindStallTasks, taskSeconds } = limits;
    const patienceMs = this.steerable ? stallMs : blindStallTasks * taskSeconds * 1000;
    return this.stalls === 0 ? patienceMs : patienceMs / (this.stalls === 1 ? 2 : 4);
  }

  /** Units a second for planning: measured, declared, or assumed; at least 1. */
  speed(limits: FleetLimits): number {
    return Math.max(1, this.rate.value ?? limits.assumedRate);
  }

  /** Units that it holds and has, by its rate, not done yet. */
  remaining(nowMs: Millis, limits: FleetLimits): number {
    let sum = 0;
    for (const task of this.tasks) if (!task.stopping) sum += Number(task.held);
    const unreported = Math.min(nowMs - this.markMs, limits.unreportedMs);
    return Math.max(0, sum - (this.speed(limits) * unreported) / 1000);
  }
}

/** All workers, with those that could take more work kept at hand. */
export class Roster<T extends HeldTask> {
  readonly workers: Map<number, Worker<T>> = new Map();
  /** Proven workers with nothing to do, longest first: those that can be steered. */
  readonly idle: Set<Worker<T>> = new Set();
  /** Likewise, those that cannot be steered. */
  readonly idleBlind: Set<Worker<T>> = new Set();
  /** Workers with nothing to do that are new or suspect, likewise. */
  readonly unproven: Set<Worker<T>> = new Set();
  readonly unprovenBlind: Set<Worker<T>> = new Set();
  /** Workers at work whose queue is empty. */
  readonly thirsty: Set<Worker<T>> = new Set();
  readonly #limits: FleetLimits;
  /** Workers that owe an answer and are expected to give it. */
  readonly #owing = new Set<Worker<T>>();
  readonly #proven = new RateSum<T>();
  readonly #provenBlind = new RateSum<T>();
  readonly #others = new RateSum<T>();
  #steerable = 0;

  constructor(limits: FleetLimits) {
    this.#limits = limits;
  }

  /** Units a second of all proven workers together; before there are any, of the others. */
  get fleetRate(): number {
    return this.#proven.size > 0 ? this.#proven.total : this.#others.total;
  }

  /** The part of it that is of workers that cannot be steered; 0 before any is proven. */
  get blindRate(): number {
    return this.#provenBlind.total;
  }

  /** Whether any worker was seen to work. */
  get hasProven(): boolean {
    return this.#proven.size > 0;
  }

  /** How many have nothing to do. */
  get idleCount(): number {
    const { idle, idleBlind, unproven, unprovenBlind } = this;
    return idle.size + idleBlind.size + unproven.size + unprovenBlind.size;
  }

  /** Whether a worker is idle that can take over the work of others. */
  get hasHelper(): boolean {
    return this.hasProven ? this.idle.size + this.idleBlind.size > 0 : this.idleCount > 0;
  }

  /** Whether a worker that can be steered has nothing to do, whatever it has shown so far. */
  get hasIdle(): boolean {
    return this.idle.size + this.unproven.size > 0;
  }

  /** Those who can take over the work of others: the proven, and of the new ones the first. */
  *helpers(): Iterable<Worker<T>> {
    yield* this.idle;
    yield* this.idleBlind;
    for (const workers of [this.unproven, this.unprovenBlind]) {
      for (const worker of workers) {
        if (worker.standing !== "new") continue;
        yield worker;
        if (this.hasProven) return;
      }
    }
  }

  /** Whether any worker owes an answer to a task. */
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
    worker.believe(this.#limits);
    this.refresh(worker);
  }

  remove(worker: Worker<T>): void {
    this.workers.delete(worker.connId);
    if (worker.steerable) this.#steerable--;
    for (const set of [this.thirsty, this.#owing, ...this.#idleSets()]) set.delete(worker);
    for (const sum of [this.#proven, this.#provenBlind, this.#others]) sum.delete(worker);
  }

  /** Sorts `worker` anew after its tasks, its rate or its standing changed. */
  refresh(worker: Worker<T>): void {
    const isProven = worker.standing === "proven";
    (isProven ? this.#others : this.#proven).delete(worker);
    const counts = worker.standing === "suspect" ? 0 : (worker.rate.value ?? 0);
    (isProven ? this.#proven : this.#others).set(worker, counts);
    if (isProven && !worker.steerable) this.#provenBlind.set(worker, counts);
    else this.#provenBlind.delete(worker);
    place(this.#owing, worker, worker.tasks.length > 0);
    const occupied = worker.occupied;
    if (occupied === 0) worker.relieved = false;
    const willing = !worker.probation && worker.tasks.length < this.#limits.maxOutstandingTasks;
    const isIdle = willing && occupied === 0;
    const { steerable } = worker;
    place(steerable ? this.idle : this.idleBlind, worker, isIdle && isProven);
    place(steerable ? this.unproven : this.unprovenBlind, worker, isIdle && !isProven);
    const hasRoom = occupied > 0 && occupied < worker.slots && !worker.relieved;
    place(this.thirsty, worker, willing && hasRoom);
  }

  #idleSets(): Set<Worker<T>>[] {
    return [this.idle, this.idleBlind, this.unproven, this.unprovenBlind];
  }
}

/** The rates of some workers, and their sum. */
class RateSum<T extends HeldTask> {
  readonly #rates = new Map<Worker<T>, number>();
  #total = 0;

  get size(): number {
    return this.#rates.size;
  }

  get total(): number {
    return Math.max(0, this.#total);
  }

  set(worker: Worker<T>, rate: number): void {
    this.#total += rate - (this.#rates.get(worker) ?? 0);
    this.#rates.set(worker, rate);
  }

  delete(worker: Worker<T>): void {
    if (this.#rates.size === 0) return;
    this.#total -= this.#rates.get(worker) ?? 0;
    this.#rates.delete(worker);
    // What rounding left over.
    if (this.#rates.size === 0) this.#total = 0;
  }
}

function place<T>(set: Set<T>, item: T, belongs: boolean): void {
  if (belongs) set.add(item);
  else if (set.size > 0) set.delete(item);
}
