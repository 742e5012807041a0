/**
 * The thread that makes what a child process is to run (assembling all of a kernel takes up to a
 * second) and measures kernels that need no proof. One request at a time, one answer each.
 *
 * This file is its own worker's program; see pool_worker.ts.
 *
 * @module
 */
import { isMainThread, parentPort, type Worker, workerData } from "node:worker_threads";
import { invariant } from "../base/machine.ts";
import { measure } from "./kernels/measure_adapter.ts";
import { createKernel, KernelError, machineCodeOf } from "./kernels/mod.ts";
import { planProbe, type ProbePlan } from "./kernels/probe_plan.ts";
import type { Trial } from "./kernels/selection.ts";
import { ownWorker } from "./own_worker_adapter.ts";

const ROLE = "motherlode planner";
/** How long a portable kernel is measured unless told otherwise. */
export const PORTABLE_MS = 60;

/** What the thread is asked: to plan the proof of a trial's kernel, or to measure it. */
export type PlannerRequest =
  | { readonly kind: "plan"; readonly trial: Trial }
  | { readonly kind: "measure"; readonly kernel: string; readonly millis: number };

type Answer =
  | { readonly kind: "plan"; readonly plan: ProbePlan }
  | { readonly kind: "rate"; readonly rate: number }
  | { readonly kind: "failed"; readonly why: string };

/** Makes plans, and measures kernels that are made of no machine code. */
export interface Planner {
  /** @throws {KernelError} when it is the kernel's fault that there is no plan. */
  plan(trial: Trial): Promise<ProbePlan>;
  /** Nonces a second. */
  measure(kernel: string, millis: number): Promise<number>;
  close(): void;
}

/** A planner in a thread of its own, which starts with the first request. */
export function threadPlanner(): Planner {
  let worker: Worker | undefined;
  const ask = (request: PlannerRequest): Promise<Answer> => {
    worker ??= ownWorker(import.meta.url, "planner_worker.ts", { role: ROLE });
    const asked = worker;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        asked.removeAllListeners();
        act();
      };
      asked.on("message", (answer: Answer) => settle(() => resolve(answer)));
      asked.on("error", (error: Error) => settle(() => reject(error)));
      asked.on("exit", () => settle(() => reject(new Error("the planner's thread ended"))));
      asked.postMessage(request);
    });
  };
  const failed = (answer: Answer): never => {
    invariant(answer.kind === "failed", "a planner answers what it was asked");
    throw new KernelError(answer.why);
  };
  return {
    async plan(trial) {
      const answer = await ask({ kind: "plan", trial });
      return answer.kind === "plan" ? answer.plan : failed(answer);
    },
    async measure(kernel, millis) {
      const answer = await ask({ kind: "measure", kernel, millis });
      return answer.kind === "rate" ? answer.rate : failed(answer);
    },
    close() {
      void worker?.terminate();
      worker = undefined;
    },
  };
}

function answerTo(request: PlannerRequest): Answer {
  try {
    if (request.kind === "measure") {
      const kernel = createKernel(request.kernel);
      return { kind: "rate", rate: measure([kernel], request.millis).get(kernel)! };
    }
    const { kernel, whole } = request.trial;
    const code = machineCodeOf(kernel);
    invariant(code !== undefined, `${kernel} is made of machine code`);
    return { kind: "plan", plan: planProbe(code.make, whole) };
  } catch (error) {
    return { kind: "failed", why: (error as Error).message };
  }
}

const isOurs = (data: unknown): boolean =>
  typeof data === "object" && data !== null && "role" in data && data.role === ROLE;

if (!isMainThread && isOurs(workerData)) {
  parentPort!.on("message", (request: PlannerRequest) => {
    parentPort!.postMessage(answerTo(request));
  });
}
