/** Which range a key belongs to, against a look at one range after the other. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Boundaries } from "../../kv/boundaries.ts";

test("a key belongs to the last range that begins at it or before, whatever came and went", () => {
  const key = fc
    .tuple(
      fc.constantFrom("", "a", "key", "user0000"),
      fc.string({ unit: "binary-ascii", maxLength: 9 }),
    )
    .map(([head, tail]) => head + tail);
  const step = fc.record({ key, isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(key), (steps, others) => {
      const boundaries = new Boundaries();
      const froms = [""];
      for (const { key: from, isRemoval } of steps) {
        const at = froms.findLastIndex((one) => one <= from);
        if (isRemoval && froms.length > 1) {
          boundaries.remove(at);
          froms.splice(at, 1);
          froms[0] = "";
        } else if (froms[at] !== from) {
          boundaries.insert(at + 1, from);
          froms.splice(at + 1, 0, from);
        }
        for (const other of [from, `${from}\0`, ...others, ...froms]) {
          const expected = froms.findLastIndex((one) => one <= other);
          assertEquals(boundaries.rangeOf(other), expected, JSON.stringify([other, froms]));
        }
      }
    }),
    { numRuns: 100 },
  );
});
