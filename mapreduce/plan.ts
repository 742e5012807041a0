/**
 * The plan of a job: which tasks there are, how they stand, and what follows when one is done,
 * fails, or is lost. It knows neither time nor connections; a worker is a number.
 *
 * What holds after every step:
 * - A reduce is handed out only while all maps are done and their outputs reachable.
 * - Of a task that runs more than once the first result counts; the others change nothing.
 * - A map is run again only when the worker that holds its output is lost, or its output is
 *   damaged, and a reduce still needs it.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { DEATHS_MAX, THROWS_MAX } from "./limits.ts";
import type { Part } from "./job_types.ts";

export type TaskKind = "map" | "reduce";

/** A task of the plan. */
export class PlannedTask {
  readonly kind: TaskKind;
  /** Its number among its kind, 0 and up. */
  readonly index: number;
  /** Bytes that it reads; of a reduce known when all maps are done. */
  bytes: number;
  /** Workers that run it now. */
  readonly runners: Set<number> = new Set();
  /** The worker that holds the result, once there is one. */
  holder: number | undefined;
  /** The result that was believed last: a worker that was lost may come back with it. */
  claim: readonly Part[] | undefined;
  /** A map's partitions, a reduce's one output. */
  parts: readonly Part[] = [];
  /** Where each of the parts ends in the file of all of them. */
  ends: readonly number[] = [];
  /** A reduce that runs has fetched all that it needs. */
  hasInputs = false;
  /** Nobody needs to look at it again: a reduce whose output is where it is to be. */
  isFinal = false;
  /** Workers at which it threw or died. */
  readonly failedAt: Set<number> = new Set();
  throws = 0;
  deaths = 0;

  constructor(kind: TaskKind, index: number, bytes: number) {
    this.kind = kind;
    this.index = index;
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.holder !== undefined || this.isFinal;
  }
}

/** See the module. */
export class Plan {
  readonly maps: readonly PlannedTask[];
  readonly reduces: readonly PlannedTask[];
  /** Why the job failed, if it did. */
  failure: string | undefined;
  /** Results that were thrown away because another was first. */
  superfluous = 0;
  /** Tasks that were started, in all. */
  started = 0;
  /** Tasks that ended in failure or were lost. */
  failures = 0;
  readonly #pending: Readonly<Record<TaskKind, Set<PlannedTask>>>;
  readonly #awaited = new Set<PlannedTask>();
  #mapsDone = 0;
  #reducesDone = 0;
  #finals = 0;
  #bytesLeft = 0;

  /** `mapBytes`: the size of every split. */
  constructor(mapBytes: readonly number[], reducers: number) {
    this.maps = mapBytes.map((bytes, i) => new PlannedTask("map", i, bytes));
    this.reduces = Array.from({ length: reducers }, (_, i) => new PlannedTask("reduce", i, 0));
    this.#pending = { map: new Set(this.maps), reduce: new Set(this.reduces) };
    this.#bytesLeft = mapBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  get mapsDone(): number {
    return this.#mapsDone;
  }

  /** Reduces that have a result, final or not. */
  get reducesDone(): number {
    return this.#reducesDone;
  }

  /** Bytes that tasks without a result read; of reduces, as far as that is known. */
  get bytesLeft(): number {
    return this.#bytesLeft;
  }

  /** Tasks without a result. */
  get tasksLeft(): number {
    return this.maps.length - this.#mapsDone + this.reduces.length - this.#reducesDone;
  }

  /** Tasks that a worker is expected to come back with. */
  get awaited(): ReadonlySet<PlannedTask> {
    return this.#awaited;
  }

  /** Whether every output is where it is to be. */
  get isDone(): boolean {
    return this.#finals === this.reduces.length;
  }

  get areMapsDone(): boolean {
    return this.#mapsDone === this.maps.length;
  }

  /** Whether a reduce is left that has not fetched all partitions. */
  get needsMaps(): boolean {
    const { reduce } = this.#pending;
    return this.reduces.some((task) => !task.isDone && (!task.hasInputs || reduce.has(task)));
  }

  /** Tasks that can be handed out now. */
  get ready(): ReadonlySet<PlannedTask> {
    const { map } = this.#pending;
    if (map.size > 0) return this.needsMaps ? map : NONE;
    return this.areMapsDone ? this.#pending.reduce : NONE;
  }

  /**
   * The task that `worker` should run next. One that failed there goes to another worker, as long
   * as `others` says that one is to be waited for.
   */
  next(worker: number, others: (task: PlannedTask) => boolean): PlannedTask | undefined {
    if (this.failure !== undefined) return undefined;
    for (const task of this.ready) {
      if (task.runners.has(worker)) continue;
      if (!task.failedAt.has(worker) || !others(task)) return task;
    }
    return undefined;
  }

  /** Whether more than one worker runs it, or another may have it. */
  isShared(task: PlannedTask): boolean {
    return task.isDone || task.runners.size > 1 || this.#pending[task.kind].has(task);
  }

  start(task: PlannedTask, worker: number): void {
    invariant(this.ready.has(task), "only a task that is ready is started");
    this.#pending[task.kind].delete(task);
    task.runners.add(worker);
    this.started++;
  }

  /** The worker gave the task back, or was told to: nothing is held against either. */
  release(task: PlannedTask, worker: number): void {
    task.runners.delete(worker);
    this.#requeue(task);
  }

  /** Another worker may run it as well. */
  race(task: PlannedTask): void {
    if (!task.isDone) this.#pending[task.kind].add(task);
  }

  /** The worker has a result. Whether it is the first, which counts. */
  done(task: PlannedTask, worker: number, parts: readonly Part[]): boolean {
    task.runners.delete(worker);
    if (task.isDone) {
      this.superfluous++;
      return false;
    }
    invariant(parts.length === (task.kind === "map" ? this.reduces.length : 1), "parts of a task");
    this.#pending[task.kind].delete(task);
    task.holder = worker;
    this.#awaited.delete(task);
    task.claim = parts;
    task.parts = parts;
    let end = 0;
    task.ends = parts.map(({ bytes }) => (end += bytes));
    this.#bytesLeft -= task.bytes;
    if (task.kind === "reduce") this.#reducesDone++;
    else if (++this.#mapsDone === this.maps.length) this.#sizeReduces();
    return true;
  }

  /** The output of a reduce is where it is to be. Whether that is news. */
  finalize(task: PlannedTask): boolean {
    if (task.isFinal || task.claim === undefined) return false;
    if (task.holder === undefined) {
      this.#pending[task.kind].delete(task);
      this.#bytesLeft -= task.bytes;
      this.#reducesDone++;
    }
    task.isFinal = true;
    this.#awaited.delete(task);
    this.#finals++;
    return true;
  }

  /** Of an earlier server's plan: the task had that result; its worker may come back with it. */
  recall(task: PlannedTask, parts: readonly Part[]): void {
    task.claim = parts;
    this.#awaited.add(task);
    this.#pending[task.kind].delete(task);
  }

  /** Nobody is waited for any more: what was not found is made again. */
  giveUpWaiting(): void {
    for (const task of this.#awaited) {
      this.#awaited.delete(task);
      this.#requeue(task);
    }
  }

  /** The worker is back with a result that was believed before. Whether that is of use. */
  found(task: PlannedTask, worker: number): boolean {
    const { claim } = task;
    return claim !== undefined && !task.isDone && this.done(task, worker, claim);
  }

  /** The worker is back, and still at it; a reduce that runs has its inputs. */
  adopt(task: PlannedTask, worker: number): void {
    invariant(!task.isDone, "what is done needs nobody");
    this.#pending[task.kind].delete(task);
    this.#awaited.delete(task);
    task.runners.add(worker);
    if (task.kind === "reduce") task.hasInputs = true;
  }

  /** The application threw: its own error, for the user. */
  threw(task: PlannedTask, worker: number, text: string): void {
    task.throws++;
    this.#failed(task, worker);
    if (task.throws >= THROWS_MAX) this.#fail(task, text);
  }

  /** The process or the worker that ran the task is gone. */
  died(task: PlannedTask, worker: number, text: string): void {
    task.deaths++;
    this.#failed(task, worker);
    if (task.deaths >= DEATHS_MAX) this.#fail(task, text);
  }

  /** The worker is gone, with all that it held. */
  lost(worker: number, text: string): void {
    for (const task of [...this.maps, ...this.reduces]) {
      if (task.runners.has(worker)) this.died(task, worker, text);
      task.failedAt.delete(worker);
      if (task.holder === worker) this.forget(task);
    }
  }

  /** The result cannot be read, or is damaged, where it is: it is to be made again, if needed. */
  forget(task: PlannedTask): void {
    if (task.holder === undefined || task.isFinal) return;
    task.holder = undefined;
    task.parts = [];
    this.#bytesLeft += task.bytes;
    if (task.kind === "map") this.#mapsDone--;
    else this.#reducesDone--;
    this.#requeue(task);
  }

  /**
   * A reduce could not get the result from its holder as it was announced: it is made again, and
   * that counts against the holder, which may lie, and the task, which must end some day.
   */
  missed(task: PlannedTask, text: string): void {
    const { holder } = task;
    if (holder === undefined) return;
    this.forget(task);
    task.claim = undefined;
    task.failedAt.add(holder);
    task.deaths++;
    this.failures++;
    if (task.deaths >= DEATHS_MAX) this.#fail(task, text);
  }

  #failed(task: PlannedTask, worker: number): void {
    this.failures++;
    task.failedAt.add(worker);
    task.runners.delete(worker);
    this.#requeue(task);
  }

  #requeue(task: PlannedTask): void {
    if (task.isDone || this.#awaited.has(task) || task.runners.size > 0) return;
    task.hasInputs = false;
    this.#pending[task.kind].add(task);
  }

  #fail({ kind, index, throws, deaths }: PlannedTask, text: string): void {
    const times = throws >= THROWS_MAX ? throws : deaths;
    this.failure ??= `${kind} ${index} failed ${times} times: ${text}`;
  }

  #sizeReduces(): void {
    for (const reduce of this.reduces) {
      if (reduce.isDone) continue;
      this.#bytesLeft -= reduce.bytes;
      reduce.bytes = this.maps.reduce((sum, { parts }) => sum + parts[reduce.index]!.bytes, 0);
      this.#bytesLeft += reduce.bytes;
    }
  }
}

const NONE: ReadonlySet<PlannedTask> = new Set();
