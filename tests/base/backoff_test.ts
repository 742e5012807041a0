/** Back-off: spans that double up to a limit, and waits that are spread over them. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Backoff } from "../../base/backoff.ts";
import { seededRandom } from "../../base/random.ts";

test("waits are from the upper half of a span that doubles, up to the longest", () => {
  const waits = Array.from({ length: 200 }, (_, seed) => {
    const backoff = new Backoff(100, 1000, seededRandom(seed));
    return [1, 2, 3, 4, 5, 6].map(() => backoff.next());
  });
  for (const [i, span] of [100, 200, 400, 800, 1000, 1000].entries()) {
    const column = waits.map((row) => row[i]!);
    assert(
      column.every((wait) => wait >= span / 2 && wait < span),
      `${span}`,
    );
    // Not in step: those who failed together come back at times of their own.
    assert(Math.max(...column) - Math.min(...column) > 0.4 * span, `${span}`);
  }
});

test("reset makes the next wait a first one, and no wait ever overflows", () => {
  const backoff = new Backoff(1, 1e9, seededRandom(2));
  for (let failure = 0; failure < 5000; failure++) backoff.next();
  assertEquals(Number.isFinite(backoff.next()), true);
  backoff.reset();
  assert(backoff.next() < 1);
});
