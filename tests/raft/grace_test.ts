/** A process that stood still takes what came meanwhile before it stands for election. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Grace } from "../../raft/grace.ts";

const T = 300;

describe("Grace", () => {
  test("lets a wake-up through that comes in time, or a little late", () => {
    const grace = new Grace(T);
    assertEquals(grace.isHeld(1000, 1000), false);
    assertEquals(grace.isHeld(1000, 1000 + T / 4 - 1), false);
    assertEquals(grace.wakeAtMs(1234), 1234);
  });

  test("holds one that is late by much for a moment, once", () => {
    const grace = new Grace(T);
    assert(grace.isHeld(1000, 1500));
    const againMs = grace.wakeAtMs(1000)!;
    assert(againMs > 1500 && againMs < 1500 + T / 4);
    assert(grace.isHeld(1000, againMs - 1));
    // However late that is: it must not be put off for ever.
    assertEquals(grace.isHeld(1000, againMs + 10 * T), false);
    assertEquals(grace.wakeAtMs(1000), 1000);
  });

  test("leaves alone a node that waits for nothing", () => {
    assertEquals(new Grace(T).isHeld(undefined, 1e9), false);
  });
});
