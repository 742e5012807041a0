/**
 * Runs tasks, one at a time, in a thread or in a process that is watched: one that takes too long,
 * or too much memory, is ended.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { readablePlural } from "../base/text.ts";
import type { TaskOrder, TaskReport } from "./job_types.ts";
import { TASK_BYTES, TASK_TIMEOUT_MS } from "./limits.ts";
import { startTaskThread, taskProcess } from "./runner_worker.ts";
import type { TaskEnd } from "./task_end.ts";

/** How a runner is made. */
export interface RunnerOptions {
  /** Code of users: in a process of its own. */
  readonly isolated: boolean;
  readonly timeoutMs?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

/** How often the memory of a process is looked at. */
const LOOK_MS = 250;
const PAGE_BYTES = 4096;

interface Present {
  readonly onProgress: (bytes: number) => void;
  readonly resolve: (end: TaskEnd) => void;
  readonly clocks: ReturnType<typeof setTimeout>[];
}

/** What carries out orders. */
interface Engine {
  order(order: TaskOrder): void;
  kill(): void;
  /** The process, where its memory can be watched. */
  readonly pid?: number;
}

/** See the module. */
export class Runner {
  readonly #options: RunnerOptions;
  #engine: Engine | undefined;
  #present: Present | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#present !== undefined;
  }

  /** Runs one task; resolves with its end, whatever that is. */
  run(order: TaskOrder, onProgress: (bytes: number) => void = () => {}): Promise<TaskEnd> {
    const { promise, resolve } = Promise.withResolvers<TaskEnd>();
    this.#engine ??= this.#options.isolated ? this.#startProcess() : this.#startThread();
    this.#present = { onProgress, resolve, clocks: this.#watch(this.#engine) };
    this.#engine.order(order);
    return promise;
  }

  /** Ends the task that runs; the next gets a new thread or process. */
  stop(): void {
    this.#kill({ kind: "stopped" });
  }

  /** Ends everything. */
  close(): void {
    this.stop();
    this.#engine?.kill();
    this.#engine = undefined;
  }

  #watch(engine: Engine): ReturnType<typeof setTimeout>[] {
    const { timeoutMs = TASK_TIMEOUT_MS, memoryBytes = TASK_BYTES } = this.#options;
    const late = (): void => {
      const text = `it ran longer than ${timeoutMs / 1000} s (--task-timeout)`;
      this.#kill({ kind: "threw", text });
    };
    const clocks = [setTimeout(late, timeoutMs)];
    const { pid } = engine;
    if (pid === undefined) return clocks;
    const look = (): void => {
      if (residentBytes(pid) <= memoryBytes) return;
      const most = readablePlural(Math.round(memoryBytes / 2 ** 20), "MiB").replace("MiBs", "MiB");
      this.#kill({ kind: "threw", text: `it took more than ${most} of memory (--task-memory)` });
    };
    return [...clocks, setInterval(look, LOOK_MS)];
  }

  #kill(end: TaskEnd): void {
    if (this.#present === undefined) return;
    const engine = this.#engine;
    this.#engine = undefined;
    engine?.kill();
    this.#end(end);
  }

  #end(end: TaskEnd): void {
    const present = this.#present;
    this.#present = undefined;
    for (const clock of present?.clocks ?? []) clearTimeout(clock);
    present?.resolve(end);
  }

  #heard(engine: Engine, report: TaskReport): void {
    if (engine !== this.#engine) return;
    if (report.kind === "progress") this.#present?.onProgress(report.bytes);
    else this.#end(report);
  }

  #died(engine: Engine, text: string): void {
    if (engine !== this.#engine) return;
    this.#engine = undefined;
    this.#end({ kind: "died", text });
  }

  #startThread(): Engine {
    const worker = startTaskThread();
    const engine: Engine = {
      order: (order) => worker.postMessage(order),
      kill: () => void worker.terminate(),
    };
    worker.onmessage = ({ data }: MessageEvent<TaskReport>) => this.#heard(engine, data);
    worker.onerror = ({ message }) => this.#died(engine, `its thread ended: ${message}`);
    return engine;
  }

  #startProcess(): Engine {
    const { cmd, env } = taskProcess();
    const child = Bun.spawn(cmd, {
      env,
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "advanced",
      ipc: (report) => this.#heard(engine, report as TaskReport),
      onExit: (_child, code, signal) => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        this.#died(engine, `its process ended with ${how}`);
      },
    });
    const engine: Engine = {
      order: (order) => child.send(order),
      kill: () => child.kill("SIGKILL"),
      pid: child.pid,
    };
    return engine;
  }
}

/** What the process has in memory, in bytes; 0 where that cannot be known. */
function residentBytes(pid: number): number {
  try {
    if (process.platform === "linux") {
      return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
    }
    const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]);
    return Number(stdout.toString()) * 1024;
  } catch {
    return 0;
  }
}
