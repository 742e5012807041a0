/**
 * What `bun run soak` asks of a campaign: how long, how many seeds, from which on.
 *
 * @module
 */

const given = (name: string, otherwise: number): number =>
  Number(process.env[`MOTHERLODE_SOAK_${name}`] ?? otherwise);

/** How long a campaign goes on, in seconds. */
export const SOAK_SECONDS: number = given("SECONDS", 60);
/** How many seeds it runs at most. */
export const SOAK_SEEDS: number = given("SEEDS", 2 ** 40);
/** Its first seed. */
export const SOAK_SEED: number = given("SEED", 1);

/** Whether a campaign that began `sinceMs` ago, by {@link nowMs}, has had its time. */
export function isSoaked(sinceMs: number): boolean {
  return nowMs() - sinceMs >= SOAK_SECONDS * 1000;
}

/** A clock for campaigns, in milliseconds. */
export function nowMs(): number {
  return performance.now();
}

/** Resolves at `atMs` by {@link nowMs}: the pace of a campaign, by which it judges nothing. */
export async function paced(atMs: number): Promise<void> {
  await Bun.sleep(Math.max(0, atMs - nowMs()));
}

/** The seeds of a campaign, one after the other, until its time or their number is over. */
export function* soakSeeds(): Generator<number> {
  const sinceMs = nowMs();
  for (let i = 0; i < SOAK_SEEDS && !isSoaked(sinceMs); i++) yield SOAK_SEED + i;
}

/** Tells what a campaign did, beside the report of the tests. */
export function tellSoak(text: string): void {
  console.error(`soak: ${text}`);
}
