/**
 * How much a miner is given at a time. Far from a job's end: what it does in `chunkSeconds`. Near
 * the end: half of its fair part of what is left (guided self-scheduling, Polychronopoulos and
 * Kuck 1987), so that chunks shrink and all miners end together; but not below `minChunkSeconds`,
 * where splitting costs more than it wins. A miner of unknown rate first gets a probe.
 *
 * @module
 */
import type { ServerLimits } from "./limits.ts";

/** Part of the fair share that one chunk takes; the rest is for correcting wrong estimates. */
const GUIDED_PART = 0.5;

/** A full chunk in nonces for a miner that does `rate` nonces a second (undefined: unknown). */
export function fullChunk(rate: number | undefined, limits: ServerLimits): number {
  const full = rate === undefined ? Number(limits.probeNonces) : rate * limits.chunkSeconds;
  return Math.max(1, Math.min(Number(limits.maxChunkNonces), full));
}

/**
 * Nonces of the next chunk, 1 or more: for a miner that does `rate`, out of `pending` nonces, in a
 * fleet that does `fleetRate`; at most `mostNonces`.
 */
export function chunkNonces(
  rate: number | undefined,
  fleetRate: number,
  pending: bigint,
  mostNonces: number,
  limits: ServerLimits,
): bigint {
  let size = fullChunk(rate, limits);
  if (rate !== undefined) {
    const fair = Number(pending) * Math.min(1, rate / Math.max(fleetRate, 1));
    const floor = rate * limits.minChunkSeconds;
    size = Math.max(Math.min(size, fair * GUIDED_PART), floor);
  }
  size = Math.max(1, Math.min(size, mostNonces, Number(limits.maxChunkNonces)));
  return BigInt(Math.ceil(size));
}
