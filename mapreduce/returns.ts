/**
 * Workers that come back, to this server or to the next: what they still have of jobs counts if it
 * was believed before, what they finished meanwhile they say again, and what they run goes on.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { KindPort } from "../server/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type { HaveRow, MrHave } from "../work/mapreduce_messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import type { MapReduceJob } from "./fleet_job.ts";
import { digestOfParts } from "./parts_digest.ts";
import type { PlannedTask } from "./plan.ts";

type Sender = Worker<Task>;

/** What is needed of the coordinator. */
export interface ReturnsPort {
  jobOf(uid: number): MapReduceJob | undefined;
  /** The task has its result again. */
  found(job: MapReduceJob, planned: PlannedTask): void;
  review(job: MapReduceJob, nowMs: Millis): void;
}

/** See the module. */
export class Returns {
  readonly #fleet: Fleet;
  readonly #port: KindPort;
  readonly #owner: ReturnsPort;

  constructor(fleet: Fleet, port: KindPort, owner: ReturnsPort) {
    this.#fleet = fleet;
    this.#port = port;
    this.#owner = owner;
  }

  /** A worker says what it has of a job. */
  have(worker: Sender, { uid, rows }: MrHave, nowMs: Millis): void {
    const job = this.#owner.jobOf(uid);
    if (job === undefined) return this.#port.write(worker.connId, { kind: "mr-forget", uid });
    job.touched.add(worker.connId);
    for (const row of rows) this.#take(job, worker, row, nowMs);
    this.#fleet.spare(job.tasks, undefined, nowMs);
    this.#owner.review(job, nowMs);
  }

  #take(job: MapReduceJob, worker: Sender, row: HaveRow, nowMs: Millis): void {
    const { plan, origin } = job;
    const planned = (row.isMap ? plan.maps : plan.reduces)[row.index];
    if (planned === undefined) return this.#port.reject("a result of an unknown task");
    if (planned.isDone || planned.runners.has(worker.connId)) return;
    const { claim } = planned;
    if (row.isDone && claim !== undefined && digestOfParts(claim) === row.hash) {
      plan.found(planned, worker.connId);
      return this.#owner.found(job, planned);
    }
    // What it finished for a server that never heard of it, it says again as this one's task.
    if (worker.tasks.length >= this.#fleet.limits.maxOutstandingTasks) return;
    const task = job.adopt(planned, worker, nowMs);
    this.#fleet.adopt(task, nowMs);
    const { id: uid } = origin;
    const { isMap, index } = row;
    this.#port.write(worker.connId, { kind: "mr-adopt", task: task.id, uid, isMap, index });
  }
}
