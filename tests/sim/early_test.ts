/** Which campaigns a run of tests starts in the background. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { campaignsOf, EARLY } from "./early.ts";

const harnesses = (...words: string[]): string[] => campaignsOf(words).map(([harness]) => harness);

test("a run of all tests starts every campaign; one of some, those of its files alone", () => {
  assertEquals(harnesses().length, EARLY.length);
  assertEquals(harnesses("--randomize", "--seed=3", "--reporter=junit", "--bail"), harnesses());
  assertEquals(harnesses("tests/kv/", "raft/campaign"), ["raft-nodes", "raft-messages", "kv"]);
  assertEquals(harnesses("./tests/sim/lsp_test.ts", "--reporter-outfile=/x/kv"), ["lsp"]);
  assertEquals(harnesses("tests/base/"), []);
  assertEquals(harnesses("tests/kv/", "--test-name-pattern", "leases"), []);
});

test("the table names tests that are there and know their campaign", () => {
  for (const { test: name, campaign } of EARLY) {
    const path = join(import.meta.dirname, "..", name);
    assert(existsSync(path), name);
    const [, first, count] = campaign;
    const text = readFileSync(path, "utf8").replaceAll("_", "");
    for (const number of [first, count]) assert(text.includes(`${number}`), `${name}: ${number}`);
  }
});
