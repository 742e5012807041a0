/** What a client's core says of calls that are given up. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { RUN_BYTES_MAX } from "../../kv/limits.ts";
import type { Request } from "../../kv/messages.ts";
import { Desk } from "./client_desk.ts";

describe("writes that are made together", () => {
  /** Puts of one turn of the event loop. */
  function putTogether(desk: Desk, ids: readonly number[]): void {
    const change = { key: "x", at: undefined, value: new Uint8Array(1), lease: 0 };
    const call = { kind: "write", isBare: false, command: { kind: "put", change } } as const;
    const calls = ids.map((id) => ({ id, call, deadlineMs: undefined }));
    desk.tell({ kind: "calls", calls });
  }
  const done = (revision: number) => ({ kind: "done", revision, version: revision }) as const;

  test("are one message, and its answers one", () => {
    const desk = new Desk();
    putTogether(desk, [1, 2, 3]);
    const run = desk.requests.at(-1)!;
    assert(run.kind === "writes");
    assertEquals([run.number, run.lowest, run.count], [1, 1, 3]);
    desk.reply({ kind: "answers", id: run.id, answers: [done(1), done(2), done(3)] });
    const revisions = desk.outcomes.map((one) => "reply" in one && one.reply);
    assertEquals(
      revisions,
      [1, 2, 3].map((i) => ({ kind: "answer", id: run.id + i - 1, answer: done(i) })),
    );
    assertEquals(desk.core.open, 0);
    putTogether(desk, [4, 5]);
    const next = desk.requests.at(-1)!;
    assert(next.kind === "writes");
    assertEquals([next.number, next.lowest], [4, 4]);
  });

  test("are sent again as runs without a gap, when some of them are refused", () => {
    const desk = new Desk();
    putTogether(desk, [1, 2, 3, 4]);
    const run = desk.requests.at(-1)!;
    assert(run.kind === "writes");
    desk.reply({ kind: "denied", id: run.id, why: "overloaded", leader: "" });
    desk.reply({ kind: "answers", id: run.id + 1, answers: [done(1)] });
    for (const at of [2, 3]) {
      desk.reply({ kind: "denied", id: run.id + at, why: "overloaded", leader: "" });
    }
    desk.until(1000);
    const again = desk.requests.slice(-2).map((one) => {
      assert(one.kind === "write" || one.kind === "writes");
      return [one.kind, one.number, one.lowest];
    });
    assertEquals(again, [
      ["write", 1, 1],
      ["writes", 3, 1],
    ]);
  });

  test("are more messages than one, when their bytes are more than an entry takes", () => {
    const desk = new Desk();
    const value = new Uint8Array(RUN_BYTES_MAX / 4);
    const change = { key: "x", at: undefined, value, lease: 0 };
    const call = { kind: "write", isBare: false, command: { kind: "put", change } } as const;
    const ids = Array.from({ length: 10 }, (_, i) => i + 1);
    desk.tell({ kind: "calls", calls: ids.map((id) => ({ id, call, deadlineMs: undefined })) });
    const counts = desk.requests.flatMap((one) => (one.kind === "writes" ? [one.count] : []));
    assertEquals([counts, desk.requests.at(-1)!.kind], [[3, 3, 3], "write"]);
  });
});

describe("a write that is given up", () => {
  test("is unknown while it is under way", () => {
    const desk = new Desk();
    desk.put(1, 100);
    desk.until(150);
    assertEquals(desk.outcomes, [{ failure: "unknown" }]);
  });

  test("is unknown when a server was not sure of it", () => {
    const desk = new Desk();
    desk.put(1, 100);
    desk.deny("unsure");
    // Before it is sent again.
    desk.nowMs = 101;
    desk.tell({ kind: "abort", id: 1 });
    assertEquals(desk.outcomes, [{ failure: "unknown" }]);
  });

  test("was not done when a server certainly did not; its number is used up by nothing", () => {
    const desk = new Desk();
    desk.put(1);
    desk.deny("overloaded");
    desk.tell({ kind: "abort", id: 1 });
    assertEquals(desk.outcomes, [{ failure: "aborted" }]);
    desk.until(1000);
    const last = desk.requests.at(-1) as Request & { readonly kind: "write" };
    assertEquals([last.number, last.command.length < 5], [1, true]);
    desk.put(2);
    const next = desk.requests.at(-1) as Request & { readonly kind: "write" };
    assertEquals([next.number, next.lowest], [2, 1]);
  });

  test("goes into a new session when the old one ended before it was done, else is unknown", () => {
    const desk = new Desk();
    desk.put(1);
    desk.deny("unknown session");
    desk.until(500);
    const kinds = desk.requests.map(({ kind }) => kind);
    assertEquals(kinds, ["open", "write", "open", "write"]);
    desk.tell({ kind: "gone", why: "lost", about: "" });
    desk.until(1000);
    desk.deny("unknown session");
    assertEquals(desk.outcomes, [{ failure: "unknown" }]);
  });
});
