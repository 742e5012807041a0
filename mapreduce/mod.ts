/**
 * MapReduce (Dean and Ghemawat, 2004) on the fleet: a machine that hashes can also map and reduce.
 * docs/mapreduce.md says what a user does, and what holds.
 *
 * @module
 */
export { builtin } from "./builtin.ts";
export { BUILTIN_NAMES } from "./code_name.ts";
export type { Application, MapContext, Mapping, Split } from "./application.ts";
export { type FleetOptions, runOnFleet } from "./client_adapter.ts";
export { Coordinator, mapReduceKind } from "./coordinator.ts";
export { fnv1a, partitionOf } from "./partition.ts";
export { Plan, PlannedTask, type TaskKind } from "./plan.ts";
export { type JobOptions, type JobProgress, type LocalOptions, runLocal } from "./local_adapter.ts";
export { isTaskProcess, serveTasks } from "./runner_worker.ts";
export type { Pair, UserApplication } from "./user_adapter.ts";
export { mapReduceGuest, type WorkerOptions } from "./worker_adapter.ts";
