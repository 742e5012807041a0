/**
 * Map-reduce as a kind of work: a {@link Plan} whose tasks the fleet shares out. A byte that a task
 * reads costs what its worker would hash meanwhile ({@link Pace}).
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import { idText } from "../work/job_id.ts";
import type { JobTerms } from "../work/mapreduce_messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Account } from "../work/scheduler.ts";
import { Job, Task, type TaskOptions } from "../work/task.ts";
import { BACKUP_MS, ELSEWHERE_MS, SILENT_MS } from "./limits.ts";
import type { Pace } from "./pace.ts";
import { Plan, type PlannedTask } from "./plan.ts";

/** Who asked for a job, and what for. */
export interface JobOrigin {
  /** What people call it, and, as `uid`, what workers know it by. */
  readonly id: number;
  /** The host that asked for it. */
  readonly address: string;
  /** The connection that asked for it first (0: an earlier server's), and its number there. */
  readonly connId: number;
  readonly number: number;
  readonly terms: JobTerms;
  /** What those must know who ask the client directly. */
  readonly key: string;
}

/** See the module. */
export class MapReduceJob extends Job {
  readonly origin: JobOrigin;
  readonly plan: Plan;
  readonly pace: Pace;
  /** Workers that have, or had, something of it. */
  readonly touched: Set<number> = new Set();
  /** Workers that cannot begin before the one is back who has the code. */
  readonly barren: Set<number> = new Set();
  /** The connection that has the splits and the code; 0: none has at present. */
  supplier: number;
  /** Connections that hear of it, and their numbers for it. */
  readonly followers: Map<number, number> = new Map();
  /** Since when nobody does. */
  awayMs: Millis;
  statusMs: Millis;
  /** The time, as the owner's clock had it last. */
  nowMs: Millis;
  /** Until when workers are waited for that an earlier server knew. */
  awaitedUntilMs: Millis = -Infinity;
  /** What it was said to wait for. */
  waits = "";
  /** When tasks failed last. */
  readonly #failedMs = new Map<PlannedTask, Millis>();
  readonly #capable: (job: MapReduceJob) => Iterable<number>;

  /** `capable` gives the workers, by their connections, that could do a task of it. */
  constructor(
    origin: JobOrigin,
    sizes: readonly number[],
    base: {
      readonly account: Account;
      readonly seq: number;
      readonly nowMs: Millis;
      readonly pace: Pace;
    },
    capable: (job: MapReduceJob) => Iterable<number>,
  ) {
    super(base.account, base.seq, base.nowMs);
    this.origin = origin;
    this.pace = base.pace;
    this.plan = new Plan(sizes, origin.terms.reducers);
    this.supplier = origin.connId;
    if (origin.connId !== 0) this.followers.set(origin.connId, origin.number);
    this.awayMs = base.nowMs;
    this.statusMs = base.nowMs;
    this.nowMs = base.nowMs;
    this.#capable = capable;
  }

  get remaining(): bigint {
    return BigInt(Math.ceil(this.#unitsLeft));
  }

  get hasPending(): boolean {
    const { plan } = this;
    if (plan.failure !== undefined || plan.ready.size === 0 || !this.#canBegin) return false;
    for (const _ of this.#capable(this)) return true;
    return false;
  }

  /** Whether what is next can begin: a map needs the one who has the splits. */
  get #canBegin(): boolean {
    return this.supplier !== 0 || this.plan.areMapsDone;
  }

  get pendingUnits(): bigint {
    const { plan } = this;
    const each = this.#unitsLeft / Math.max(1, plan.tasksLeft);
    return BigInt(Math.max(1, Math.round(plan.ready.size * each)));
  }

  /** A task costs one unit at least. */
  get #unitsLeft(): number {
    return this.plan.bytesLeft * this.pace.unitsPerByte + this.plan.tasksLeft;
  }

  get isDone(): boolean {
    return this.plan.isDone;
  }

  fitsBlind(): boolean {
    return false;
  }

  override suits(worker: Worker<Task>): boolean {
    return this.#nextFor(worker) !== undefined;
  }

  nextUnits(_most: bigint, worker: Worker<Task>): bigint {
    const planned = this.#nextFor(worker);
    return planned === undefined ? 0n : this.#unitsOf(planned, worker);
  }

  take(options: Omit<TaskOptions<Job>, "job">): MapReduceTask {
    const { worker } = options;
    const planned = this.#nextFor(worker);
    invariant(planned !== undefined, "a worker takes what suits it");
    this.plan.start(planned, worker.connId);
    this.touched.add(worker.connId);
    const units = this.#unitsOf(planned, worker);
    return new MapReduceTask({ ...options, units, job: this }, planned);
  }

  /** The worker is back, and still does the task. */
  adopt(planned: PlannedTask, worker: Worker<Task>, nowMs: Millis): MapReduceTask {
    this.plan.adopt(planned, worker.connId);
    const units = this.#unitsOf(planned, worker);
    return new MapReduceTask({ worker, units, charge: 0, nowMs, job: this }, planned);
  }

  /** The task failed at a worker. */
  failed(planned: PlannedTask, nowMs: Millis): void {
    this.nowMs = nowMs;
    this.#failedMs.set(planned, nowMs);
  }

  #unitsOf({ bytes }: PlannedTask, worker: Worker<Task>): bigint {
    return BigInt(Math.max(1, Math.ceil(this.pace.unitsAt(worker, bytes))));
  }

  #nextFor(worker: Worker<Task>): PlannedTask | undefined {
    const { connId } = worker;
    if (!this.#canBegin || (this.supplier === 0 && this.barren.has(connId))) return undefined;
    const capable = [...this.#capable(this)];
    if (!capable.includes(connId) || worker.count(true) > worker.capacity) return undefined;
    return this.plan.next(connId, (task) => {
      const isRecent = this.nowMs - (this.#failedMs.get(task) ?? -Infinity) < ELSEWHERE_MS;
      return isRecent && capable.some((id) => !task.failedAt.has(id));
    });
  }
}

/** A map or a reduce that a worker was told to do. */
export class MapReduceTask extends Task {
  readonly planned: PlannedTask;
  /** Units that are reported done. */
  done = 0n;
  /** Who had the job's splits and code when it was handed out. */
  readonly supplier: number;
  /** When the application began to run. */
  startedMs: Millis | undefined;
  #isReleased = false;
  #isOver = false;

  constructor(options: TaskOptions<MapReduceJob>, planned: PlannedTask) {
    super(options);
    this.planned = planned;
    this.supplier = options.job.supplier;
  }

  /** The job that it is a part of, unless that is over. */
  get owner(): MapReduceJob | undefined {
    return this.job as MapReduceJob | undefined;
  }

  get held(): bigint {
    if (this.#isOver) return 0n;
    // What was given to others as well is its alone again when they have failed.
    const isShared = this.#isReleased && this.owner?.plan.isShared(this.planned) === true;
    return isShared ? 0n : this.left;
  }

  /** What it costs to read `bytes` of what it reads. */
  unitsFor(bytes: number): bigint {
    const part = Math.min(1, bytes / Math.max(1, this.planned.bytes));
    return BigInt(Math.floor(part * Number(this.units)));
  }

  /** One unit is left until the result is there. */
  get left(): bigint {
    return this.units - this.done > 0n ? this.units - this.done : 1n;
  }

  get isUntouched(): boolean {
    return this.startedMs === undefined;
  }

  get isDivisible(): boolean {
    return false;
  }

  override get isWhole(): boolean {
    return true;
  }

  override get patienceMs(): Millis {
    return SILENT_MS;
  }

  override get backupAtMs(): Millis {
    return this.startedMs === undefined ? Infinity : this.startedMs + BACKUP_MS;
  }

  get isNeedless(): boolean {
    return this.planned.isDone;
  }

  release(): void {
    this.#isReleased = true;
    // Of a worker that was lost the plan knows already.
    if (this.planned.runners.has(this.worker.connId)) this.owner?.plan.race(this.planned);
  }

  abandon(): void {
    this.#isOver = true;
  }

  cutTo(): void {
    invariant(false, "a map or a reduce is not cut");
  }
}

/** What people call it. */
export function nameOf({ origin }: MapReduceJob): string {
  return idText(origin.id);
}
