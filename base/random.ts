/**
 * Seeded randomness for cores and for the simulator: equal seeds give equal sequences everywhere.
 * Not for secrets.
 *
 * @module
 */

/** A stream of uniformly distributed 32-bit unsigned integers. */
export type Random = () => number;

/**
 * sfc32 (Chris Doty-Humphrey's Small Fast Chaotic generator, PractRand), seeded by `seed` and
 * `stream`, so that one run's seed can feed many independent streams.
 */
export function seededRandom(seed: number, stream = 0): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = stream | 0;
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    return result >>> 0;
  };
  for (let round = 0; round < 15; round++) next();
  return next;
}

/** A uniform real in [0, 1). */
export function unitReal(random: Random): number {
  return random() / 2 ** 32;
}

/** A uniform integer in [low, high], both ends included; `high - low` must be below 2^32. */
export function integerBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(unitReal(random) * (high - low + 1));
}

/** True with the given probability. */
export function chance(random: Random, probability: number): boolean {
  return unitReal(random) < probability;
}
