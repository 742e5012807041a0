/** What people call a job. */
import { test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { idFor, idFrom, idText } from "../../work/job_id.ts";

test("idText and idFrom: every number is two words of its own, however they are typed", () => {
  // From the paper's table: 127.0.0.1 and 63.84.220.193.
  assertEquals([idText(0x7f000001), idText(0x3f54dcc1)], ["lusab-babad", "gutih-tugad"]);
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 32 - 1 }), (id) => {
      const text = idText(id);
      assertMatch(text, /^[a-z]{5}-[a-z]{5}$/);
      for (const typed of [text, text.toUpperCase(), text.replace("-", ""), ` ${text} `]) {
        assertEquals(idFrom(typed), id);
      }
    }),
  );
});

test("idFrom: what is no id says so", () => {
  for (const text of ["", "lusab", "lusab-babae", "lusab--babad", "lusab-babad-x", "17"]) {
    assertEquals(idFrom(text), undefined);
  }
});

test("idFor: the same name is called the same, unless that is taken", () => {
  const name = { session: 5n, number: 1 };
  const id = idFor(name, () => false);
  assertEquals(
    idFor({ ...name }, () => false),
    id,
  );
  const other = idFor(name, (taken) => taken === id);
  assert(other !== id && other > 0);
});
