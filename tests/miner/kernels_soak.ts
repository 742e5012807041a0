/** Every kernel of this machine against Bun's SHA-256, on random searches without end. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { engineKernel } from "../../miner/kernels/tile_search.ts";
import { SOAK_SEED, soakSeeds, tellSoak } from "../support/soak.ts";
import { caseOf, mistakes, SUBJECTS } from "./kernel_support.ts";

/** Searches that begin with one seed, and nonces of the longest. */
const SEARCHES = 20;
const NONCES_MAX = 20_000;

const kernels = SUBJECTS.map(({ name, slow, engine }) => {
  return { name, slow, kernel: engineKernel(engine(), 0) };
});

test("kernels agree with Bun.SHA256", () => {
  let nonces = 0;
  for (const seed of soakSeeds()) {
    const random = seededRandom(seed);
    const cases = Array.from({ length: SEARCHES }, () => {
      const count = integerBetween(random, 1, NONCES_MAX);
      nonces += count;
      const top = BigInt.asUintN(64, (BigInt(random()) << 32n) | BigInt(random()));
      const lower = top >> BigInt(integerBetween(random, 0, 63));
      const isTarget = integerBetween(random, 0, 3) === 0;
      return caseOf(integerBetween(random, 0, 300), lower, count, isTarget ? 2n ** 52n : undefined);
    });
    for (const { name, slow, kernel } of kernels) {
      const some = slow ? cases.slice(0, 1) : cases;
      assertEquals(mistakes(kernel, some), [], `kernel ${name}, --seed ${seed}`);
    }
  }
  tellSoak(`miner: ${nonces} nonces a kernel, from seed ${SOAK_SEED} on`);
});
