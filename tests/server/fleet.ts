/**
 * A fleet in virtual time for the server core's tests: honest miners of given rates, and clients,
 * over ordered links of a given delay. No LSP, no sockets, no threads.
 *
 * @module
 */
import type { Wake } from "../../base/machine.ts";
import type { Wire } from "../../lsp/types.ts";
import { type Accepted, ServerCore, type ServerCoreOptions } from "../../server/core.ts";
import type { ServerEffect, ServerInput } from "../../server/types.ts";
import { Computer } from "../../sim/engine/computer.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { Process } from "../../sim/engine/process.ts";
import {
  CLASSIC_JOIN,
  type ClassicMessage,
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import type { Answer, Message, Refused, Status } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { distance, type Puzzle } from "./puzzles.ts";
import type { Order, Peer } from "./fleet_types.ts";

/** The server core, a clock, and everybody connected. A job whose client is gone is dropped. */
export class VirtualFleet {
  readonly core: ServerCore;
  readonly puzzle: Puzzle;
  readonly delayMs: number;
  readonly accepted: Accepted[] = [];
  readonly log: string[] = [];
  afterInput: () => void = () => {};
  onPropose: (effect: Extract<ServerEffect, { kind: "propose" }>) => void = () => {};
  readonly #loop = new Loop();
  readonly #process: Process<ServerInput, ServerEffect>;
  #nextConn = 1;
  readonly #peers = new Map<number, Peer>();

  constructor(options: { puzzle?: Puzzle; delayMs?: number } & ServerCoreOptions = {}) {
    this.puzzle = options.puzzle ?? distance;
    this.delayMs = options.delayMs ?? 5;
    this.core = new ServerCore({
      hash: (subject, nonce) => this.puzzle.hash(String(subject), nonce),
      onAccept: (accepted) => this.accepted.push(accepted),
      ...options,
      limits: { orphanMs: 0, ...options.limits },
    });
    this.#process = new Process({
      computer: new Computer({ name: "server", loop: this.#loop }),
      core: this.core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => this.afterInput(),
    });
  }

  get nowMs(): number {
    return this.#loop.nowMs;
  }

  miner(options: MinerOptions): FakeMiner {
    const miner = this.add((connId) => new FakeMiner(this, connId, options));
    miner.join();
    return miner;
  }

  client(wire: Wire = "cbor"): FakeClient {
    return this.add((connId) => new FakeClient(this, connId, wire));
  }

  /** Connects a peer. */
  add<P extends Peer>(make: (connId: number) => P): P {
    const peer = make(this.#nextConn++);
    this.#peers.set(peer.connId, peer);
    return peer;
  }

  /** A payload on its way to the server. */
  send(connId: number, wire: Wire, payload: Uint8Array): void {
    this.at(this.nowMs + this.delayMs, () => {
      if (this.#peers.has(connId)) this.feed({ kind: "payload", connId, wire, payload });
    });
  }

  /** The connection ends; the server learns of it now. */
  drop(connId: number): void {
    if (this.#peers.delete(connId)) this.feed({ kind: "gone", connId });
  }

  feed(input: ServerInput | Wake): void {
    this.#process.whenAwake(() => this.#process.tell(input));
  }

  /** The server's machine sleeps; everybody else goes on. */
  sleep(forMs: number): void {
    this.#process.computer.sleep(forMs);
    this.run(forMs);
  }

  at(atMs: number, run: () => void): void {
    this.#loop.at(atMs, run);
  }

  /** Lets time pass until `done` or for at most `limitMs`; returns whether `done`. */
  run(limitMs: number, done: () => boolean = () => false): boolean {
    const endMs = this.nowMs + limitMs;
    while (!done()) {
      if (this.#loop.step(endMs)) continue;
      this.#loop.runUntil(endMs, () => {}, Infinity);
      return done();
    }
    return true;
  }

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") return void this.log.push(effect.text);
    if (effect.kind === "propose") return this.onPropose(effect);
    const { connId } = effect;
    this.#loop.after(this.delayMs, () => {
      const peer = this.#peers.get(connId);
      if (effect.kind === "write") return peer?.receive(effect.payload);
      peer?.closed();
      this.drop(connId);
    });
  }
}

export interface MinerOptions {
  /** Nonces a second that it really does. */
  readonly rate: number;
  /** What it says of itself; unknown by default. */
  readonly declared?: number;
  readonly wire?: Wire;
  /** It searches on when asked to shrink, without a word. */
  readonly deaf?: boolean;
  /** Its loop counts up to the range's end in 64 bits: beyond 2^64 - 1 it begins at 0 again. */
  readonly wraps?: boolean;
  readonly joins?: boolean;
}

interface Task {
  readonly chunk: number;
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint | undefined;
  next: bigint;
  end: bigint;
}

const REPORT_MS = 250;

/** An honest miner that hashes `rate` nonces a second, one chunk after the other. */
export class FakeMiner implements Peer {
  readonly connId: number;
  readonly wire: Wire;
  readonly fleet: VirtualFleet;
  /** Everything it was told. */
  readonly heard: Message[] = [];
  readonly requests: ClassicMessage[] = [];
  readonly tasks: Task[] = [];
  /** Milliseconds without a task since it first had one. */
  idleMs = 0;
  hashed = 0n;
  isClosed = false;
  /** Changes what it is about to say; undefined to say nothing. */
  twist: (message: Message) => Message | undefined = (message) => message;
  #options: MinerOptions;
  #stalled = false;
  #sinceMs = 0;
  #idleSinceMs: number | undefined;
  #turn = 0;

  constructor(fleet: VirtualFleet, connId: number, options: MinerOptions) {
    this.fleet = fleet;
    this.connId = connId;
    this.wire = options.wire ?? "cbor";
    this.#options = options;
  }

  join(): void {
    if (this.#options.joins === false) return;
    if (this.wire === "json") return this.sendClassic(CLASSIC_JOIN);
    const rate = this.#options.declared ?? 0;
    this.say({ kind: "join", threads: 1, rate, label: "fake", name: "" });
  }

  say(message: Message): void {
    const twisted = this.twist(message);
    if (twisted !== undefined) this.fleet.send(this.connId, "cbor", encodeMessage(twisted));
  }

  sendClassic(message: ClassicMessage): void {
    this.fleet.send(this.connId, "json", encodeClassicMessage(message));
  }

  /** The connection breaks. */
  die(): void {
    this.isClosed = true;
    this.#turn++;
    this.fleet.drop(this.connId);
  }

  /** Hashing stands; the connection lives. */
  stall(): void {
    this.#work();
    this.#stalled = true;
    this.#turn++;
  }

  /** Hashing goes on. */
  resume(): void {
    this.#stalled = false;
    this.#sinceMs = this.fleet.nowMs;
    this.#plan();
  }

  set rate(rate: number) {
    this.#work();
    this.#options = { ...this.#options, rate };
    this.#plan();
  }

  closed(): void {
    this.isClosed = true;
    this.#turn++;
  }

  receive(payload: Uint8Array): void {
    if (this.wire === "json") return this.#receiveClassic(payload);
    const message = decodeMessage(payload);
    if (typeof message === "string") throw new Error(message);
    this.heard.push(message);
    this.#work();
    if (message.kind === "assign") {
      const { subject, ...range } = message.work;
      this.#begin({ chunk: message.chunk, message: String(subject), ...range });
    }
    const task = this.tasks.find(({ chunk }) => "chunk" in message && chunk === message.chunk);
    if (task !== undefined && !this.#stalled) {
      if (message.kind === "shrink" && !this.#options.deaf) this.#shrink(task, message.upper);
      if (message.kind === "stop") this.#stop(task);
    }
    this.#plan();
  }

  #receiveClassic(payload: Uint8Array): void {
    const request = decodeClassicMessage(payload);
    if (typeof request === "string") throw new Error(request);
    this.requests.push(request);
    const { data: message, lower, upper } = request;
    this.#begin({ chunk: this.requests.length, message, lower, upper });
    this.#plan();
  }

  #begin(order: Omit<Task, "next" | "end">): void {
    if (this.#options.wraps === true && order.upper === (1n << 64n) - 1n) return this.stall();
    if (this.#idleSinceMs !== undefined) this.idleMs += this.fleet.nowMs - this.#idleSinceMs;
    this.#idleSinceMs = undefined;
    if (this.tasks.length === 0) this.#sinceMs = this.fleet.nowMs;
    this.tasks.push({ ...order, next: order.lower, end: order.upper + 1n });
  }

  #shrink(task: Task, upper: bigint): void {
    const end = upper + 1n > task.next ? upper + 1n : task.next;
    if (end < task.end) task.end = end === task.lower ? end + 1n : end;
    this.say({ kind: "shrunk", chunk: task.chunk, upper: task.end - 1n });
  }

  #stop(task: Task): void {
    this.tasks.splice(this.tasks.indexOf(task), 1);
    const { chunk, message, lower, next, target } = task;
    if (next === lower) return this.say({ kind: "stopped", chunk, next });
    const best = this.fleet.puzzle.search(message, lower, next, target);
    this.say({ kind: "stopped", chunk, next, best });
  }

  /** Brings the running task up to now. */
  #work(): void {
    const task = this.tasks[0];
    if (task === undefined || this.#stalled) return;
    const done = BigInt(
      Math.floor(((this.fleet.nowMs - this.#sinceMs) * this.#options.rate) / 1000),
    );
    const next = task.next + done < task.end ? task.next + done : task.end;
    this.hashed += next - task.next;
    if (next > task.next) this.#sinceMs += (Number(next - task.next) * 1000) / this.#options.rate;
    task.next = next;
  }

  /** Sees to it that it will report, or finish, in time. */
  #plan(): void {
    const turn = ++this.#turn;
    const task = this.tasks[0];
    if (this.#stalled) return;
    if (task === undefined) {
      this.#idleSinceMs ??= this.fleet.nowMs;
      return;
    }
    const leftMs = (Number(task.end - task.next) * 1000) / this.#options.rate;
    const finishMs = Math.max(this.fleet.nowMs, this.#sinceMs + leftMs);
    const isLast = this.wire === "json" || finishMs - this.fleet.nowMs <= REPORT_MS;
    this.fleet.at(isLast ? finishMs : this.fleet.nowMs + REPORT_MS, () => {
      if (turn !== this.#turn) return;
      if (isLast) this.#finish(task);
      else this.#report(task);
      this.#plan();
    });
  }

  #report(task: Task): void {
    this.#work();
    const { chunk, message, lower, next, target } = task;
    if (next === lower) return;
    const best = this.fleet.puzzle.search(message, lower, next, target);
    if (target !== undefined && best.hash <= target) return this.#finish(task);
    this.say({ kind: "progress", chunk, next, best });
  }

  #finish(task: Task): void {
    const { chunk, message, lower, end, target } = task;
    this.hashed += end - task.next;
    task.next = end;
    this.tasks.shift();
    this.#sinceMs = this.fleet.nowMs;
    const best = this.fleet.puzzle.search(message, lower, end, target);
    if (this.wire === "json") this.sendClassic(classicResult(best));
    else this.say({ kind: "result", chunk, best });
  }
}

/** A client that remembers all it hears. */
export class FakeClient implements Peer {
  readonly connId: number;
  readonly wire: Wire;
  readonly fleet: VirtualFleet;
  readonly answers: Map<number, Answer & { atMs: number }> = new Map();
  readonly statuses: Status[] = [];
  readonly refusals: Refused[] = [];
  readonly accepted: Extract<Message, { kind: "accepted" }>[] = [];
  readonly results: ClassicMessage[] = [];
  isClosed = false;
  #nextJob = 1;

  constructor(fleet: VirtualFleet, connId: number, wire: Wire) {
    this.fleet = fleet;
    this.connId = connId;
    this.wire = wire;
  }

  /** Asks for a job and returns its number. */
  submit({ lower = 0n, upper, message = "12345", target }: Order): number {
    const job = this.#nextJob++;
    if (this.wire === "json") {
      const request = classicRequest(message, lower, upper);
      this.fleet.send(this.connId, "json", encodeClassicMessage(request));
    } else {
      const work = { subject: message, lower, upper, ...(target !== undefined && { target }) };
      this.say({ kind: "submit", job, session: BigInt(this.connId), work });
    }
    return job;
  }

  say(message: Message): void {
    this.fleet.send(this.connId, "cbor", encodeMessage(message));
  }

  /** The answer to `job`, with the time at which it came. */
  answer(job = 1): Answer & { atMs: number } {
    const answer = this.answers.get(job);
    if (answer === undefined) throw new Error(`job ${job} has no answer`);
    return answer;
  }

  closed(): void {
    this.isClosed = true;
  }

  receive(payload: Uint8Array): void {
    if (this.wire === "json") {
      return void this.results.push(decodeClassicMessage(payload) as ClassicMessage);
    }
    const message = decodeMessage(payload);
    if (typeof message === "string") throw new Error(message);
    if (message.kind === "answer") {
      this.answers.set(message.job, { ...message, atMs: this.fleet.nowMs });
    } else if (message.kind === "status") this.statuses.push(message);
    else if (message.kind === "refused") this.refusals.push(message);
    else if (message.kind === "accepted") this.accepted.push(message);
  }
}
