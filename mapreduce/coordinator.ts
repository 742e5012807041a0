/**
 * Map-reduce at the server: takes jobs from clients, has the fleet do their tasks, believes the
 * first result of each, and relays data between those who have it and those who need it.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { oneLine, readableDuration, readablePlural } from "../base/text.ts";
import type { KindPort, WorkKind } from "../server/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type { MrFinal, MrOffer } from "../work/mapreduce_messages.ts";
import type { Message } from "../work/messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Job, Task } from "../work/task.ts";
import { Attaching } from "./attaching.ts";
import { Books } from "./books.ts";
import { isCode } from "./code_name.ts";
import { Exchange } from "./exchange.ts";
import { MapReduceJob, MapReduceTask, nameOf } from "./fleet_job.ts";
import { Intake } from "./intake.ts";
import { AWAY_MS, STATUS_MS, WORKER_TASKS_MAX } from "./limits.ts";
import type { PlannedTask } from "./plan.ts";
import type { Relay } from "./relay.ts";
import { Results } from "./results.ts";
import { Returns } from "./returns.ts";
import { Teller } from "./teller.ts";

type Sender = Worker<Task>;

/** See the module. */
export class Coordinator implements WorkKind {
  readonly #exchange: Exchange;
  readonly #teller: Teller;
  readonly #fleet: Fleet;
  readonly #port: KindPort;
  readonly #intake: Intake;
  readonly #attaching: Attaching;
  readonly #results: Results;
  readonly #returns: Returns;
  readonly #books: Books;
  readonly #awayMs: Millis;
  /** Live jobs by their ids. */
  readonly #jobs = new Map<number, MapReduceJob>();
  /** Workers that map and reduce; whether they run code of users. */
  readonly #offers = new Map<number, boolean>();

  /** `awayMs`: how long a job is kept that nobody follows. */
  constructor(fleet: Fleet, port: KindPort, awayMs: Millis = AWAY_MS) {
    this.#awayMs = awayMs;
    this.#fleet = fleet;
    this.#port = port;
    this.#exchange = new Exchange(port, {
      jobOfClient: (connId, number) => this.#jobOf(connId, number),
      jobOf: (uid) => this.#jobs.get(uid),
      isWorker: (connId) => this.#offers.has(connId),
    });
    this.#teller = new Teller(port, this.#exchange.addresses);
    this.#books = new Books(port.rows);
    this.#returns = new Returns(fleet, port, {
      jobOf: (uid) => this.#jobs.get(uid),
      found: (job, planned) => this.#told(job, planned),
      review: (job, nowMs) => this.#review(job, nowMs),
    });
    this.#results = new Results(fleet, port, {
      offered: (worker, offer, nowMs) => this.#offered(worker, offer, nowMs),
      note: (job, text) => this.#teller.note(job, text),
      believed: (job, planned) => {
        this.#books.note(job, planned);
        this.#told(job, planned);
      },
      missed: (job, planned) => this.#books.note(job, planned),
      failIfNeeded: (job, nowMs) => this.#failIfNeeded(job, nowMs),
    });
    this.#attaching = new Attaching(
      port,
      this.#books,
      {
        jobs: this.#live(),
        isBusy: (connId) => this.#intake.isBusy(connId),
        cancel: (job, nowMs) => this.#cancelled(job, nowMs),
        status: (job, nowMs) => this.#tellStatus(job, nowMs),
        supplied: (job, nowMs) => {
          job.barren.clear();
          this.#review(job, nowMs);
        },
        // An earlier server did not come to say so.
        followed: (job, nowMs) => void (job.isDone && this.done(job, nowMs)),
      },
      this.#teller,
    );
    this.#intake = new Intake(fleet, port, this.#books, {
      jobs: this.#live(),
      jobOf: (id) => this.#jobs.get(id),
      capable: (job) => this.#capable(job),
      begin: (job, nowMs) => this.#begin(job, nowMs),
    });
  }

  /** Live jobs. */
  get jobs(): Iterable<MapReduceJob> {
    return this.#jobs.values();
  }

  get relay(): Relay {
    return this.#exchange.relay;
  }

  get isBusy(): boolean {
    return this.#jobs.size > 0;
  }

  handle(connId: number, worker: Sender | undefined, message: Message, nowMs: Millis): boolean {
    if (message.kind === "mr-piece") {
      this.#exchange.piece(connId, message);
      return true;
    }
    if (message.kind === "mr-get") {
      this.#exchange.get(connId, worker, message);
      return true;
    }
    if (worker !== undefined && message.kind === "mr-have") {
      this.#returns.have(worker, message, nowMs);
      return true;
    }
    if (worker !== undefined) return this.#results.handle(worker, message, nowMs);
    switch (message.kind) {
      case "mr-submit":
        this.#exchange.addresses.set(connId, message.port);
        this.#intake.submit(connId, message, nowMs);
        return true;
      case "mr-attach":
        if (message.key !== "") this.#exchange.addresses.set(connId, message.port);
        this.#attaching.attach(connId, message, nowMs);
        return true;
      case "mr-splits":
        this.#intake.splits(connId, message, nowMs);
        return true;
      case "mr-final":
        this.#final(connId, message, nowMs);
        return true;
      case "cancel":
        return this.#cancel(connId, message.job, nowMs);
      default:
        if (!message.kind.startsWith("mr-")) return this.#intake.knows(connId);
        this.#port.reject(`${message.kind} from a client`);
        return true;
    }
  }

  gone(connId: number, why: string, nowMs: Millis): void {
    this.#exchange.gone(connId);
    this.#offers.delete(connId);
    for (const job of this.#jobs.values()) {
      if (job.followers.delete(connId)) this.#left(job, connId, why, nowMs);
      else {
        job.plan.lost(connId, `its worker was lost: ${why}`);
        job.touched.delete(connId);
        // Its work is handed out again when the fleet parts with it.
        if (!this.#failIfNeeded(job, nowMs)) this.#fleet.update(job);
      }
    }
    this.#intake.gone(connId);
  }

  tick(nowMs: Millis): void {
    for (const job of this.#jobs.values()) {
      job.nowMs = nowMs;
      if (job.followers.size === 0 && nowMs - job.awayMs >= this.#awayMs) {
        this.#drop(job, "nobody asked for it for too long", nowMs);
        continue;
      }
      if (nowMs >= job.awaitedUntilMs && job.plan.awaited.size > 0) {
        job.awaitedUntilMs = -Infinity;
        const left = readablePlural(job.plan.awaited.size, "task");
        this.#port.tell(
          "info",
          `job ${nameOf(job)} waits no longer: nobody came back with ${left}`,
        );
        job.plan.giveUpWaiting();
        this.#review(job, nowMs);
      }
      if (nowMs - job.statusMs >= STATUS_MS) this.#tellStatus(job, nowMs);
    }
    this.#books.flush(nowMs);
  }

  lead(nowMs: Millis): void {
    this.#attaching.lead();
    for (const job of this.#intake.kept(nowMs)) {
      const { plan, origin } = job;
      this.#jobs.set(origin.id, job);
      const maps = `${plan.awaited.size} of ${plan.maps.length + plan.reduces.length} tasks`;
      this.#port.tell("info", `job ${nameOf(job)} goes on: ${maps} were done before`);
      if (!job.isDone) this.#fleet.addJob(job, nowMs);
    }
  }

  assign(task: Task): boolean {
    if (!(task instanceof MapReduceTask)) return false;
    this.#exchange.assign(task);
    const { kind, index, runners } = task.planned;
    if (runners.size > 1) {
      const which = `${kind} ${index} of job ${nameOf(task.owner!)}`;
      this.#port.tell("info", `${which} runs for long: another miner does it as well`);
    }
    return true;
  }

  done(job: Job, nowMs: Millis): boolean {
    if (!(job instanceof MapReduceJob)) return false;
    this.#tellStatus(job, nowMs);
    this.#teller.done(job);
    const took = readableDuration((nowMs - job.arrivedMs) / 1000);
    const failed = readablePlural(job.plan.failures, "failed task");
    this.#port.tell("info", `job ${nameOf(job)} done after ${took}, ${failed}`);
    this.#forget(job, nowMs);
    return true;
  }

  hopeless(job: Job, reason: string, nowMs: Millis): boolean {
    if (!(job instanceof MapReduceJob)) return false;
    job.plan.failure ??= reason;
    this.#review(job, nowMs);
    return true;
  }

  /** The jobs, as they are when they are looked at. */
  #live(): Iterable<MapReduceJob> {
    return { [Symbol.iterator]: () => this.#jobs.values() };
  }

  /** One that followed the job is gone. */
  #left(job: MapReduceJob, connId: number, why: string, nowMs: Millis): void {
    if (job.supplier === connId) job.supplier = 0;
    if (job.followers.size > 0) return;
    job.awayMs = nowMs;
    this.#port.tell("info", `job ${nameOf(job)} waits for its client, which left: ${why}`);
  }

  // ---- workers

  /** A worker says what it does. */
  #offered(worker: Sender, message: MrOffer, nowMs: Millis): void {
    this.#offers.set(worker.connId, message.code);
    this.#exchange.addresses.set(worker.connId, message.port);
    worker.capacity = Math.max(1, Math.min(message.tasks, WORKER_TASKS_MAX));
    for (const job of this.#jobs.values()) this.#review(job, nowMs);
  }

  *#capable({ origin }: MapReduceJob): Iterable<number> {
    const needsCode = isCode(origin.terms.application);
    for (const [connId, code] of this.#offers) if (code || !needsCode) yield connId;
  }

  // ---- clients

  #begin(job: MapReduceJob, nowMs: Millis): void {
    this.#jobs.set(job.origin.id, job);
    this.#fleet.addJob(job, nowMs);
    this.#teller.attached(job, job.origin.connId, job.origin.number);
    this.#tellStatus(job, nowMs);
  }

  #final(connId: number, { job: number, reduce, good }: MrFinal, nowMs: Millis): void {
    const job = this.#jobOf(connId, number);
    const planned = job?.plan.reduces[reduce];
    if (job === undefined || planned === undefined) return this.#port.reject("an unknown output");
    if (good) {
      // What is kept is there for others, too.
      if (!job.origin.terms.keep) job.plan.finalize(planned);
    } else job.plan.missed(planned, "its output could not be fetched");
    this.#books.note(job, planned);
    this.#fleet.spare(job.tasks, undefined, nowMs);
    this.#review(job, nowMs);
  }

  #cancel(connId: number, number: number, nowMs: Millis): boolean {
    const job = this.#jobOf(connId, number);
    if (job === undefined) return this.#intake.knows(connId);
    this.#cancelled(job, nowMs);
    return true;
  }

  #cancelled(job: MapReduceJob, nowMs: Millis): void {
    job.plan.failure ??= "it was cancelled";
    this.#failIfNeeded(job, nowMs);
  }

  #jobOf(connId: number, number: number): MapReduceJob | undefined {
    return this.#jobs.values().find(({ followers }) => followers.get(connId) === number);
  }

  /** The task has a result that can be fetched: of a reduce those hear who wait for it. */
  #told(job: MapReduceJob, { kind, index }: PlannedTask): void {
    if (kind === "reduce") this.#teller.output(job, index);
  }

  /** The plan changed: the fleet is told, and the client if that was the end. */
  #review(job: MapReduceJob, nowMs: Millis): void {
    if (!this.#failIfNeeded(job, nowMs)) this.#fleet.review(job, nowMs);
  }

  #failIfNeeded(job: MapReduceJob, nowMs: Millis): boolean {
    const { failure } = job.plan;
    if (failure === undefined || !this.#jobs.has(job.origin.id)) return false;
    this.#teller.failed(job, failure);
    this.#attaching.ended(job, failure, nowMs);
    this.#drop(job, oneLine(failure.split("\n")[0]!), nowMs);
    return true;
  }

  #drop(job: MapReduceJob, why: string, nowMs: Millis): void {
    this.#port.tell("info", `job ${nameOf(job)} dropped: ${why}`);
    this.#forget(job, nowMs);
    this.#fleet.dropJob(job, nowMs);
  }

  #forget(job: MapReduceJob, nowMs: Millis): void {
    const { id: uid } = job.origin;
    this.#jobs.delete(uid);
    this.#books.end(job, nowMs);
    for (const connId of job.touched) this.#port.write(connId, { kind: "mr-forget", uid });
  }

  #tellStatus(job: MapReduceJob, nowMs: Millis): void {
    this.#teller.status(job, [...this.#capable(job)].length, nowMs);
  }
}

/** Map-reduce as a kind of work that a server takes. */
export function mapReduceKind(fleet: Fleet, port: KindPort): WorkKind {
  return new Coordinator(fleet, port);
}
