/**
 * The end of a job: miners that have run dry take over from those that would be late. The late one
 * is asked to shrink its chunk; the tail becomes pending work when it confirms, so that no nonce is
 * hashed twice. One that does not confirm in time is raced: both search, the first answer counts.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { ServerLimits } from "./limits.ts";
import type { Chunk, Miner, Roster } from "./roster.ts";
import type { Scheduler } from "./scheduler.ts";

/** What is needed of the fleet here. */
interface Hands {
  readonly limits: ServerLimits;
  readonly roster: Roster;
  readonly scheduler: Scheduler;
  /** When stragglers were last looked for. */
  relievedMs: Millis;
  shrink(chunk: Chunk, end: bigint, now: Millis): void;
  stop(chunk: Chunk, now: Millis): void;
  race(chunk: Chunk): void;
}

/** A classic miner cannot be shrunk: it is raced when it takes this many times its due ... */
const CLASSIC_LATE_FACTOR = 2;
/** ... and this much longer, in milliseconds. */
const CLASSIC_LATE_MS = 500;

/**
 * Cuts the work of late miners so that everybody, the idle ones included, would end together. Does
 * nothing while there is unassigned work or nobody is idle.
 */
export function relieveStragglers(fleet: Hands, now: Millis): void {
  const { limits, roster, scheduler } = fleet;
  if (roster.idle.size === 0 || scheduler.hasWork) return;
  if (now - fleet.relievedMs < limits.rebalanceMs) return;
  fleet.relievedMs = now;
  let work = 0;
  let rate = 0;
  const late: { miner: Miner; remaining: number }[] = [];
  for (const miner of roster.idle) rate += miner.speed(limits);
  for (const miner of roster.miners.values()) {
    if (miner.wire === "json" || miner.probation || miner.chunks.length === 0) continue;
    const remaining = miner.remaining(now, limits);
    if (remaining <= 0) continue;
    work += remaining;
    rate += miner.speed(limits);
    late.push({ miner, remaining });
  }
  const commonSeconds = work / rate;
  for (const { miner, remaining } of late) {
    const speed = miner.speed(limits);
    if (remaining / speed - commonSeconds < limits.stragglerMs / 1000) continue;
    const reported = miner.remaining(miner.markMs, limits);
    keepOnly(fleet, miner, reported - remaining + speed * commonSeconds, now);
  }
}

/**
 * Trims what would keep a miner busy far longer than a chunk should: it has become slower, or had
 * promised too much. So no job waits long for a miner, however wrong an estimate was.
 */
export function trimOversized(fleet: Hands, miner: Miner, now: Millis): void {
  const { limits } = fleet;
  const speed = miner.speed(limits);
  const remaining = miner.remaining(now, limits);
  if (remaining <= speed * limits.chunkSeconds * limits.oversizedChunks) return;
  const unreported = miner.remaining(miner.markMs, limits) - remaining;
  keepOnly(fleet, miner, unreported + speed * limits.chunkSeconds, now);
}

/** Takes everything from the miner but the next `nonces` that it holds. */
function keepOnly(fleet: Hands, miner: Miner, nonces: number, now: Millis): void {
  let keep = BigInt(Math.ceil(nonces));
  miner.relieved = true;
  fleet.roster.refresh(miner);
  for (const chunk of miner.chunks) {
    const held = chunk.heldEnd - chunk.next;
    if (held <= 0n || chunk.stopping) continue;
    if (held > keep && chunk.shrinks === 0) {
      if (keep === 0n && chunk.next === chunk.lower) fleet.stop(chunk, now);
      else if (held > 1n) fleet.shrink(chunk, chunk.next + (keep > 0n ? keep : 1n), now);
    }
    keep = keep > held ? keep - held : 0n;
  }
}

/** Looks for what should have been confirmed, or answered, long ago. */
export function watchConfirmations(fleet: Hands, now: Millis): void {
  const { limits, roster, scheduler } = fleet;
  const spare = roster.idle.size > 0 && !scheduler.hasWork;
  for (const miner of roster.miners.values()) {
    for (const chunk of miner.chunks) {
      if (chunk.heldEnd <= chunk.next || chunk.job === undefined) continue;
      const overdue = now >= chunk.confirmByMs;
      if (chunk.stopping ? overdue : spare && chunk.shrinks > 0 && overdue) fleet.race(chunk);
      else if (spare && miner.wire === "json" && isLate(chunk, now, limits)) fleet.race(chunk);
    }
  }
}

function isLate(chunk: Chunk, now: Millis, limits: ServerLimits): boolean {
  const expectedMs = (Number(chunk.end - chunk.lower) / chunk.miner.speed(limits)) * 1000;
  return now - chunk.assignedMs > CLASSIC_LATE_FACTOR * expectedMs + CLASSIC_LATE_MS;
}
