/**
 * How many hashing threads can be started here. Bun ends the whole process when the system refuses
 * it a thread, so that is found out first.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { Failure } from "../run/errors.ts";
import { type ThreadLimit, threadLimit } from "../run/machine_limits.ts";

/**
 * Threads that Bun and the child process that proves kernels start beside the hashing ones: 14
 * counted on 2 cores; collectors and compilers grow with the cores. With so few left as LEFT_MIN
 * (8 were too few, 10 enough) not even one hashing thread comes up.
 */
const OTHERS = 16;
const OTHERS_A_CORE = 2;
const OTHERS_CORES_MAX = 8;
const LEFT_MIN = 10;

/**
 * As many of `wanted` threads as the system allows, at least one; with a line if that is fewer.
 * Throws a {@link Failure} where it is hopeless.
 */
export function startableThreads(
  wanted: number,
  log: (text: string) => void,
  limit: ThreadLimit | undefined = threadLimit(),
): number {
  if (limit === undefined) return wanted;
  const others = OTHERS + OTHERS_A_CORE * Math.min(availableParallelism(), OTHERS_CORES_MAX);
  const threads = Math.max(1, Math.min(wanted, limit.left - others));
  const why = `${limit.source}, and ${limit.left} are left`;
  if (limit.left < LEFT_MIN) {
    throw new Failure(
      `cannot hash: the system allows too few threads (${why}); ` +
        `expected at least ${LEFT_MIN}, better ${others} and one a hashing thread`,
    );
  }
  if (threads < wanted) {
    log(
      `${wanted} hashing threads are more than the system allows (${why}; Bun takes up to ` +
        `${others}): going on with ${threads}`,
    );
  }
  return threads;
}
