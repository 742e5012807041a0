/**
 * A miner that maps and reduces, without sockets, files and threads: fetches what a task reads,
 * has it run, keeps the result and serves it to those who need it.
 *
 * Tasks run in the order in which they were assigned, one or several at a time; the next one's
 * input is fetched meanwhile.
 *
 * @module
 */
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { clipped } from "../base/text.ts";
import {
  type EndReason,
  type MapReduceMessage,
  type MrAdopt,
  type MrAsked,
  type MrMap,
  type MrPeers,
  type MrReduce,
  type MrSources,
  TROUBLE_BYTES_MAX,
} from "../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { codeHash } from "./code_name.ts";
import { KeptJobs } from "./kept.ts";
import { isOfPeers, Peers } from "./peers.ts";
import { ALIVE_MS, AWAY_MS } from "./limits.ts";
import { Pending } from "./pending.ts";
import { PIECE_HEAD_BYTES } from "./piece_frame.ts";
import type { TaskEnd } from "./task_end.ts";
import type { PeerInput } from "./peer_types.ts";
import { type InputsPort, TaskInputs } from "./worker_inputs.ts";
import { Ours, type ToWorker } from "./worker_messages.ts";
import { answerTo, Orphans, resultOf } from "./worker_returns.ts";
import { WorkerTask } from "./worker_task.ts";
import type { JobFilePart, WorkerEffect, WorkerInput } from "./worker_types.ts";

/** How a worker's core is made. */
export interface WorkerCoreOptions {
  /** Whether it runs code of users. */
  readonly allowCode: boolean;
  /** Tasks that it runs at a time, 1..WORKER_TASKS_MAX; 1 if left out. */
  readonly tasks?: number;
}

/** See the module. */
export class WorkerCore implements Machine<WorkerInput, WorkerEffect> {
  readonly #allowCode: boolean;
  readonly #effects = new Outbox<WorkerEffect>();
  readonly #peers: Peers = this.#connected();
  /** Tasks by the server's number, in the order of their assignment. */
  readonly #tasks = new Map<number, WorkerTask>();
  readonly #ours = new Ours((task) => this.#tasks.has(task));
  readonly #jobs = new KeptJobs();
  readonly #inputs: TaskInputs = new TaskInputs(this.#inputsPort());
  /** What waits for an answer of the disk. */
  readonly #reads = new Pending<Uint8Array | undefined>();
  readonly #checking = new Pending<boolean>();
  readonly #running = new Map<number, WorkerTask>();
  /** Tasks that run on although their server is gone. */
  readonly #orphans = new Orphans();
  /** Runs that were killed and have not ended. */
  readonly #dying = new Set<number>();
  readonly #most: number;
  #isJoined = false;
  #lastRun = 0;
  #lastId = 0;
  /** Connections to servers so far. */
  #lives = 0;
  /** Since when there is none. */
  #goneMs: Millis = 0;
  #nowMs: Millis = 0;
  #aliveAtMs: Millis = 0;

  constructor(options: WorkerCoreOptions) {
    this.#allowCode = options.allowCode;
    this.#most = options.tasks ?? 1;
  }

  /** Whether the payload is for this core, and not for nonce search. */
  takes(payload: Uint8Array): boolean {
    const message = decodeMessage(payload);
    return typeof message !== "string" && this.#ours.has(message);
  }

  handle(input: WorkerInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    this.#peers.routes.at(nowMs);
    if (isOfPeers(input)) this.#handlePeer(input);
    else this.#handleOwn(input);
    if (this.#tasks.size === 0) this.#peers.routes.rest();
    this.#tellAlive(nowMs);
  }

  #handlePeer(input: PeerInput): void {
    this.#peers.handle(input);
    if (input.kind === "listening" && this.#isJoined) this.#offer();
  }

  #handleOwn(input: Exclude<WorkerInput, PeerInput> | Wake): void {
    switch (input.kind) {
      case "wake":
        if (this.#isForsaken) this.#drop();
        break;
      case "joined":
        this.#isJoined = true;
        this.#lives++;
        this.#ours.forget();
        for (const have of this.#orphans.have(this.#jobs)) this.#write(have);
        this.#offer();
        break;
      case "payload": {
        const message = decodeMessage(input.payload);
        if (typeof message !== "string" && this.#ours.has(message)) this.#handleMessage(message);
        break;
      }
      case "gone":
        this.#handleGone();
        break;
      case "progress": {
        const task = this.#running.get(input.run);
        if (task !== undefined) task.bytes = input.bytes;
        break;
      }
      case "ended":
        this.#handleEnded(input.run, input.end);
        break;
      case "read":
        this.#reads.answer(input.id, input.bytes);
        break;
      case "verified":
      case "opened":
        this.#checking.answer(input.id, input.good);
    }
  }

  #offer(): void {
    const { port } = this.#peers;
    this.#write({ kind: "mr-offer", code: this.#allowCode, tasks: this.#most, port });
  }

  poll(): WorkerEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    if (this.#tasks.size > 0) return this.#aliveAtMs + ALIVE_MS;
    const isKeeping = !this.#isJoined && this.#jobs.size > 0;
    return isKeeping ? this.#goneMs + AWAY_MS : undefined;
  }

  #tellAlive(nowMs: Millis): void {
    if (this.#tasks.size === 0 || nowMs < this.#aliveAtMs + ALIVE_MS) return;
    this.#aliveAtMs = nowMs;
    for (const task of this.#tasks.values()) this.#tellProgress(task);
  }

  #tellProgress({ number, bytes, state }: WorkerTask): void {
    this.#write({ kind: "mr-progress", task: number, bytes, runs: state === "running" });
  }

  // ---- messages

  #handleMessage(message: ToWorker): void {
    switch (message.kind) {
      case "mr-map": {
        const task = this.#accept(message);
        return task && this.#inputs.map(task, message);
      }
      case "mr-reduce":
        this.#accept(message);
        // One of a job without maps has all it needs.
        return this.#runNext();
      case "mr-peers":
        return this.#handlePeers(message);
      case "mr-sources":
        return this.#handleSources(message);
      case "mr-adopt":
        return this.#handleAdopt(message);
      case "stop":
        return this.#handleStop(message.chunk);
      case "mr-forget":
        return this.#forget(message.uid);
      case "mr-asked":
        return this.#handleAsked(message);
      case "mr-piece":
        return this.#peers.routes.piece(message);
    }
  }

  /** Takes a task on, with its code on the way; undefined when it is not taken. */
  #accept(order: MrMap | MrReduce): WorkerTask | undefined {
    if (this.#tasks.has(order.task)) return undefined;
    const orphan = this.#orphans.take(order.uid, order.kind === "mr-map", order.index);
    if (orphan !== undefined) return void this.#goOn(orphan, order.task);
    const task = new WorkerTask(++this.#lastRun, order);
    this.#tasks.set(order.task, task);
    const hash = codeHash(order.terms.application);
    if (hash !== undefined && !this.#allowCode) {
      this.#end(task, "declined", "this miner runs no code of users (--allow-code)");
      return undefined;
    }
    const job = this.#jobs.of(order.uid);
    const isOther = typeof job.code !== "string" && job.code.hash !== hash;
    if (hash !== undefined && (job.code === "none" || isOther)) this.#inputs.code(task, job, hash);
    return task;
  }

  #connected(): Peers {
    return new Peers({
      write: (message) => this.#write(message),
      push: (effect) => this.#effects.push(effect),
      give: (want, answer) =>
        this.#read(this.#jobs.findNamed(want), want, answer, PIECE_HEAD_BYTES),
    });
  }

  #inputsPort(): InputsPort {
    return {
      jobs: this.#jobs,
      routes: this.#peers.routes,
      newNumber: () => ++this.#lastId,
      put: (file, offset, bytes) => this.#effects.push({ kind: "put", file, offset, bytes }),
      remove: (file) => this.#effects.push({ kind: "remove", file }),
      open: (share, part, then) =>
        this.#effects.push({ kind: "open", id: this.#checking.ask(then), share, part }),
      verify: (part, hash, then) => this.#verify(part, hash, then),
      isLive: (task) => this.#tasks.get(task.number) === task,
      waiting: (uid) =>
        [...this.#tasks.values()].filter((task) => task.uid === uid && task.state !== "running"),
      ready: () => this.#runNext(),
      end: (...how) => this.#end(...how),
    };
  }

  #verify(part: JobFilePart, hash: string, then: (good: boolean) => void): void {
    this.#effects.push({ kind: "verify", id: this.#checking.ask(then), part, hash });
  }

  #handlePeers({ task: number, peers }: MrPeers): void {
    const task = this.#tasks.get(number);
    for (const { holder, at } of peers) task?.peers.set(holder, at);
  }

  #handleSources({ task: number, first, sources }: MrSources): void {
    const task = this.#tasks.get(number);
    if (task === undefined || task.order.kind !== "mr-reduce") return;
    if (first !== task.sources.length || first + sources.length > task.order.maps) return;
    task.sources.push(...sources);
    this.#inputs.sources(task);
  }

  // ---- running

  /** Runs the first tasks that have all they need. */
  #runNext(): void {
    for (const task of this.#tasks.values()) {
      if (this.#running.size + this.#dying.size >= this.#most) return;
      if (task.state !== "fetching" || !task.hasAll) continue;
      const { code } = this.#jobs.of(task.uid);
      if (codeHash(task.terms.application) !== undefined && typeof code === "string") continue;
      task.state = "running";
      this.#running.set(task.run, task);
      const order = task.runOrder(typeof code === "string" ? undefined : code.file);
      this.#effects.push({ kind: "run", run: task.run, order });
      this.#tellProgress(task);
    }
  }

  #handleEnded(run: number, end: TaskEnd): void {
    const task = this.#running.get(run);
    this.#dying.delete(run);
    if (this.#running.delete(run)) {
      if (this.#orphans.delete(task!)) this.#jobs.keep(task!, end);
      else this.#finish(task!, end);
    }
    this.#runNext();
  }

  #finish(task: WorkerTask, end: TaskEnd): void {
    this.#jobs.keep(task, end);
    const result = resultOf(task, end);
    if (result !== undefined) {
      this.#close(task);
      return this.#write(result);
    }
    if (end.kind === "threw") return this.#end(task, "threw", end.text);
    const text = "text" in end ? end.text : `it ended as ${end.kind}`;
    this.#end(task, "died", text);
  }

  /** Ends a task without a result. */
  #end(task: WorkerTask, why: EndReason, text: string, map = 0, holder = 0): void {
    this.#close(task);
    const clippedText = clipped(text, TROUBLE_BYTES_MAX);
    const { number } = task;
    this.#write({ kind: "mr-ended", task: number, why, text: clippedText, map, holder });
  }

  /** The task is over: what only it needed goes. */
  #close(task: WorkerTask): void {
    for (const cancel of task.cancels) cancel();
    this.#tasks.delete(task.number);
    this.#ours.end(task.number);
    this.#orphans.delete(task);
    if (task.isMap) this.#effects.push({ kind: "remove", file: task.split });
    if (!this.#running.delete(task.run)) return;
    this.#dying.add(task.run);
    this.#effects.push({ kind: "kill", run: task.run });
  }

  #handleStop(number: number): void {
    const task = this.#tasks.get(number);
    if (task === undefined) return;
    this.#end(task, "stopped", "");
    this.#runNext();
  }

  /** Goes on with what ran while the server was away, under its new number. */
  #goOn(orphan: WorkerTask, number: number): void {
    orphan.number = number;
    this.#tasks.set(number, orphan);
    this.#tellProgress(orphan);
  }

  #handleAdopt(adopt: MrAdopt): void {
    if (this.#tasks.has(adopt.task)) return;
    const orphan = this.#orphans.take(adopt.uid, adopt.isMap, adopt.index);
    if (orphan !== undefined) return this.#goOn(orphan, adopt.task);
    this.#write(answerTo(adopt, this.#jobs));
  }

  // ---- what is kept

  #handleAsked(asked: MrAsked): void {
    const { id, job: uid, item } = asked;
    const life = this.#lives;
    this.#read(this.#jobs.find(uid, item), asked, (bytes) => {
      // The server that asked is gone.
      if (life !== this.#lives || !this.#isJoined) return;
      const found = bytes !== undefined;
      this.#write({ kind: "mr-piece", id, found, bytes: bytes ?? new Uint8Array() });
    });
  }

  /** Reads from a part of a file, if there is such a part, and leaves `room` in front. */
  #read(
    part: JobFilePart | undefined,
    { offset, length }: Pick<MrAsked, "offset" | "length">,
    answer: (bytes: Uint8Array | undefined) => void,
    room = 0,
  ): void {
    if (part === undefined || offset > part.to - part.from) return answer(undefined);
    const at = { file: part.file, offset: part.from + offset, room };
    const most = Math.min(length, part.to - at.offset);
    this.#effects.push({ kind: "read", id: this.#reads.ask(answer), ...at, length: most });
  }

  #forget(uid: number): void {
    for (const task of [...this.#tasks.values(), ...this.#orphans]) {
      if (task.uid === uid) this.#close(task);
    }
    this.#jobs.forget(uid);
    this.#effects.push({ kind: "wipe", uid });
    this.#runNext();
  }

  /** The server is gone. What runs goes on, and what there is stays, until one is back. */
  #handleGone(): void {
    for (const task of this.#tasks.values()) {
      if (task.state === "running") this.#orphans.add(task);
      else this.#close(task);
    }
    this.#tasks.clear();
    this.#isJoined = false;
    this.#goneMs = this.#nowMs;
    this.#peers.routes.clear();
    this.#checking.clear();
    this.#jobs.interrupt();
  }

  /** No server was there for a day. */
  get #isForsaken(): boolean {
    return !this.#isJoined && this.#jobs.size > 0 && this.#nowMs >= this.#goneMs + AWAY_MS;
  }

  #drop(): void {
    for (const task of this.#orphans) this.#close(task);
    invariant(this.#running.size === 0, "no task is left");
    this.#jobs.clear();
    this.#effects.push({ kind: "wipe", uid: undefined });
  }

  #write(message: MapReduceMessage): void {
    this.#effects.push({ kind: "write", payload: encodeMessage(message) });
  }
}
