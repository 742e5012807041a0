/** As many hashing threads as the system allows, with a line when that is fewer than wanted. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { startableThreads } from "../../miner/thread_count_adapter.ts";
import { Failure } from "../../run/errors.ts";

const limit = (left: number) => ({ left, source: "pids.max of /x is 40" });

describe("startableThreads()", () => {
  test("is what is wanted where nothing limits it, and where there is room", () => {
    const lines: string[] = [];
    assertEquals(
      startableThreads(16, (text) => lines.push(text), undefined),
      16,
    );
    assertEquals(
      startableThreads(16, (text) => lines.push(text), limit(1000)),
      16,
    );
    assertEquals(lines, []);
  });

  test("is fewer beside what Bun needs itself, and one at least, and says so once", () => {
    for (const left of [10, 30, 45]) {
      const lines: string[] = [];
      const threads = startableThreads(1024, (text) => lines.push(text), limit(left));
      assert(threads >= 1 && threads < left, `${threads} of ${left}`);
      assertEquals(lines.length, 1);
      assertStringIncludes(lines[0]!, "pids.max of /x is 40");
      assertStringIncludes(lines[0]!, `going on with ${threads}`);
    }
  });

  test("throws one line where not even one thread would come up", () => {
    const error = assertThrows(() => startableThreads(1, () => {}, limit(9)), Failure);
    assertStringIncludes(error.message, "pids.max of /x is 40");
  });
});
