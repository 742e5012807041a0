/**
 * A job on this machine alone: the same plan, with threads (or processes) for workers, and no
 * server.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Failure } from "../run/errors.ts";
import type { Chosen } from "./choice_adapter.ts";
import { checkUnchanged, type InputSplit } from "./inputs_adapter.ts";
import type { FilePart, TaskOrder } from "./job_types.ts";
import { Plan, type PlannedTask } from "./plan.ts";
import { Runner } from "./runner_adapter.ts";
import { invalidText, skippedText } from "./notes.ts";
import type { TaskEnd } from "./task_end.ts";

/** What both ways of running a job take. */
export interface JobOptions {
  readonly chosen: Chosen;
  readonly splits: readonly InputSplit[];
  readonly reducers: number;
  readonly sortBytes: number;
  readonly skipBad: boolean;
  readonly timeoutMs?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Outputs as records, to be merged. */
  readonly asRecords: boolean;
  /** Where output `r` is to be written. */
  readonly outputPath: (r: number) => string;
  readonly onProgress: (progress: JobProgress) => void;
  /** A line for people. */
  readonly log: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** How a job stands. */
export interface JobProgress {
  readonly maps: number;
  readonly mapsDone: number;
  readonly reduces: number;
  readonly reducesDone: number;
  readonly bytes: number;
  readonly bytesDone: number;
  readonly failures: number;
}

/** A local job also needs a place for what lies between map and reduce. */
export interface LocalOptions extends JobOptions {
  readonly directory: string;
  /** Tasks at a time; by default as many as there are cores. */
  readonly workers?: number;
}

/** Runs the job to its end. Rejects with a {@link Failure} that says why it failed. */
export async function runLocal(options: LocalOptions): Promise<void> {
  await new LocalJob(options).run();
}

class LocalJob {
  readonly #options: LocalOptions;
  readonly #plan: Plan;
  readonly #runners: Runner[];
  /** Bytes read by the maps that run, by their number. */
  readonly #reading = new Map<PlannedTask, number>();

  constructor(options: LocalOptions) {
    this.#options = options;
    this.#plan = new Plan(
      options.splits.map(({ from, to }) => to - from),
      options.reducers,
    );
    const { workers = availableParallelism(), timeoutMs, memoryBytes } = options;
    const isolated = "module" in options.chosen.choice;
    this.#runners = Array.from(
      { length: workers },
      () => new Runner({ isolated, timeoutMs, memoryBytes }),
    );
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = (): void => {
      this.#plan.failure ??= "it was stopped";
      for (const runner of this.#runners) runner.stop();
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await Promise.all(this.#runners.map((_, worker) => this.#work(worker)));
    } finally {
      signal?.removeEventListener("abort", stop);
      for (const runner of this.#runners) runner.close();
    }
    if (this.#plan.failure !== undefined) throw new Failure(this.#plan.failure);
  }

  /** Rings when there may be something to do for those who found nothing. */
  #news = Promise.withResolvers<void>();

  async #work(worker: number): Promise<void> {
    const plan = this.#plan;
    while (plan.failure === undefined && !plan.isDone) {
      const task = plan.next(worker, (of) => of.failedAt.size < this.#runners.length);
      if (task === undefined) {
        await this.#news.promise;
        continue;
      }
      plan.start(task, worker);
      const runner = this.#runners[worker]!;
      const end = await runner.run(this.#orderOf(task), (bytes) => this.#progress(task, bytes));
      this.#reading.delete(task);
      this.#judge(task, worker, end);
      this.#progress();
      const bell = this.#news;
      this.#news = Promise.withResolvers<void>();
      bell.resolve();
    }
  }

  #orderOf(task: PlannedTask): TaskOrder {
    const { chosen, sortBytes, skipBad, reducers, directory, asRecords } = this.#options;
    const common = { application: chosen.choice, sortBytes, skipBad, directory, asJson: false };
    if (task.kind === "reduce") {
      const inputs = this.#plan.maps.map((map) => this.#partOf(map, task.index));
      const output = this.#options.outputPath(task.index);
      return { kind: "reduce", ...common, inputs, output, asRecords };
    }
    const { file, from, to, firstLine } = this.#options.splits[task.index]!;
    const input = { path: file.path, from, to };
    const output = this.#mapPath(task);
    return { kind: "map", ...common, reducers, name: file.path, firstLine, input, output };
  }

  #mapPath({ index }: PlannedTask): string {
    return join(this.#options.directory, `map-${index}`);
  }

  #partOf(map: PlannedTask, reduce: number): FilePart {
    return { path: this.#mapPath(map), from: map.ends[reduce - 1] ?? 0, to: map.ends[reduce]! };
  }

  #judge(task: PlannedTask, worker: number, end: TaskEnd): void {
    const plan = this.#plan;
    if (end.kind === "mapped" || end.kind === "reduced") {
      if (end.bad > 0) this.#options.log(skippedText(end.bad, end.skipped));
      if (end.kind === "mapped" && end.invalid > 0) {
        const { file } = this.#options.splits[task.index]!;
        this.#options.log(invalidText(file.path, end.invalid));
      }
      try {
        if (task.kind === "map") checkUnchanged(this.#options.splits[task.index]!.file);
      } catch (error) {
        plan.failure ??= (error as Error).message;
      }
      plan.done(task, worker, end.kind === "mapped" ? end.parts : [end.output]);
      if (task.kind === "reduce") plan.finalize(task);
    } else if (end.kind === "stopped") plan.release(task, worker);
    else if (end.kind === "died") plan.died(task, worker, end.text);
    else if (end.kind === "damaged") plan.failure ??= end.text;
    else if (end.kind === "threw") plan.threw(task, worker, end.text);
  }

  #progress(task?: PlannedTask, read = 0): void {
    if (task?.kind === "map") this.#reading.set(task, read);
    const { maps, reduces, mapsDone, reducesDone, failures } = this.#plan;
    const bytes = maps.reduce((sum, map) => sum + map.bytes, 0);
    let bytesDone = maps.reduce((sum, map) => sum + (map.isDone ? map.bytes : 0), 0);
    for (const part of this.#reading.values()) bytesDone += part;
    this.#options.onProgress({
      maps: maps.length,
      mapsDone,
      reduces: reduces.length,
      reducesDone,
      bytes,
      bytesDone,
      failures,
    });
  }
}
