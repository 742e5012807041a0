/** Maps and reduces as tasks of a fleet: what the simulator found, as cases of their own. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { MapReduceJob, MapReduceTask } from "../../mapreduce/fleet_job.ts";
import { BACKUP_MS, ELSEWHERE_MS } from "../../mapreduce/limits.ts";
import { Pace, PaceOfAll } from "../../mapreduce/pace.ts";
import { Fleet } from "../../work/fleet.ts";
import { DEFAULT_FLEET_LIMITS } from "../../work/limits.ts";
import { Worker } from "../../work/roster.ts";
import { Account } from "../../work/scheduler.ts";
import type { Task } from "../../work/task.ts";

const TERMS = {
  application: "wc",
  reducers: 1,
  skipBad: false,
  asRecords: false,
  sortMib: 1,
  timeoutMs: 1000,
  memoryMib: 100,
  share: "",
  out: "",
  keep: false,
};

/** A fleet of two workers, 1 and 2, of which the first, or both, were seen to work. */
class World {
  readonly assigned: MapReduceTask[] = [];
  readonly stopped: Task[] = [];
  readonly fleet: Fleet;
  readonly workers: Worker<Task>[];

  constructor(isSecondNew = false) {
    this.fleet = new Fleet(DEFAULT_FLEET_LIMITS, {
      assign: (task) => void this.assigned.push(task as MapReduceTask),
      shrink: () => assert(false, "a map is never cut"),
      stop: (task) => void this.stopped.push(task),
      done: () => {},
      hopeless: () => {},
      stalled: () => {},
      letGo: () => {},
    });
    this.workers = [1, 2].map((connId) => {
      const options = { connId, steerable: true, threads: 1, label: "", name: "", rate: 0 };
      const worker = new Worker<Task>(options, 0);
      if (connId === 1 || !isSecondNew) worker.prove(0, DEFAULT_FLEET_LIMITS);
      this.fleet.join(worker, 0);
      return worker;
    });
  }

  job(sizes: readonly number[], capable: readonly number[] = [1, 2]): MapReduceJob {
    const origin = { connId: 9, number: 1, uid: 1, id: 1, address: "", terms: TERMS, key: "" };
    const pace = new Pace(new PaceOfAll(DEFAULT_FLEET_LIMITS, () => 1e5));
    const base = { account: new Account(), seq: this.fleet.takeSeq(), nowMs: 0, pace };
    const job = new MapReduceJob(origin, sizes, base, () => capable);
    this.fleet.addJob(job, 0);
    return job;
  }

  /** Ticks from one time to another, while the workers say that they live. */
  run(fromMs: number, toMs: number): void {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) {
      for (const task of this.assigned) {
        const { worker, owner } = task;
        if (owner !== undefined) owner.nowMs = nowMs;
        if (worker.tasks.includes(task)) this.fleet.alive(task, nowMs);
      }
      this.fleet.tick(nowMs);
    }
  }

  died(task: MapReduceTask, nowMs: number): void {
    const job = task.owner!;
    job.failed(task.planned, nowMs);
    job.plan.died(task.planned, task.worker.connId, "died");
    task.abandon();
    this.fleet.end(task, nowMs);
    this.fleet.update(job);
    this.fleet.settle(task.worker, job, nowMs);
  }
}

describe("maps on a fleet", () => {
  test("two run at once, and none is handed out twice while its worker lives", () => {
    const world = new World();
    world.job([100, 100]);
    assertEquals(
      world.assigned.map(({ worker, planned }) => [worker.connId, planned.index]),
      [
        [1, 0],
        [2, 1],
      ],
    );
    for (const task of world.assigned) task.startedMs = 0;
    world.run(0, BACKUP_MS - 100);
    assertEquals(world.assigned.length, 2);
  });

  test("an idle worker backs up one that runs for long, and again when that copy died", () => {
    const world = new World();
    const job = world.job([100]);
    const [first] = world.assigned;
    first!.startedMs = 0;
    world.run(0, BACKUP_MS + 200);
    assertEquals(
      world.assigned.map(({ worker }) => worker.connId),
      [1, 2],
    );
    world.died(world.assigned[1]!, BACKUP_MS + 300);
    world.run(BACKUP_MS + 400, BACKUP_MS + ELSEWHERE_MS + 1000);
    assertEquals(
      world.assigned.map(({ worker }) => worker.connId),
      [1, 2, 2],
    );
    assert(job.plan.done(first!.planned, 1, [{ bytes: 1, hash: "" }]));
    assertEquals(job.plan.done(first!.planned, 2, [{ bytes: 1, hash: "" }]), false);
  });

  test("so does one that has not been seen to work yet", () => {
    const world = new World(true);
    world.job([100]);
    world.assigned[0]!.startedMs = 0;
    world.run(0, BACKUP_MS + 200);
    assertEquals(
      world.assigned.map(({ worker }) => worker.connId),
      [1, 2],
    );
  });

  test("a worker of several threads gets as many as it runs, and one to wait", () => {
    const world = new World();
    world.workers[0]!.capacity = 3;
    world.job(Array.from({ length: 20 }, () => 100));
    assertEquals(
      world.workers.map((worker) => worker.tasks.length),
      [4, 2],
    );
  });

  test("a task that failed goes to another worker", () => {
    const world = new World();
    world.job([100]);
    world.died(world.assigned[0]!, 100);
    assertEquals(
      world.assigned.map(({ worker }) => worker.connId),
      [1, 2],
    );
  });

  test("one that waits for another worker comes back when none takes it", () => {
    const world = new World();
    const job = world.job([100], [1, 99]);
    world.died(world.assigned[0]!, 100);
    const tick = (nowMs: number): void => {
      job.nowMs = nowMs;
      world.fleet.tick(nowMs);
    };
    for (let nowMs = 200; nowMs < 100 + ELSEWHERE_MS; nowMs += 100) tick(nowMs);
    assertEquals(world.assigned.length, 1);
    tick(100 + ELSEWHERE_MS);
    assertEquals(
      world.assigned.map(({ worker }) => worker.connId),
      [1, 1],
    );
  });
});
