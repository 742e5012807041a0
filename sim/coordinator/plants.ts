/**
 * Faults planted on purpose, to prove that this simulation can fail. They are put between the cores
 * and what carries out their effects; no core knows of them.
 *
 * @module
 */

/** What each breaks. */
export const COORDINATOR_PLANTS = {
  "accepted-early": "a command counts before it is durable",
  "unchecked-interval": "more is journalled as searched than was reported",
  "no-answers": "a snapshot is taken without the answers",
  "stale-lead": "a server that has lost the lead goes on as if it led",
  "slow-return": "a miner that comes back does not hash for three seconds",
  "second-run": "a job that is submitted again runs again",
} as const;

export type CoordinatorPlant = keyof typeof COORDINATOR_PLANTS;
