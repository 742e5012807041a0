/**
 * Machine code with faults planted in it, for the processor that the tests run on.
 *
 * @module
 */
import { type Availability, detect } from "../../miner/kernels/mod.ts";
import { planProbe, type ProbePlan } from "../../miner/kernels/probe_plan.ts";
import type { Trial } from "../../miner/kernels/selection.ts";
import type { Planner } from "../../miner/planner_worker.ts";
import { madeCode } from "./made_code.ts";

/** Kernels of machine code that this processor can run, the quickly made one first. */
export const NATIVE: readonly string[] = detect()
  .filter((kernel: Availability) => kernel.native && kernel.usable)
  .map(({ name }) => name)
  .toSorted((a, b) => Number(b.endsWith("sha")) - Number(a.endsWith("sha")) || a.length - b.length);

const isArm = process.arch === "arm64";

/** Code that does the one thing that it is named after. */
export const PLANTED: Readonly<Record<"dies" | "loops" | "lies" | "sleeps", Uint8Array>> = {
  /** An illegal instruction: ud2, or udf. */
  dies: Uint8Array.from(isArm ? [0, 0, 0, 0] : [0x0f, 0x0b]),
  /** A jump to itself. */
  loops: Uint8Array.from(isArm ? [0, 0, 0, 0x14] : [0xeb, 0xfe]),
  /** Returns what was in the register. */
  lies: Uint8Array.from(isArm ? [0xc0, 0x03, 0x5f, 0xd6] : [0xc3]),
  /** The system call `pause`, for ever: takes no processor time. */
  sleeps: Uint8Array.from([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]),
};

const plans = new Map<string, ProbePlan>();

/** The plan for a kernel, made once; or of the part that is measured, with its code replaced. */
export function planOf(kernel: string, whole: boolean, code?: Uint8Array): ProbePlan {
  const make = madeCode(kernel);
  if (code !== undefined) {
    return planProbe((shape) => {
      const { lanes, literals } = make(shape);
      return { code, lanes, literals, scan: 0 };
    }, false);
  }
  const key = `${kernel} ${whole}`;
  const plan = plans.get(key) ?? planProbe(make, whole);
  plans.set(key, plan);
  return plan;
}

/** Plans in this thread, with code planted for some kernels; counts what it is asked. */
export function plantedPlanner(
  code: Readonly<Record<string, Uint8Array>> = {},
): Planner & { readonly asked: Trial[] } {
  const asked: Trial[] = [];
  return {
    asked,
    plan(trial) {
      asked.push(trial);
      return Promise.resolve(planOf(trial.kernel, trial.whole, code[trial.kernel]));
    },
    measure: (kernel) => Promise.resolve(kernel === "bun" ? 2e6 : 1e6),
    close() {},
  };
}
