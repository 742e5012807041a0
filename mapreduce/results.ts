/**
 * What workers say of their tasks at the server: progress, results, and ends without one. The first
 * result of a task counts.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { KindPort } from "../server/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type {
  MrEnded,
  MrMapped,
  MrOffer,
  MrProgress,
  MrReduced,
  WirePart,
} from "../work/mapreduce_messages.ts";
import type { Message } from "../work/messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { type MapReduceJob, MapReduceTask } from "./fleet_job.ts";
import type { PlannedTask } from "./plan.ts";

type Sender = Worker<Task>;

/** What is needed of the coordinator. */
export interface ResultsPort {
  offered(worker: Sender, offer: MrOffer, nowMs: Millis): void;
  note(job: MapReduceJob, text: string): void;
  /** The task has its result. */
  believed(job: MapReduceJob, planned: PlannedTask): void;
  /** What was believed of the task cannot be had. */
  missed(job: MapReduceJob, planned: PlannedTask): void;
  /** Ends the job if its plan failed; whether it did. */
  failIfNeeded(job: MapReduceJob, nowMs: Millis): boolean;
}

/** See the module. */
export class Results {
  readonly #fleet: Fleet;
  readonly #port: KindPort;
  readonly #owner: ResultsPort;

  constructor(fleet: Fleet, port: KindPort, owner: ResultsPort) {
    this.#fleet = fleet;
    this.#port = port;
    this.#owner = owner;
  }

  /** Takes a message of a worker; false: it is not about map-reduce. */
  handle(worker: Sender, message: Message, nowMs: Millis): boolean {
    switch (message.kind) {
      case "mr-offer":
        this.#owner.offered(worker, message, nowMs);
        return true;
      case "mr-progress":
        this.#progress(worker, message, nowMs);
        return true;
      case "mr-mapped":
        this.#result(worker, message, message.parts, nowMs);
        return true;
      case "mr-reduced":
        this.#result(worker, message, [message.output], nowMs);
        return true;
      case "mr-ended":
        this.#ended(worker, message, nowMs);
        return true;
      case "stopped":
        // Answers an order to stop something that the worker knows nothing of.
        return worker.task(message.chunk) instanceof MapReduceTask;
      default:
        if (message.kind.startsWith("mr-")) this.#port.reject(`${message.kind} from a worker`);
        return message.kind.startsWith("mr-");
    }
  }

  #progress(worker: Sender, { task: id, bytes, runs }: MrProgress, nowMs: Millis): void {
    const task = taskOf(worker, id);
    if (task === undefined) return this.#port.reject("progress of an unknown task");
    if (runs) {
      task.startedMs ??= nowMs;
      if (task.planned.kind === "reduce") task.planned.hasInputs = true;
    }
    const job = task.owner;
    this.#advance(task, task.unitsFor(bytes), nowMs);
    if (job !== undefined && runs && task.planned.kind === "reduce") this.#fleet.review(job, nowMs);
  }

  /** So many of its units are done in all. */
  #advance(task: MapReduceTask, done: bigint, nowMs: Millis): void {
    const news = done > task.done ? done - task.done : 0n;
    task.done += news;
    this.#fleet.heard(task, news, nowMs);
    this.#fleet.alive(task, nowMs);
  }

  #result(
    worker: Sender,
    { task: id, kind, note }: MrMapped | MrReduced,
    parts: readonly WirePart[],
    nowMs: Millis,
  ): void {
    const task = taskOf(worker, id);
    if (task === undefined) return this.#port.reject("result of an unknown task");
    const { planned, owner: job } = task;
    const isRight = (kind === "mr-mapped") === (planned.kind === "map");
    const expected = planned.kind === "map" ? job?.origin.terms.reducers : 1;
    if (job !== undefined && (!isRight || parts.length !== expected)) {
      this.#port.reject("a result of the wrong kind");
      return this.#close(task, nowMs, () =>
        job.plan.died(planned, worker.connId, "a wrong result"),
      );
    }
    this.#advance(task, task.units, nowMs);
    if (task.startedMs !== undefined) {
      job?.pace.add(worker, planned.bytes, (nowMs - task.startedMs) / 1000);
    }
    this.#close(task, nowMs, () => {
      if (job === undefined || !job.plan.done(planned, worker.connId, parts)) return;
      if (note !== "") this.#owner.note(job, note);
      this.#fleet.spare(job.tasks, task, nowMs);
      this.#owner.believed(job, planned);
    });
  }

  #ended(worker: Sender, { task: id, why, text, map, holder }: MrEnded, nowMs: Millis): void {
    const task = taskOf(worker, id);
    if (task === undefined) return this.#port.reject("the end of an unknown task");
    const { planned, owner: job } = task;
    this.#close(task, nowMs, () => {
      if (job === undefined) return;
      const { plan } = job;
      const { connId } = worker;
      if (why === "died" && task.isUntouched && task.supplier !== job.supplier) {
        // What it needs of the client cannot be had at present.
        job.barren.add(connId);
        return plan.release(planned, connId);
      }
      if (why === "threw" || why === "died") job.failed(planned, nowMs);
      if (why === "threw") plan.threw(planned, connId, text);
      else if (why === "stopped" && task.stopping) plan.release(planned, connId);
      else if (why !== "missing" || planned.kind === "map") plan.died(planned, connId, text);
      else {
        plan.release(planned, connId);
        const lost = plan.maps[map];
        // It may have been made again elsewhere in the meantime.
        if (lost?.holder !== holder) return;
        plan.missed(lost, text);
        this.#owner.missed(job, lost);
      }
    });
  }

  /** The task is over; `judge` says what that means for the plan. */
  #close(task: MapReduceTask, nowMs: Millis, judge: () => void): void {
    const { worker, owner: job } = task;
    judge();
    task.abandon();
    this.#fleet.end(task, nowMs);
    if (job !== undefined) {
      this.#fleet.update(job);
      this.#owner.failIfNeeded(job, nowMs);
    }
    this.#fleet.settle(worker, job, nowMs);
  }
}

function taskOf(worker: Sender, id: number): MapReduceTask | undefined {
  const task = worker.task(id);
  return task instanceof MapReduceTask ? task : undefined;
}
