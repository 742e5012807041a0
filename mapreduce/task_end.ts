/**
 * How a task that ran came to its end.
 *
 * @module
 */
import type { TaskReport } from "./job_types.ts";

/** A task's last report, or how its thread or process ended without one. */
export type TaskEnd =
  | Exclude<TaskReport, { readonly kind: "progress" }>
  | { readonly kind: "died"; readonly text: string }
  | { readonly kind: "stopped" };
