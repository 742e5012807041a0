/** The plan: what is handed out when, what counts, and when a job fails. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { DEATHS_MAX, THROWS_MAX } from "../../mapreduce/limits.ts";
import { Plan, type PlannedTask } from "../../mapreduce/plan.ts";

const PART = { bytes: 10, hash: "" };
const partsOf = (plan: Plan, task: PlannedTask): (typeof PART)[] =>
  task.kind === "map" ? plan.reduces.map(() => PART) : [PART];
const nobody = (): boolean => false;

function run(plan: Plan, worker: number): PlannedTask {
  const task = plan.next(worker, nobody)!;
  plan.start(task, worker);
  return task;
}

describe("a plan", () => {
  test("hands out reduces when all maps are done, and is done when outputs are final", () => {
    const plan = new Plan([1, 2], 2);
    const [first, second] = [run(plan, 1), run(plan, 2)];
    assertEquals(plan.next(3, nobody), undefined);
    plan.done(first, 1, partsOf(plan, first));
    assertEquals(plan.next(1, nobody), undefined);
    plan.done(second, 2, partsOf(plan, second));
    for (const worker of [1, 2]) {
      const reduce = run(plan, worker);
      assertEquals([reduce.kind, reduce.bytes], ["reduce", 20]);
      assert(plan.done(reduce, worker, [PART]));
      assert(!plan.isDone);
      assert(plan.finalize(reduce));
      assert(!plan.finalize(reduce));
    }
    assert(plan.isDone);
  });

  test("an empty input has outputs all the same", () => {
    const plan = new Plan([], 1);
    assertEquals(run(plan, 1).kind, "reduce");
  });

  test("the first result of a task that runs twice counts", () => {
    const plan = new Plan([1], 1);
    const task = run(plan, 1);
    plan.race(task);
    assertEquals(plan.next(1, nobody), undefined);
    assertEquals(run(plan, 2), task);
    assert(plan.done(task, 2, [PART]));
    assert(!plan.done(task, 1, [PART]));
    assertEquals([task.holder, plan.superfluous, plan.mapsDone], [2, 1, 1]);
  });

  test("a task that throws goes to another worker where there is one, and fails the job", () => {
    const plan = new Plan([1], 1);
    const task = run(plan, 1);
    plan.threw(task, 1, "Error: no");
    assertEquals(
      plan.next(1, () => true),
      undefined,
    );
    assertEquals(
      plan.next(2, () => true),
      task,
    );
    for (let i = 1; i < THROWS_MAX; i++) {
      assertEquals(plan.failure, undefined);
      plan.threw(run(plan, 1), 1, "Error: no");
    }
    assertEquals(plan.failure, `map 0 failed ${THROWS_MAX} times: Error: no`);
    assertEquals(plan.next(2, nobody), undefined);
  });

  test("one whose workers are lost is tried longer", () => {
    const plan = new Plan([1], 1);
    for (let i = 0; i < DEATHS_MAX; i++) {
      assertEquals(plan.failure, undefined);
      run(plan, i);
      plan.lost(i, "worker lost");
    }
    assertEquals(plan.failure, `map 0 failed ${DEATHS_MAX} times: worker lost`);
  });

  test("maps of a lost worker run again only while a reduce needs them", () => {
    const plan = new Plan([1, 1], 2);
    for (const worker of [1, 2]) {
      const task = run(plan, worker);
      plan.done(task, worker, partsOf(plan, task));
    }
    const reduces = [run(plan, 3), run(plan, 4)];
    plan.done(reduces[0]!, 3, [PART]);
    reduces[1]!.hasInputs = true;
    plan.lost(1, "");
    assertEquals(plan.ready.size, 0);
    plan.lost(4, "");
    assertEquals(run(plan, 5).kind, "map");
    assertEquals(plan.next(6, nobody), undefined);
  });

  test("a reduce that has fetched all may still be raced", () => {
    const plan = new Plan([], 1);
    const task = run(plan, 1);
    task.hasInputs = true;
    plan.race(task);
    assertEquals(run(plan, 2), task);
  });

  test("ends in any order of events, with every result once, and each reduce behind its maps", () => {
    const events = fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 400 });
    const size = fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 4 }));
    fc.assert(
      fc.property(events, size, (steps, [maps, reducers]) => {
        const plan = new Plan(
          Array.from({ length: maps }, () => 1),
          reducers,
        );
        const running = new Map<number, PlannedTask>();
        const step = (event: number, worker: number): void => {
          const task = running.get(worker);
          if (task === undefined) {
            const next = plan.next(worker, nobody);
            if (next === undefined) return;
            if (next.kind === "reduce") assert(plan.areMapsDone, "a reduce before its maps");
            plan.start(next, worker);
            running.set(worker, next);
            return;
          }
          running.delete(worker);
          if (event === 0 && task.deaths < DEATHS_MAX - 1) plan.lost(worker, "lost");
          else if (event === 1) plan.release(task, worker);
          else if (event === 2) {
            plan.race(task);
            running.set(worker, task);
          } else if (plan.done(task, worker, partsOf(plan, task)) && task.kind === "reduce") {
            plan.finalize(task);
          }
        };
        for (const [event, worker] of steps) step(event, worker);
        assertEquals(plan.failure, undefined);
        for (let i = 0; i < 200 && !plan.isDone; i++) step(5, i % 4);
        assert(plan.isDone);
      }),
    );
  });
});
