/** Jobs by id: they outlive the connection of their client, and anybody may ask for them. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { FOLLOWERS_MAX, THROWS_MAX } from "../../mapreduce/limits.ts";
import type { AttachWish, JobTerms, MapReduceMessage } from "../../work/mapreduce_messages.ts";
import { Desk, PART, TERMS } from "./server_desk.ts";

describe("jobs by id", () => {
  const KEY = "ab".repeat(32);
  const attach = (wish: AttachWish, id: number, key = ""): MapReduceMessage => {
    return { kind: "mr-attach", job: 3, id, key, wish, port: 0 };
  };

  /** A job of client 7 with two maps and two reducers; its id. */
  function begun(desk: Desk, terms: Partial<JobTerms> = {}): number {
    const all = { ...TERMS, ...terms };
    desk.say(7, { kind: "mr-submit", job: 1, terms: all, maps: 2, port: 0, key: KEY });
    desk.say(7, { kind: "mr-splits", job: 1, first: 0, sizes: [10, 10] });
    return desk.last(7, "mr-attached").id;
  }

  /** Worker 1 does all that it is told to. */
  function work(desk: Desk): void {
    for (let left = 10; left > 0; left--) {
      for (const message of desk.heard(1)) {
        if (message.kind === "mr-map") {
          desk.say(1, { kind: "mr-mapped", task: message.task, parts: [PART, PART], note: "" });
        } else if (message.kind === "mr-reduce") {
          desk.say(1, { kind: "mr-reduced", task: message.task, output: PART, note: "" });
        }
      }
    }
  }

  test("maps wait while nobody has the splits, and go on when the client is back", () => {
    const desk = new Desk();
    const id = begun(desk);
    desk.gone(7);
    desk.worker(1);
    assertEquals(desk.heard(1), []);
    desk.say(8, attach("look", id));
    assertEquals(desk.last(8, "mr-attached").isSupplied, false);
    // The key makes it the one who has them; the id alone does not.
    desk.say(9, attach("follow", id));
    assertEquals(desk.heard(1), []);
    desk.say(8, attach("follow", 0, KEY));
    assertEquals(desk.last(1, "mr-map").holder, 8);
    assertEquals([...desk.coordinator.jobs][0]!.supplier, 8);
  });

  test("outputs are given to who asks for them by the id, once", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk);
    work(desk);
    desk.gone(7);
    desk.say(8, attach("follow", id));
    const kinds = desk.heard(8).map(({ kind }) => kind);
    assertEquals(kinds, ["mr-attached", "mr-status", "mr-output", "mr-output"]);
    for (const reduce of [0, 1]) desk.say(8, { kind: "mr-final", job: 3, reduce, good: true });
    desk.last(8, "mr-done");
    desk.say(9, attach("look", id));
    assertMatch(desk.last(9, "refused").reason, /^there is no job \w+-\w+$/);
  });

  test("outputs that are kept are given to any number, until the job is cancelled", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk, { keep: true });
    work(desk);
    for (const connId of [8, 9]) {
      desk.say(connId, attach("follow", id));
      for (const reduce of [0, 1])
        desk.say(connId, { kind: "mr-final", job: 3, reduce, good: true });
      assert(!desk.heard(connId).some(({ kind }) => kind === "mr-done"));
      desk.gone(connId);
    }
    desk.say(10, attach("cancel", id));
    desk.last(1, "mr-forget");
    assertEquals(desk.last(10, "mr-failed").reason, "it was cancelled");
    assertEquals([...desk.coordinator.jobs].length, 0);
  });

  test("why one failed is kept for who comes later", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk);
    for (let left = 2; left > 0; left--) {
      const { task } = desk.last(1, "mr-map");
      if (left === 1) desk.gone(7);
      desk.say(1, { kind: "mr-mapped", task, parts: [PART, PART], note: "" });
    }
    const failed = { why: "threw", text: "Error: no", map: 0, holder: 0 } as const;
    for (let left = 10 * THROWS_MAX; left > 0; left--) {
      for (const message of desk.heard(1)) {
        if (message.kind === "mr-reduce")
          desk.say(1, { kind: "mr-ended", task: message.task, ...failed });
      }
    }
    desk.say(8, attach("follow", id));
    const reason = desk.last(8, "mr-failed").reason;
    assertMatch(reason, /reduce \d failed 3 times: Error: no/);
  });

  test("are nobody's who asked for --stdout, and have a bounded number of followers", () => {
    const desk = new Desk();
    const id = begun(desk, { asRecords: true });
    desk.say(8, attach("follow", id));
    assertMatch(desk.last(8, "refused").reason, /--stdout/);
    const other = new Desk();
    const followed = begun(other);
    for (let connId = 20; connId < 20 + FOLLOWERS_MAX; connId++) {
      other.say(connId, attach("follow", followed));
    }
    assertMatch(other.last(19 + FOLLOWERS_MAX, "refused").reason, /at most 16 followers/);
    other.say(99, attach("look", followed + 1));
    assertMatch(other.last(99, "refused").reason, /there is no job/);
  });
});
