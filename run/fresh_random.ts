/**
 * Randomness for a core that runs on a real machine: no two of them draw the same.
 *
 * @module
 */
import { type Random, seededRandom } from "../base/random.ts";

/** A stream whose seed the system picked. Not for secrets. */
export function freshRandom(): Random {
  const [seed = 0, stream = 0] = crypto.getRandomValues(new Uint32Array(2));
  return seededRandom(seed, stream);
}
