/**
 * How much a worker is given at a time. Far from a job's end: what it does in `taskSeconds`. Near
 * the end: half of its fair part of what is left (guided self-scheduling, Polychronopoulos and
 * Kuck 1987), so that tasks shrink and all workers end together; but not below `minTaskSeconds`,
 * where splitting costs more than it wins. A worker of unknown rate first gets a probe.
 *
 * @module
 */
import type { FleetLimits } from "./limits.ts";

/** Part of the fair share that one task takes; the rest is for correcting wrong estimates. */
const GUIDED_PART = 0.5;

/** A full task in units for a worker that does `rate` units a second (undefined: unknown). */
export function fullTask(rate: number | undefined, limits: FleetLimits): number {
  const full = rate === undefined ? Number(limits.probeUnits) : rate * limits.taskSeconds;
  return Math.max(1, Math.min(Number(limits.maxTaskUnits), full));
}

/**
 * Units of the next task, 1 or more: for a worker that does `rate`, out of `pending` units, in a
 * fleet that does `fleetRate`; at most `mostUnits`.
 */
export function taskUnits(
  rate: number | undefined,
  fleetRate: number,
  pending: bigint,
  mostUnits: number,
  limits: FleetLimits,
): bigint {
  let size = fullTask(rate, limits);
  if (rate !== undefined) {
    const fair = Number(pending) * Math.min(1, rate / Math.max(fleetRate, 1));
    const floor = rate * limits.minTaskSeconds;
    size = Math.max(Math.min(size, fair * GUIDED_PART), floor);
  }
  size = Math.max(1, Math.min(size, mostUnits, Number(limits.maxTaskUnits)));
  return BigInt(Math.ceil(size));
}
