/**
 * The thread, or the process, that runs tasks: built-in applications run in a thread of their own;
 * code of users runs in a process that its owner watches and can end. And the thread that hashes
 * partitions: every thread begins here, for in a bundle there is no other file.
 *
 * @module
 */
import { devNull } from "node:os";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { TaskOrder, TaskReport } from "./job_types.ts";
import type { HashOrder } from "./hash_orders.ts";
import { HashThread } from "./hashing_adapter.ts";
import { runTask } from "./task_adapter.ts";

/** Set for a process that runs tasks for the one that started it. */
const TASK_PROCESS = "MOTHERLODE_TASK_PROCESS";
const FILE = "runner_worker.ts";
/** How often a task's process looks whether its owner is still there. */
const OWNER_MS = 500;

/** What a thread is started as. */
interface Role {
  readonly role: "motherlode tasks" | "motherlode hashes" | "motherlode watch";
  /** The owner's process, of a watch. */
  readonly owner?: number;
}

/** Whether this process was started to run tasks: then {@link serveTasks} is its main program. */
export function isTaskProcess(): boolean {
  return process.env[TASK_PROCESS] !== undefined;
}

/** A thread that runs tasks, one after the other, as they are posted to it. */
export function startTaskThread(): Worker {
  return startThread({ role: "motherlode tasks" });
}

/** A thread that hashes files; see {@link HashOrder}. */
export function startHashThread(): Worker {
  return startThread({ role: "motherlode hashes" });
}

/** The command and the environment of a process that runs tasks, one after the other. */
export function taskProcess(): { readonly cmd: string[]; readonly env: Record<string, string> } {
  const env = { ...process.env, [TASK_PROCESS]: "1" } as Record<string, string>;
  const isSource = import.meta.path.endsWith(`/${FILE}`) || import.meta.path.endsWith(`\\${FILE}`);
  const isCompiled = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/.test(import.meta.path);
  if (isCompiled) return { cmd: [process.execPath], env };
  const script = isSource ? import.meta.path : Bun.main;
  return { cmd: [process.execPath, "--no-env-file", `--config=${devNull}`, script], env };
}

let isServing = false;

/** Runs the tasks that the owner sends, until it is gone. Never returns. */
export async function serveTasks(): Promise<never> {
  if (!isServing) {
    isServing = true;
    // It looks after the owner even while the application keeps the main thread.
    startThread({ role: "motherlode watch", owner: process.ppid });
    process.on("disconnect", () => process.exit(0));
    process.on("message", (order: TaskOrder) => {
      void runTask(order, (report) => void process.send!(report));
    });
  }
  return await new Promise<never>(() => {});
}

function startThread(role: Role): Worker {
  return new Worker(new URL(import.meta.url), { workerData: role } as WorkerOptions);
}

function roleOf(data: unknown): Role | undefined {
  const isRole = typeof data === "object" && data !== null && "role" in data;
  return isRole ? (data as Role) : undefined;
}

function beThread(role: Role): void {
  if (role.role === "motherlode tasks") {
    parentPort!.on("message", (order: TaskOrder) => {
      void runTask(order, (report: TaskReport) => parentPort!.postMessage(report));
    });
  } else if (role.role === "motherlode hashes") {
    const thread = new HashThread((news) => parentPort!.postMessage(news));
    parentPort!.on("message", (order: HashOrder) => thread.carryOut(order));
  } else if (role.role === "motherlode watch") {
    setInterval(() => {
      if (process.ppid !== role.owner) process.kill(process.pid, "SIGKILL");
    }, OWNER_MS);
  }
}

const role = isMainThread ? undefined : roleOf(workerData);
if (role !== undefined) beThread(role);
else if (import.meta.main && isMainThread && isTaskProcess()) await serveTasks();
