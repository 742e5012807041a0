/**
 * The server without sockets: a plain state machine that is told what connections say and that they
 * are gone, and asks for messages to be written, connections to be closed and lines to be logged.
 *
 * This file is the gate: it finds out who a peer is (its first message tells), rejects and counts
 * what makes no sense, keeps the limits, and passes the rest on to the fleet.
 *
 * What it expects of its adapter: effects carried out in order; after a `close` effect, at last a
 * `gone` for that connection.
 *
 * @module
 */
import { decodeClassic, encodeClassic } from "../classic.ts";
import { hashNonce, MAX_UINT64 } from "../hash.ts";
import type { Wire } from "../lsp/types.ts";
import type { Machine, Millis, Wake } from "../machine.ts";
import { decodeMessage, encodeMessage, type Join, type Message } from "../messages.ts";
import { MAX_MESSAGE_BYTES, type Submit, type ToClient, utf8Length } from "../messages.ts";
import * as classic from "./classic.ts";
import { Fleet, type FleetPort } from "./fleet.ts";
import type { Interval } from "./interval_set.ts";
import type { Job, JobSpec } from "./job.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { LogLimiter, printable } from "./log_limiter.ts";
import { Miner } from "./roster.ts";
import { Claim } from "./scheduler.ts";
import { type ServerSnapshot, snapshotOf } from "./snapshot.ts";
import type { ServerEffect, ServerInput } from "./types.ts";

/** A range that was accepted as searched just now, for the first time; both ends included. */
export interface Accepted {
  /** Connection and number of the client's job. */
  readonly client: number;
  readonly job: number;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Connection of the miner. */
  readonly miner: number;
}

/** How a server core is made. */
export interface ServerCoreOptions {
  /** Hash of a nonce for a message; `hashNonce` unless a simulation has a cheaper one. */
  readonly hash?: (message: string, nonce: bigint) => bigint;
  readonly limits?: Partial<Limits>;
  /** Told of every accepted range, for tests and simulations. */
  readonly onAccept?: (accepted: Accepted) => void;
}

/** A connection that asked for jobs. */
interface Client {
  readonly connId: number;
  readonly wire: Wire;
  readonly claim: Claim;
  /** Live jobs by the client's number. */
  readonly jobs: Map<number, Job>;
  /** Classic requests that wait for the one before: their Results could not be told apart. */
  readonly waiting: JobSpec[];
  requests: number;
}

type Peer = Miner | Client;

/** Distinct reasons that are counted apart; more come under "other". */
const MAX_REASONS = 64;

export class ServerCore implements Machine<ServerInput, ServerEffect> {
  readonly limits: Limits;
  readonly #fleet: Fleet;
  readonly #peers = new Map<number, Peer>();
  #clients = 0;
  /** Connections that were told to close and are not gone yet. */
  readonly #closing = new Set<number>();
  readonly #rejected = new Map<string, number>();
  readonly #effects: ServerEffect[] = [];
  #polled = 0;
  readonly #log: LogLimiter;
  #now: Millis = 0;
  #tickMs: Millis | undefined;
  readonly #onAccept: ServerCoreOptions["onAccept"];

  constructor(options: ServerCoreOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#onAccept = options.onAccept;
    this.#log = new LogLimiter(this.limits.logBurst, this.limits.logPerSecond);
    this.#fleet = new Fleet(this.limits, this.#port(options.hash ?? hashNonce));
  }

  handle(input: ServerInput | Wake, nowMs: Millis): void {
    this.#now = nowMs;
    if (input.kind === "payload") this.#handlePayload(input.connId, input.wire, input.payload);
    else if (input.kind === "gone") this.#handleGone(input.connId);
    else this.#handleWake();
    this.#schedule();
  }

  poll(): ServerEffect | undefined {
    const effect = this.#effects[this.#polled];
    if (effect === undefined) {
      this.#effects.length = 0;
      this.#polled = 0;
      return undefined;
    }
    this.#polled++;
    return effect;
  }

  wakeAtMs(): Millis | undefined {
    return this.#tickMs;
  }

  /** How everything stands, as plain data. */
  snapshot(): ServerSnapshot {
    return snapshotOf(this.#fleet, this.#clients, this.#peers.size, this.#rejected);
  }

  // ---- inputs

  #handlePayload(connId: number, wire: Wire, payload: Uint8Array): void {
    if (this.#closing.has(connId)) return;
    const peer = this.#peers.get(connId);
    if (wire === "json") this.#handleClassic(connId, peer, payload);
    else {
      const message = decodeMessage(payload);
      if (typeof message === "string") return this.#reject(message);
      if (peer === undefined) this.#handleFirst(connId, message);
      else if (peer instanceof Miner) this.#handleReport(peer, message);
      else this.#handleOrder(peer, message);
    }
  }

  #handleFirst(connId: number, message: Message): void {
    if (message.kind === "join") return this.#join(connId, "cbor", message);
    if (message.kind !== "submit") return this.#reject(`${message.kind} from a stranger`);
    const client = this.#welcome(connId, "cbor", message.job);
    if (client !== undefined) this.#handleSubmit(client, message);
  }

  #handleReport(miner: Miner, message: Message): void {
    switch (message.kind) {
      case "progress":
        return this.#judge(miner, this.#fleet.progress(miner, message, this.#now));
      case "result":
        return this.#judge(miner, this.#fleet.result(miner, message, this.#now));
      case "shrunk":
        return this.#judge(miner, this.#fleet.shrunk(miner, message, this.#now));
      case "stopped":
        return this.#judge(miner, this.#fleet.stopped(miner, message, this.#now));
      default:
        return this.#reject(`${message.kind} from a miner`);
    }
  }

  #handleOrder(client: Client, message: Message): void {
    if (message.kind === "submit") return this.#handleSubmit(client, message);
    if (message.kind !== "cancel") return this.#reject(`${message.kind} from a client`);
    // An unknown number is no fault: the answer and the Cancel crossed.
    const job = client.jobs.get(message.job);
    if (job === undefined) return;
    client.jobs.delete(message.job);
    this.#fleet.dropJob(job, this.#now);
    this.#tell("info", `job ${nameOf(job)} cancelled`);
  }

  #handleClassic(connId: number, peer: Peer | undefined, payload: Uint8Array): void {
    const message = decodeClassic(payload);
    if (typeof message === "string") return this.#reject(message);
    const { type } = message;
    if (type === 0 && peer === undefined) {
      return this.#join(connId, "json", { threads: 0, rate: 0, label: "classic" });
    }
    if (type === 2 && peer instanceof Miner) {
      return this.#judge(peer, this.#fleet.classicResult(peer, message, this.#now));
    }
    if (type !== 1 || peer instanceof Miner) {
      const who =
        peer === undefined ? "a stranger" : peer instanceof Miner ? "a miner" : "a client";
      return this.#reject(`classic ${["Join", "Request", "Result"][type]} from ${who}`);
    }
    const client = peer ?? this.#welcome(connId, "json", 0);
    if (client === undefined) return;
    client.waiting.push(classic.specOf(message, ++client.requests));
    if (client.waiting.length > this.limits.maxJobsPerClient) {
      return this.#refuse(client, 0, "too many requests wait on this connection");
    }
    this.#startWaiting(client);
  }

  #handleGone(connId: number): void {
    this.#closing.delete(connId);
    const peer = this.#peers.get(connId);
    if (peer !== undefined) this.#part(peer, "lost");
  }

  #handleWake(): void {
    if (this.#tickMs === undefined || this.#now < this.#tickMs) return;
    this.#tickMs = undefined;
    this.#fleet.tick(this.#now);
    this.#tellStatus();
  }

  // ---- miners

  #join(connId: number, wire: Wire, join: Omit<Join, "kind">): void {
    if (this.#fleet.roster.miners.size >= this.limits.maxMiners) {
      const reason = `the server has its most of ${this.limits.maxMiners} miners`;
      if (wire === "cbor") this.#write(connId, { kind: "refused", job: 0, reason });
      this.#tell("warn", `miner ${connId} refused: ${reason}`);
      return this.#close(connId);
    }
    const label = printable(join.label);
    const of = { connId, wire, threads: join.threads, label };
    const miner = new Miner(of, join.rate, this.#now);
    this.#peers.set(connId, miner);
    const rate = join.rate > 0 ? `, ${readableRate(join.rate)} expected` : "";
    const threads = join.threads > 0 ? `, ${join.threads} threads` : "";
    this.#tell("info", `miner ${connId} joined: ${label}${threads}${rate}`);
    this.#fleet.join(miner, this.#now);
  }

  /** Counts what was not believed, and parts with a miner that told falsehoods too often. */
  #judge(miner: Miner, reason: string | undefined): void {
    if (reason === undefined) return;
    this.#reject(reason);
    if (miner.strikes === 0) return;
    const { maxStrikes } = this.limits;
    this.#tell(
      "warn",
      `miner ${miner.connId}: ${reason} (strike ${miner.strikes} of ${maxStrikes})`,
    );
    if (miner.strikes < maxStrikes) return;
    this.#part(miner, "not trusted any more");
    this.#close(miner.connId);
  }

  #part(peer: Peer, why: string): void {
    this.#peers.delete(peer.connId);
    if (peer instanceof Miner) {
      this.#tell("info", `miner ${peer.connId} left: ${why}`);
      return this.#fleet.leave(peer, this.#now);
    }
    this.#clients--;
    peer.waiting.length = 0;
    if (peer.jobs.size > 0) {
      this.#tell("info", `client ${peer.connId} ${why}: ${peer.jobs.size} job(s) dropped`);
    }
    const jobs = [...peer.jobs.values()];
    peer.jobs.clear();
    for (const job of jobs) this.#fleet.dropJob(job, this.#now);
  }

  // ---- clients

  /** A new client, or undefined if the house is full. */
  #welcome(connId: number, wire: Wire, job: number): Client | undefined {
    const claim = new Claim(connId);
    const client = { connId, wire, claim, jobs: new Map(), waiting: [], requests: 0 };
    if (this.#clients >= this.limits.maxClients) {
      this.#refuse(client, job, `the server has its most of ${this.limits.maxClients} clients`);
      return undefined;
    }
    this.#peers.set(connId, client);
    this.#clients++;
    return client;
  }

  #handleSubmit(client: Client, submit: Submit): void {
    if (client.jobs.has(submit.job)) return this.#reject("submit of a number in use");
    const { job: number, message, lower, upper, target } = submit;
    this.#start(client, { number, message, lower, upper, target });
  }

  #startWaiting(client: Client): void {
    if (client.jobs.size > 0) return;
    const spec = client.waiting.shift();
    if (spec !== undefined) this.#start(client, spec);
  }

  #start(client: Client, spec: JobSpec): void {
    const { limits } = this;
    let reason: string | undefined;
    if (spec.lower > spec.upper) reason = "the range is empty: its lower end is above its upper";
    else if (utf8Length(spec.message) > MAX_MESSAGE_BYTES) {
      reason = `the message is longer than ${MAX_MESSAGE_BYTES} bytes`;
    } else if (client.jobs.size >= limits.maxJobsPerClient) {
      reason = `this client has its most of ${limits.maxJobsPerClient} jobs`;
    } else if (this.#fleet.jobs.size >= limits.maxJobs) {
      reason = `the server has its most of ${limits.maxJobs} jobs`;
    }
    if (reason !== undefined) return this.#refuse(client, spec.number, reason);
    const size = spec.upper - spec.lower + 1n;
    const kind = spec.target === undefined ? "" : " for a target";
    this.#tell("info", `job ${client.connId}/${spec.number} accepted: ${size} nonces${kind}`);
    client.jobs.set(spec.number, this.#fleet.addJob(spec, client.claim, this.#now));
  }

  /** Says no in one line; the classic wire has no words for it but to hang up. */
  #refuse(client: Client, job: number, reason: string): void {
    this.#tell("warn", `job ${client.connId}/${job} refused: ${reason}`);
    if (client.wire === "cbor") {
      return this.#write(client.connId, { kind: "refused", job, reason });
    }
    if (this.#peers.get(client.connId) === client) this.#part(client, "refused");
    this.#close(client.connId);
  }

  #answer(job: Job): void {
    const { best, met, claim, spec } = job;
    const client = this.#peers.get(claim.connId);
    if (client === undefined || client instanceof Miner || best === undefined) return;
    client.jobs.delete(spec.number);
    if (client.wire === "cbor") {
      this.#write(client.connId, { kind: "answer", job: spec.number, best, met });
    } else {
      const payload = encodeClassic(classic.resultOf(best));
      this.#effects.push({ kind: "write", connId: client.connId, payload });
    }
    const missed = met ? "" : ", target not met";
    this.#tell("info", `job ${nameOf(job)} answered: ${best.hash} ${best.nonce}${missed}`);
    this.#startWaiting(client);
  }

  /** Tells native clients how their jobs stand, those that stand still less often. */
  #tellStatus(): void {
    const { roster, jobs } = this.#fleet;
    const miners = roster.miners.size;
    for (const job of jobs) {
      const sinceMs = this.#now - job.statusMs;
      if (sinceMs < this.limits.statusMs) continue;
      const moved = job.done !== job.statusDone || miners !== job.statusMiners;
      if (!moved && sinceMs < this.limits.statusIdleMs) continue;
      job.rate.sample(job.done - job.statusDone, sinceMs);
      job.statusMs = this.#now;
      job.statusDone = job.done;
      job.statusMiners = miners;
      const client = this.#peers.get(job.claim.connId);
      if (client === undefined || client.wire === "json") continue;
      const status: ToClient = {
        kind: "status",
        job: job.spec.number,
        done: job.done > MAX_UINT64 ? MAX_UINT64 : job.done,
        jobRate: job.rate.value ?? 0,
        fleetRate: roster.fleetRate,
        miners,
      };
      this.#write(client.connId, job.best === undefined ? status : { ...status, best: job.best });
    }
  }

  // ---- effects

  #port(hash: (message: string, nonce: bigint) => bigint): FleetPort {
    return {
      hash,
      classicBytes: (spec) => encodeClassic(classic.longestRequest(spec)).length,
      assign: (chunk, job) => {
        const { connId, wire } = chunk.miner;
        const range = { lower: chunk.lower, upper: chunk.end - 1n };
        const { message, target } = job.spec;
        if (wire === "json") {
          const payload = encodeClassic(classic.requestOf(message, range));
          this.#effects.push({ kind: "write", connId, payload });
          return;
        }
        const assign = { kind: "assign", chunk: chunk.id, message, ...range } as const;
        this.#write(connId, target === undefined ? assign : { ...assign, target });
      },
      shrink: (chunk, end) =>
        this.#write(chunk.miner.connId, { kind: "shrink", chunk: chunk.id, upper: end - 1n }),
      stop: (chunk) => this.#write(chunk.miner.connId, { kind: "stop", chunk: chunk.id }),
      accepted: (job, piece, miner) => this.#accepted(job, piece, miner),
      done: (job) => this.#answer(job),
      standing: (miner) => {
        const text = miner.probation ? "stands still: its work goes to others" : "works again";
        this.#tell(miner.probation ? "warn" : "info", `miner ${miner.connId} ${text}`);
      },
    };
  }

  #accepted(job: Job, piece: Interval, miner: Miner): void {
    this.#onAccept?.({
      client: job.claim.connId,
      job: job.spec.number,
      lower: piece.lower,
      upper: piece.end - 1n,
      miner: miner.connId,
    });
  }

  #write(connId: number, message: Message): void {
    this.#effects.push({ kind: "write", connId, payload: encodeMessage(message) });
  }

  #close(connId: number): void {
    this.#closing.add(connId);
    this.#effects.push({ kind: "close", connId });
  }

  #tell(level: "info" | "warn", text: string): void {
    for (const line of this.#log.admit(text, this.#now)) {
      this.#effects.push({ kind: "log", level, text: line });
    }
  }

  #reject(reason: string): void {
    const known = this.#rejected.has(reason) || this.#rejected.size < MAX_REASONS;
    const key = known ? reason : "other";
    this.#rejected.set(key, (this.#rejected.get(key) ?? 0) + 1);
  }

  /** The clocks run while a job lives or a miner owes an answer. */
  #schedule(): void {
    const needed = this.#fleet.jobs.size > 0 || this.#fleet.roster.isOwed;
    if (!needed) this.#tickMs = undefined;
    else this.#tickMs ??= this.#now + this.limits.tickMs;
  }
}

function nameOf(job: Job): string {
  return `${job.claim.connId}/${job.spec.number}`;
}

function readableRate(rate: number): string {
  return `${(rate / 1e6).toPrecision(3)} M nonces/s`;
}
