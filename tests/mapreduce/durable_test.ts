/** Jobs that outlive their server: what its table keeps, and workers that come back. */
import { describe, test } from "bun:test";
import { assertEquals, assertMatch } from "@std/assert";
import { PARTITIONS_MAX, RETURN_MS, THROWS_MAX } from "../../mapreduce/limits.ts";
import { digestOfParts } from "../../mapreduce/parts_digest.ts";
import { Rows } from "../../server/rows.ts";
import { TableMachine } from "../../server/table_machine.ts";
import type { HaveRow, MapReduceMessage, WirePart } from "../../work/mapreduce_messages.ts";
import { Desk, PART, TERMS } from "./server_desk.ts";

const KEY = "ab".repeat(32);
const PARTS: readonly WirePart[] = [PART, { bytes: 7, hash: "11".repeat(32) }];
const HAS_MAP: HaveRow = { isMap: true, index: 0, isDone: true, hash: digestOfParts(PARTS) };
const RUNS_MAP: HaveRow = { isMap: true, index: 1, isDone: false, hash: "" };

/** A job of client 7 with two maps and two reducers, kept, and its number. */
function begun(terms = {}): { readonly desk: Desk; readonly uid: number } {
  const desk = new Desk(undefined, new TableMachine());
  desk.submit(7, terms, 2, KEY);
  return { desk, uid: desk.last(7, "mr-attached").id };
}

/** What worker 1 is told to do, and does: all of it, or the first. */
function work(desk: Desk, most = Infinity): void {
  for (let left = 20; left > 0; left--) {
    for (const message of desk.heard(1)) {
      if (most <= 0) break;
      if (message.kind === "mr-map") {
        desk.say(1, { kind: "mr-mapped", task: message.task, parts: PARTS, note: "" });
      } else if (message.kind === "mr-reduce") {
        desk.say(1, { kind: "mr-reduced", task: message.task, output: PART, note: "" });
      } else continue;
      most--;
    }
  }
  desk.wake(desk.nowMs + 200);
}

/** A worker that comes back with what it has of the job. */
function back(desk: Desk, connId: number, uid: number, ...rows: HaveRow[]): void {
  desk.say(connId, { kind: "join", threads: 1, rate: 0, label: "x", name: "" });
  desk.say(connId, { kind: "mr-have", uid, rows });
  desk.say(connId, { kind: "mr-offer", code: false, tasks: 1, port: 0 });
}

function returned(desk: Desk, connId: number, id = 0): void {
  const [job, wish, key] = [1, "follow", id === 0 ? KEY : ""] as const;
  desk.say(connId, { kind: "mr-attach", job, id, key, wish, port: 0 });
}

const kindsTo = (desk: Desk, connId: number): string[] => desk.heard(connId).map((m) => m.kind);

test("what comes late for a job that is over leaves nothing in the table", () => {
  const rows = new Rows();
  const bytes = Uint8Array.of(7);
  const names = (): string[] => [...rows.all()].map(({ group, row }) => `${group}/${row}`);
  rows.change({ group: "job", row: "map 1", bytes });
  assertEquals(names(), []);
  rows.change({ group: "job", row: "", bytes });
  rows.change({ group: "job", row: "map 1", bytes });
  rows.change({ group: "job", row: "map 0", bytes });
  rows.change({ group: "job", row: "map 1", bytes: undefined });
  assertEquals(names(), ["job/", "job/map 0"]);
  rows.change({ group: "job", row: "", bytes: undefined });
  rows.change({ group: "job", row: "map 0", bytes });
  assertEquals(names(), []);
});

describe("a job whose server is gone", () => {
  test("goes on at the next with what was done: the worker that has it says its SHA-256", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 1);
    desk.restart();
    const [job] = desk.coordinator.jobs;
    assertEquals([job!.origin.id, job!.plan.awaited.size, job!.plan.mapsDone], [uid, 1, 0]);
    returned(desk, 8);
    back(desk, 2, uid, HAS_MAP);
    assertEquals(job!.plan.maps[0]!.holder, 2);
    const orders = desk.heard(2).filter(({ kind }) => kind.startsWith("mr-"));
    assertEquals(
      orders.map((order) => order.kind === "mr-map" && [order.index, order.holder]),
      [[1, 8]],
    );
  });

  test("waits for its workers for a while, then makes again what nobody has", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 2);
    desk.restart();
    returned(desk, 8);
    // Another worker than the one that had them.
    back(desk, 3, uid);
    desk.wake(desk.nowMs + RETURN_MS - 300);
    assertEquals(desk.heard(3).filter(({ kind }) => kind === "mr-map").length, 0);
    desk.wake(desk.nowMs + 500);
    assertEquals(desk.last(3, "mr-map").index, 0);
  });

  test("believes no result but the one that was believed: another is said again", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 1);
    desk.restart();
    back(desk, 3, uid, { ...HAS_MAP, hash: "00".repeat(32) }, { ...HAS_MAP, index: 99 });
    const { task, index } = desk.last(3, "mr-adopt");
    const [job] = desk.coordinator.jobs;
    assertEquals([index, job!.plan.mapsDone], [0, 0]);
    desk.say(3, { kind: "mr-mapped", task, parts: [PART, PART], note: "" });
    assertEquals([job!.plan.maps[0]!.holder, job!.plan.maps[0]!.parts[1]], [3, PART]);
    assertEquals(desk.rejected, { "a result of an unknown task": 1 });
  });

  test("goes on with what a worker is at, as a task of the new server", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 1);
    desk.restart();
    back(desk, 2, uid, HAS_MAP, RUNS_MAP);
    returned(desk, 8);
    const { task, index, isMap } = desk.last(2, "mr-adopt");
    assertEquals([index, isMap], [1, true]);
    desk.worker(3);
    assertEquals(desk.heard(3), []);
    desk.say(2, { kind: "mr-mapped", task, parts: PARTS, note: "" });
    const [job] = desk.coordinator.jobs;
    assertEquals([job!.plan.mapsDone, job!.plan.failures], [2, 0]);
  });

  test("has its outputs, those that are fetched and those that are not", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk);
    desk.heard(7);
    desk.say(7, { kind: "mr-final", job: 1, reduce: 0, good: true });
    desk.wake(desk.nowMs + 200);
    desk.restart();
    const output: HaveRow = {
      isMap: false,
      index: 1,
      isDone: true,
      hash: digestOfParts([PART]),
    };
    returned(desk, 8, uid);
    assertEquals(kindsTo(desk, 8), ["mr-attached", "mr-note", "mr-status"]);
    back(desk, 2, uid, output);
    const { reduce, source } = desk.last(8, "mr-output");
    assertEquals([reduce, source.holder], [1, 2]);
    desk.say(8, { kind: "mr-final", job: 1, reduce: 1, good: true });
    desk.last(8, "mr-done");
    assertEquals([...desk.table!.table.rows.groups], []);
  });

  test("is done when its client says what it has, and the server could not say so", () => {
    const { desk } = begun();
    desk.worker(1);
    work(desk);
    for (const reduce of [0, 1]) {
      if (reduce === 1) desk.restart();
      if (reduce === 1) returned(desk, 7);
      desk.say(7, { kind: "mr-final", job: 1, reduce, good: true });
      desk.wake(desk.nowMs + 200);
    }
    desk.say(7, { kind: "mr-final", job: 1, reduce: 0, good: true });
    desk.last(7, "mr-done");
    assertEquals([...desk.coordinator.jobs].length, 0);
  });

  test("what was damaged is not awaited, and workers forget what is over", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 2);
    const missing = { task: 3, why: "missing", text: "gone", map: 0, holder: 1 } as const;
    desk.say(1, { kind: "mr-ended", ...missing });
    desk.wake(desk.nowMs + 200);
    desk.restart();
    const [job] = desk.coordinator.jobs;
    assertEquals(
      [...job!.plan.awaited].map(({ index }) => index),
      [1],
    );
    back(desk, 2, uid + 1, HAS_MAP);
    assertEquals(desk.last(2, "mr-forget").uid, uid + 1);
  });

  test("why it failed is known to the next server, if nobody heard of it", () => {
    const { desk, uid } = begun();
    desk.worker(1);
    work(desk, 2);
    desk.gone(7);
    const failed = { why: "threw", text: "Error: no", map: 0, holder: 0 } as const;
    // The first order was heard, and not followed, above.
    desk.say(1, { kind: "mr-ended", task: 3, ...failed });
    for (let left = 10 * THROWS_MAX; left > 0; left--) {
      for (const message of desk.heard(1)) {
        if (message.kind !== "mr-reduce") continue;
        desk.say(1, { kind: "mr-ended", task: message.task, ...failed });
      }
    }
    desk.restart();
    assertEquals([...desk.coordinator.jobs].length, 0);
    returned(desk, 9, uid);
    assertMatch(desk.last(9, "mr-failed").reason, /reduce \d failed 3 times: Error: no/);
  });
});

describe("a table", () => {
  test("that cannot keep a job refuses it in one line, and has nothing of it", () => {
    const desk = new Desk(undefined, new TableMachine());
    desk.refusal = "no space left";
    desk.submit(7, {}, 1, KEY);
    assertMatch(desk.last(7, "refused").reason, /cannot keep new jobs now: no space left/);
    desk.refusal = "";
    desk.wake(1_000);
    assertEquals([...desk.table!.table.rows.groups], []);
    desk.submit(7, {}, 1, KEY);
    desk.last(7, "mr-attached");
  });

  test("of a server that ended while a job came in has no half of one", () => {
    const { desk, uid } = begun();
    const { rows } = desk.table!.table;
    rows.change({ group: "mr/5", row: "", bytes: rows.groups.get(`mr/${uid}`)!.get("")! });
    rows.change({ group: `mr/${uid}`, row: "s/0", bytes: undefined });
    desk.restart();
    desk.wake(1_000);
    assertEquals([...desk.coordinator.jobs].length, 0);
    assertEquals([...desk.table!.table.rows.groups], []);
  });

  test("keeps so many partitions of all jobs, and no more", () => {
    const desk = new Desk(undefined, new TableMachine());
    desk.submit(7, { reducers: 1_000 }, 900, KEY);
    desk.last(7, "mr-attached");
    const more: MapReduceMessage = {
      kind: "mr-submit",
      job: 1,
      terms: { ...TERMS, reducers: 1_000 },
      maps: 200,
      port: 0,
      key: KEY,
    };
    desk.say(8, more);
    assertMatch(desk.last(8, "refused").reason, new RegExp(`at most ${PARTITIONS_MAX}`));
  });
});
