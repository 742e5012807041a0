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
  shrink(task: Task, units: bigint, nowMs: Millis): void;
  stop(task: Task, nowMs: Millis): void;
  race(task: Task): void;
  doubt(task: Task, nowMs: Millis): void;
}

/** A worker that cannot be steered is raced when it takes this many times its due ... */
const BLIND_LATE_FACTOR = 2;
/** ... and this much longer, in milliseconds. */
const BLIND_LATE_MS = 500;

/**
 * Cuts the work of late workers so that everybody, the idle ones included, would end together. Does
 * nothing while there is unassigned work or nobody is idle.
 */
export function relieveStragglers(fleet: Hands, nowMs: Millis): void {
  const { limits, roster, scheduler } = fleet;
  if (scheduler.hasWork) return;
  if (nowMs - fleet.relievedMs < limits.rebalanceMs) return;
  fleet.relievedMs = nowMs;
  let rate = 0;
  for (const worker of roster.helpers()) rate += worker.speed(limits);
  if (rate === 0) return;
  let work = 0;
  const late: { worker: Worker<Task>; remaining: number }[] = [];
  for (const worker of roster.workers.values()) {
    if (!worker.steerable || worker.probation || worker.tasks.length === 0) continue;
    const remaining = worker.remaining(nowMs, limits);
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
    keepOnly(fleet, worker, reported - remaining + speed * commonSeconds, nowMs);
  }
}

/**
 * Trims what would keep a worker busy far longer than a task should: it has become slower, or had
 * promised too much. So no job waits long for a worker, however wrong an estimate was.
 */
export function trimOversized(fleet: Hands, worker: Worker<Task>, nowMs: Millis): void {
  const { limits } = fleet;
  if (worker.tasks.some((task) => task.isWhole)) return;
  const speed = worker.speed(limits);
  const remaining = worker.remaining(nowMs, limits);
  if (remaining <= speed * limits.taskSeconds * limits.oversizedTasks) return;
  const unreported = worker.remaining(worker.markMs, limits) - remaining;
  keepOnly(fleet, worker, unreported + speed * limits.taskSeconds, nowMs);
}

/** Takes everything from the worker but the next `units` that it holds. */
function keepOnly(fleet: Hands, worker: Worker<Task>, units: number, nowMs: Millis): void {
  let keep = BigInt(Math.ceil(units));
  worker.relieved = true;
  fleet.roster.refresh(worker);
  for (const task of worker.tasks) {
    const { held } = task;
    if (held <= 0n || task.stopping) continue;
    if (held > keep && task.shrinks === 0) {
      if (keep === 0n && task.isUntouched) fleet.stop(task, nowMs);
      else if (task.isDivisible) fleet.shrink(task, keep > 0n ? keep : 1n, nowMs);
    }
    keep = keep > held ? keep - held : 0n;
  }
}

/** Looks for what should have been confirmed, or answered, long ago. */
export function watchConfirmations(fleet: Hands, nowMs: Millis): void {
  const { limits, roster, scheduler } = fleet;
  const spare = roster.hasHelper && !scheduler.hasWork;
  let slowest: Task | undefined;
  for (const worker of roster.workers.values()) {
    for (const task of worker.tasks) {
      if (task.held <= 0n || task.job === undefined) continue;
      const overdue = nowMs >= task.confirmByMs;
      if (task.stopping ? overdue : spare && task.shrinks > 0 && overdue) fleet.race(task);
      else if (task.backupAtMs !== undefined) {
        // What is pending does not suit those who are idle, or they would have it.
        const isSlower = slowest === undefined || task.backupAtMs < slowest.backupAtMs!;
        if (roster.hasIdle && nowMs >= task.backupAtMs && isSlower) slowest = task;
      } else if (!spare) continue;
      else if (worker.steerable) {
        if (nowMs - worker.advancedMs >= limits.lateMs) fleet.doubt(task, nowMs);
      } else if (isLate(task, nowMs, limits)) fleet.race(task);
    }
  }
  // One at a time: there may be just one worker for it.
  if (slowest !== undefined) fleet.race(slowest);
}

function isLate(task: Task, nowMs: Millis, limits: FleetLimits): boolean {
  const expectedMs = (Number(task.units) / task.worker.speed(limits)) * 1000;
  return nowMs - task.assignedMs > BLIND_LATE_FACTOR * expectedMs + BLIND_LATE_MS;
}
