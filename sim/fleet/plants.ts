/**
 * Faults planted on purpose, to prove that the simulator can fail.
 *
 * @module
 */

/** Faults of the fleet, and what each breaks. */
export const FLEET_PLANTS = {
  "lose-chunk": "a chunk is never sent to its miner, and taken for searched",
  "deaf-ear": "what one miner reports never reaches the server, and others do its work again",
  "lost-join": "a miner that joins while others work is never heard of, and waits for ever",
  "last-hash": "a miner answers with its chunk's last hash instead of the least",
} as const;

export type FleetPlant = keyof typeof FLEET_PLANTS;
