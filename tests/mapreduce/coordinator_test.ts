/** Map-reduce at the server against peers that break the rules: counted, and never believed. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ASKED_MAX, DEATHS_MAX, HELD_MAX, REDUCERS_MAX } from "../../mapreduce/limits.ts";
import type { MapReduceMessage } from "../../work/mapreduce_messages.ts";
import { Desk, PART, TERMS } from "./server_desk.ts";

const NOTHING = new Uint8Array();

const get = (id: number, holder: number, job = 1): MapReduceMessage => {
  return {
    kind: "mr-get",
    id,
    holder,
    job,
    item: { kind: "split", index: 0 },
    offset: 0,
    length: 9,
  };
};

describe("jobs", () => {
  test("that make no sense are refused in one line", () => {
    const desk = new Desk();
    for (const [terms, why] of [
      [{ reducers: 0 }, /reducers must be 1\.\.1000, got 0/],
      [{ application: "nothing" }, /the application is "nothing": there is no such application/],
      [{ application: "grep:(" }, /the application is "grep:\("/],
      [{ sortMib: 0 }, /the memory for sorting must be/],
      [{ timeoutMs: 0 }, /the limit of a task must be/],
    ] as const) {
      desk.say(7, {
        kind: "mr-submit",
        job: 1,
        terms: { ...TERMS, ...terms },
        maps: 1,
        port: 0,
        key: "",
      });
      assertMatch(desk.last(7, "refused").reason, why);
    }
    desk.say(7, { kind: "mr-submit", job: 1, terms: TERMS, maps: 1_000_000, port: 0, key: "" });
    assertMatch(desk.last(7, "refused").reason, /at most 100000 splits/);
    assert(REDUCERS_MAX === 1000);
    desk.submit(7);
    desk.say(7, { kind: "mr-submit", job: 2, terms: TERMS, maps: 1, port: 0, key: "" });
    assertMatch(desk.last(7, "refused").reason, /one map-reduce job at a time/);
  });

  test("splits out of order, of nobody or too many change nothing", () => {
    const desk = new Desk();
    desk.say(7, { kind: "mr-splits", job: 1, first: 0, sizes: [1] });
    desk.say(7, { kind: "mr-submit", job: 1, terms: TERMS, maps: 2, port: 0, key: "" });
    desk.say(7, { kind: "mr-splits", job: 1, first: 1, sizes: [1] });
    desk.say(7, { kind: "mr-splits", job: 1, first: 0, sizes: [1, 1, 1] });
    desk.say(7, { kind: "mr-splits", job: 1, first: 0, sizes: [] });
    assertEquals(desk.rejected, { "splits of an unknown job": 1, "splits out of order": 3 });
    assertEquals([...desk.coordinator.jobs].length, 0);
  });

  test("code of users goes only to who runs it", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.submit(7, { application: `code:${"a".repeat(64)}` });
    assertEquals(desk.heard(1), []);
    assertMatch(desk.last(7, "mr-note").text, /--allow-code/);
    desk.worker(2, true);
    assertEquals(desk.last(2, "mr-map").index, 0);
  });

  test("a job whose client is gone goes on, and is forgotten when nobody asks for it", () => {
    const desk = new Desk(2_000);
    desk.worker(1);
    desk.submit(7);
    desk.gone(7);
    assertEquals(
      desk.heard(1).map(({ kind }) => kind),
      ["mr-map"],
    );
    desk.wake(1_999);
    assertEquals([...desk.coordinator.jobs].length, 1);
    desk.wake(2_200);
    const said = desk.heard(1).map(({ kind }) => kind);
    assert(said.includes("mr-forget") && said.includes("stop"), `${said}`);
    assertEquals([...desk.coordinator.jobs].length, 0);
  });
});

describe("workers", () => {
  test("a result of the wrong kind or size, or of no task, is not believed", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.submit(7, {}, 1);
    const { task } = desk.last(1, "mr-map");
    desk.say(1, { kind: "mr-mapped", task: task + 5, parts: [PART, PART], note: "" });
    desk.say(1, { kind: "mr-progress", task: task + 5, bytes: 1, runs: true });
    const ended = { task: task + 5, why: "died", text: "", map: 0, holder: 0 } as const;
    desk.say(1, { kind: "mr-ended", ...ended });
    assertEquals(desk.rejected, {
      "result of an unknown task": 1,
      "progress of an unknown task": 1,
      "the end of an unknown task": 1,
    });
    desk.say(1, { kind: "mr-mapped", task, parts: [PART], note: "" });
    const [job] = desk.coordinator.jobs;
    assertEquals([job!.plan.mapsDone, job!.plan.failures], [0, 1]);
    const again = desk.last(1, "mr-map");
    desk.say(1, { kind: "mr-reduced", task: again.task, output: PART, note: "" });
    assertEquals([job!.plan.mapsDone, job!.plan.failures], [0, 2]);
    assertEquals(desk.rejected["a result of the wrong kind"], 2);
  });

  test("one that says it has what nobody can fetch cannot keep a job for ever", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.worker(2);
    desk.submit(7, { reducers: 1 }, 1);
    for (let i = 0; i < 100; i++) {
      for (const connId of [1, 2]) {
        for (const message of desk.heard(connId)) {
          const { task } = message as { task: number };
          if (message.kind === "mr-map") {
            desk.say(connId, { kind: "mr-mapped", task, parts: [PART], note: "" });
          } else if (message.kind === "mr-sources") {
            const { holder } = message.sources[0]!;
            const ended = { task, why: "missing", text: "gone", map: 0, holder } as const;
            desk.say(connId, { kind: "mr-ended", ...ended });
          }
        }
      }
      desk.nowMs += 6_000;
      desk.core.handle({ kind: "wake" }, desk.nowMs);
    }
    assertMatch(
      desk.last(7, "mr-failed").reason,
      new RegExp(`map 0 failed ${DEATHS_MAX} times: gone`),
    );
  });

  test("messages of clients from a worker, and of workers from a client, are counted", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.submit(7);
    desk.say(1, { kind: "mr-final", job: 1, reduce: 0, good: true });
    desk.say(7, { kind: "mr-offer", code: true, tasks: 1, port: 0 });
    desk.say(7, { kind: "mr-final", job: 1, reduce: 99, good: true });
    desk.say(9, { kind: "mr-done", job: 1 });
    assertEquals(desk.rejected, {
      "mr-final from a worker": 1,
      "mr-offer from a client": 1,
      "an unknown output": 1,
      "mr-done from a client": 1,
    });
  });
});

describe("data", () => {
  test("is for those who work on the job, or asked for it, and from those who have it", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.worker(2);
    desk.submit(7);
    const { uid } = desk.last(1, "mr-map");
    const refused = (connId: number): boolean =>
      desk.heard(connId).some((message) => message.kind === "mr-piece" && !message.found);
    // A stranger, a worker without a task, a holder that is none, a job that there is not.
    for (const [connId, message] of [
      [9, get(1, 7, uid)],
      [2, get(1, 7, uid)],
      [1, get(1, 2, uid)],
      [1, get(1, 7, uid + 1)],
    ] as const) {
      desk.say(connId, message);
      assert(refused(connId), `${connId} is not refused`);
    }
    assertEquals(desk.heard(7).filter(({ kind }) => kind === "mr-asked").length, 0);
    desk.say(1, get(5, 7, uid));
    const asked = desk.last(7, "mr-asked");
    // An answer by somebody else, and one twice.
    desk.say(2, { kind: "mr-piece", id: asked.id, found: true, bytes: Uint8Array.of(6) });
    desk.say(7, { kind: "mr-piece", id: asked.id, found: true, bytes: Uint8Array.of(1, 2) });
    desk.say(7, { kind: "mr-piece", id: asked.id, found: true, bytes: Uint8Array.of(3) });
    assertEquals(desk.heard(1), [
      { kind: "mr-piece", id: 5, found: true, bytes: Uint8Array.of(1, 2) },
    ]);
    assertEquals(desk.rejected, { "a piece that nobody asked for": 2 });
    assertEquals(desk.coordinator.relay.size, 0);
  });

  test("nobody can ask for more than a few pieces at a time, nor wear a holder out", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.submit(7);
    const { uid } = desk.last(1, "mr-map");
    for (let id = 1; id <= ASKED_MAX + 20; id++) desk.say(1, get(id, 7, uid));
    assertEquals(desk.rejected, { "too many pieces asked for": 20 });
    assertEquals(desk.heard(1).length, 20);
    const asked = desk.heard(7).filter((message) => message.kind === "mr-asked");
    assertEquals(asked.length, HELD_MAX);
    assertEquals(desk.coordinator.relay.size, ASKED_MAX);
    desk.say(7, { kind: "mr-piece", id: asked[0]!.id, found: false, bytes: NOTHING });
    const next = desk.last(7, "mr-asked");
    desk.gone(1);
    for (const { id } of [...asked.slice(1), next]) {
      desk.say(7, { kind: "mr-piece", id, found: false, bytes: NOTHING });
    }
    // Those that waited were of somebody who is gone.
    assertEquals(desk.heard(7).filter(({ kind }) => kind === "mr-asked").length, 0);
    assertEquals(desk.coordinator.relay.size, 0);
  });

  test("what was asked of a holder that is lost cannot be had", () => {
    const desk = new Desk();
    desk.worker(1);
    desk.submit(7);
    const { uid } = desk.last(1, "mr-map");
    desk.say(1, get(3, 7, uid));
    desk.gone(7);
    assertEquals(desk.last(1, "mr-piece"), {
      kind: "mr-piece",
      id: 3,
      found: false,
      bytes: NOTHING,
    });
    assertEquals(desk.coordinator.relay.size, 0);
  });
});
