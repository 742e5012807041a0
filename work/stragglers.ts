/**
 * The end of a job: workers that have run dry take over from those that would be late. The late one
 * is asked to shrink its task; the tail becomes pending work when it confirms, so that no unit is
 * done twice. One that does not confirm in time is raced: both work, the first answer counts.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { FleetLimits } from "./limits.ts";
import type { Roster, Worker } from "./roster.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Job, Task } from "./task.ts";

/** What is needed of the fleet here. */
interface Hands {
  readonly limits: FleetLimits;
  readonly roster: Roster<Task>;
  readonly scheduler: Scheduler<Job>;
  /** When stragglers were last looked for. */
  relievedMs: Millis;
  /** Asks for the task to end when `units` more are done. */
  shrink(task: Task, units: bigint, now: Millis): void;
  stop(task: Task, now: Millis): void;
  race(task: Task): void;
  doubt(task: Task, now: Millis): void;
}

/** A worker that cannot be steered is raced when it takes this many times its due ... */
const BLIND_LATE_FACTOR = 2;
/** ... and this much longer, in milliseconds. */
const BLIND_LATE_MS = 500;

/**
 * Cuts the work of late workers so that everybody, the idle ones included, would end together. Does
 * nothing while there is unassigned work or nobody is idle.
 */
export function relieveStragglers(fleet: Hands, now: Millis): void {
  const { limits, roster, scheduler } = fleet;
  if (scheduler.hasWork) return;
  if (now - fleet.relievedMs < limits.rebalanceMs) return;
  fleet.relievedMs = now;
  let rate = 0;
  for (const worker of roster.helpers()) rate += worker.speed(limits);
  if (rate === 0) return;
  let work = 0;
  const late: { worker: Worker<Task>; remaining: number }[] = [];
  for (const worker of roster.workers.values()) {
    if (!worker.steerable || worker.probation || worker.tasks.length === 0) continue;
    const remaining = worker.remaining(now, limits);
    if (remaining <= 0) continue;
    work += remaining;
    rate += worker.speed(limits);
    late.push({ worker, remaining });
  }
  const commonSeconds = work / rate;
  for (const { worker, remaining } of late) {
    const speed = worker.speed(limits);
    if (remaining / speed - commonSeconds < limits.stragglerMs / 1000) continue;
    const reported = worker.remaining(worker.markMs, limits);
    keepOnly(fleet, worker, reported - remaining + speed * commonSeconds, now);
  }
}

/**
 * Trims what would keep a worker busy far longer than a task should: it has become slower, or had
 * promised too much. So no job waits long for a worker, however wrong an estimate was.
 */
export function trimOversized(fleet: Hands, worker: Worker<Task>, now: Millis): void {
  const { limits } = fleet;
  const speed = worker.speed(limits);
  const remaining = worker.remaining(now, limits);
  if (remaining <= speed * limits.taskSeconds * limits.oversizedTasks) return;
  const unreported = worker.remaining(worker.markMs, limits) - remaining;
  keepOnly(fleet, worker, unreported + speed * limits.taskSeconds, now);
}

/** Takes everything from the worker but the next `units` that it holds. */
function keepOnly(fleet: Hands, worker: Worker<Task>, units: number, now: Millis): void {
  let keep = BigInt(Math.ceil(units));
  worker.relieved = true;
  fleet.roster.refresh(worker);
  for (const task of worker.tasks) {
    const { held } = task;
    if (held <= 0n || task.stopping) continue;
    if (held > keep && task.shrinks === 0) {
      if (keep === 0n && task.isUntouched) fleet.stop(task, now);
      else if (task.isDivisible) fleet.shrink(task, keep > 0n ? keep : 1n, now);
    }
    keep = keep > held ? keep - held : 0n;
  }
}

/** Looks for what should have been confirmed, or answered, long ago. */
export function watchConfirmations(fleet: Hands, now: Millis): void {
  const { limits, roster, scheduler } = fleet;
  const spare = roster.hasHelper && !scheduler.hasWork;
  for (const worker of roster.workers.values()) {
    for (const task of worker.tasks) {
      if (task.held <= 0n || task.job === undefined) continue;
      const overdue = now >= task.confirmByMs;
      if (task.stopping ? overdue : spare && task.shrinks > 0 && overdue) fleet.race(task);
      else if (!spare) continue;
      else if (worker.steerable) {
        if (now - worker.advancedMs >= limits.lateMs) fleet.doubt(task, now);
      } else if (isLate(task, now, limits)) fleet.race(task);
    }
  }
}

function isLate(task: Task, now: Millis, limits: FleetLimits): boolean {
  const expectedMs = (Number(task.units) / task.worker.speed(limits)) * 1000;
  return now - task.assignedMs > BLIND_LATE_FACTOR * expectedMs + BLIND_LATE_MS;
}
