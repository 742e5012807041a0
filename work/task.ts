/**
 * The unit of work, and what units belong together. A kind of work is a strategy: a {@link Job}
 * that knows what is still to be done and cuts tasks from it, and a {@link Task} that knows how far
 * one worker is with its part. Everything else about sharing a fleet (whose turn it is, how much,
 * what becomes of the slow and the lost) is the same for all kinds.
 *
 * The life of a unit: pending in its job -> held by a task -> done, when the worker reports it; or
 * released to pending again, when the worker is lost, stalls, or gives it back.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { HeldTask, Worker } from "./roster.ts";
import type { Account, ScheduledJob } from "./scheduler.ts";

/** What a task is made of. */
export interface TaskOptions<J extends Job> {
  readonly worker: Worker<Task>;
  readonly job: J;
  readonly units: bigint;
  /** See {@link Task.charge}. */
  readonly charge: number;
  readonly nowMs: Millis;
}

/** What one worker was told to do, from the order to the one message that ends it. */
export abstract class Task implements HeldTask {
  readonly id: number;
  readonly worker: Worker<Task>;
  /** Undefined once the job ended or was dropped: the task only occupies its worker. */
  job: Job | undefined;
  readonly units: bigint;
  readonly assignedMs: Millis;
  /** The worker was told to drop it. */
  stopping = false;
  /** Orders to shrink that are not confirmed yet. */
  shrinks = 0;
  /** When the stop or shrink under way should have been confirmed. */
  confirmByMs: Millis = 0;
  /** What handing it out moved the scheduler's credit by. */
  readonly charge: number;

  constructor({ worker, job, units, charge, nowMs }: TaskOptions<Job>) {
    this.id = worker.takeTaskNumber();
    this.worker = worker;
    this.job = job;
    this.units = units;
    this.charge = charge;
    this.assignedMs = nowMs;
  }

  abstract get held(): bigint;
  /** Units that the worker will do, and has not reported yet, whether others do them too or not. */
  abstract get left(): bigint;
  /** Nothing of it is reported yet. */
  abstract get isUntouched(): boolean;
  /** A part of what it holds can be taken away. */
  abstract get isDivisible(): boolean;
  /** It is done whole, or not at all: no part of it can ever be taken away. */
  get isWhole(): boolean {
    return false;
  }
  /** How long its worker may be silent, in milliseconds; as long as the fleet says if undefined. */
  get patienceMs(): Millis | undefined {
    return undefined;
  }
  /** From when on idle workers may do it as well; undefined: as soon as its worker is late. */
  get backupAtMs(): Millis | undefined {
    return undefined;
  }
  /** What is left of it is known from elsewhere. */
  abstract get isNeedless(): boolean;
  /** Gives what it holds back to its job; it holds nothing then. */
  abstract release(): void;
  /** The job is over: it holds nothing any more, and nothing goes back. */
  abstract abandon(): void;
  /** The next order to shrink leaves it `units` (1 or more) of what is left. */
  abstract cutTo(units: bigint): void;
}

/** Work that belongs together and ends with one answer. */
export abstract class Job implements ScheduledJob {
  readonly account: Account;
  readonly seq: number;
  readonly arrivedMs: Millis;
  /** The unanswered tasks that work on this job. */
  readonly tasks: Set<Task> = new Set();
  /** Those of them whose units were given to others as well. */
  readonly raced: Set<Task> = new Set();
  /** Those of workers that were new when they got them. */
  readonly probes: Set<Task> = new Set();

  constructor(account: Account, seq: number, nowMs: Millis) {
    this.account = account;
    this.seq = seq;
    this.arrivedMs = nowMs;
  }

  abstract get remaining(): bigint;
  abstract get hasPending(): boolean;
  /** Units that wait for a worker. */
  abstract get pendingUnits(): bigint;
  abstract get isDone(): boolean;
  abstract fitsBlind(others: boolean): boolean;
  /** Whether the worker may have what is pending; of what is no whole task, two at a time. */
  suits(worker: Worker<Task>): boolean {
    return worker.capacity === 1 || worker.count(false) < 2;
  }
  /**
   * Units of the next task of a worker that it `suits` if `most` (1 or more) are asked for; 1 or
   * more while any is pending.
   */
  abstract nextUnits(most: bigint, worker: Worker<Task>): bigint;
  /** Takes the next task of `options.units`, as told by `nextUnits`, out of what is pending. */
  abstract take(options: Omit<TaskOptions<Job>, "job">): Task;
}
