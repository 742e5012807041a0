/**
 * Those who ask: client connections, the jobs they have running, and what they are told.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { readableDuration, readablePlural, utf8Length } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import { type ClassicMessage, classicResult, encodeClassicMessage } from "../work/classic.ts";
import { MAX_UINT64 } from "../work/hash.ts";
import { MAX_MESSAGE_BYTES, type Message, type Status } from "../work/messages.ts";
import { hexDigits } from "../work/readable.ts";
import type { Fleet } from "./fleet.ts";
import type { Job, JobSpec } from "./job.ts";
import { Claim } from "./scheduler.ts";

/** A connection that asked for jobs. */
export interface Client {
  readonly connId: number;
  readonly wire: Wire;
  readonly claim: Claim;
  /** Live jobs by the client's number. */
  readonly jobs: Map<number, Job>;
  /** Classic requests that wait for the one before: their Results could not be told apart. */
  readonly waiting: JobSpec[];
  /** Classic requests so far; each gets the next number. */
  requests: number;
}

/** What the clients' desk needs of the core. */
export interface Desk {
  write(connId: number, message: Message): void;
  writeRaw(connId: number, payload: Uint8Array): void;
  /** Hangs up. */
  close(connId: number): void;
  tell(level: "info" | "warn", text: string): void;
  reject(reason: string): void;
}

export class Clients {
  readonly byConnId: Map<number, Client> = new Map();
  readonly #fleet: Fleet;
  readonly #desk: Desk;

  constructor(fleet: Fleet, desk: Desk) {
    this.#fleet = fleet;
    this.#desk = desk;
  }

  /** A native client's message; `client` is undefined for its first. */
  handle(connId: number, message: Message, now: Millis): void {
    if (message.kind === "cancel") return this.#cancel(connId, message.job, now);
    if (message.kind !== "submit") return this.#desk.reject(`${message.kind} from a client`);
    const { job: number, message: text, lower, upper, target } = message;
    const client = this.#clientOf(connId, "cbor", number);
    if (client === undefined) return;
    if (client.jobs.has(number)) return this.#desk.reject("submit of a number in use");
    this.#start(client, { number, message: text, lower, upper, target }, now);
  }

  /** A classic client's Request. */
  handleRequest(connId: number, request: ClassicMessage, now: Millis): void {
    const client = this.#clientOf(connId, "json", 0);
    if (client === undefined) return;
    if (client.waiting.length >= this.#fleet.limits.maxJobsPerClient) {
      return this.#refuse(client, 0, "too many requests wait on this connection", now);
    }
    const { data: message, lower, upper } = request;
    client.waiting.push({ number: ++client.requests, message, lower, upper });
    this.#startWaiting(client, now);
  }

  /** The connection ended: its jobs are dropped, those of others go on. `why` is for people. */
  leave(connId: number, why: string, now: Millis): void {
    const client = this.byConnId.get(connId);
    if (client === undefined) return;
    this.byConnId.delete(connId);
    client.waiting.length = 0;
    const jobs = [...client.jobs.values()];
    client.jobs.clear();
    if (jobs.length > 0) {
      const what = jobs.length === 1 ? "its job is" : `its ${jobs.length} jobs are`;
      this.#desk.tell("info", `client ${connId} left: ${why}; ${what} dropped`);
    }
    for (const job of jobs) this.#fleet.dropJob(job, now);
  }

  /** All of the job is searched. */
  answer(job: Job, now: Millis): void {
    const { best, met, claim, spec } = job;
    const client = this.byConnId.get(claim.connId);
    if (client === undefined || best === undefined) return;
    client.jobs.delete(spec.number);
    if (client.wire === "json")
      this.#desk.writeRaw(client.connId, encodeClassicMessage(classicResult(best)));
    else this.#desk.write(client.connId, { kind: "answer", job: spec.number, best, met });
    const missed = met ? "" : ", target not met";
    const took = readableDuration((now - job.arrivedMs) / 1000);
    const found = `nonce ${best.nonce} has hash ${hexDigits(best.hash)}${missed}`;
    this.#desk.tell("info", `job ${nameOf(job)} answered after ${took}: ${found}`);
    this.#startWaiting(client, now);
  }

  /** Tells native clients how far their jobs are; of those that do not move, less often. */
  tellStatus(now: Millis): void {
    const { roster, jobs, limits } = this.#fleet;
    const miners = roster.miners.size;
    for (const job of jobs) {
      const sinceMs = now - job.statusMs;
      if (sinceMs < limits.statusMs) continue;
      const moved = job.done !== job.statusDone || miners !== job.statusMiners;
      if (!moved && sinceMs < limits.statusIdleMs) continue;
      job.rate.sample(job.done - job.statusDone, sinceMs);
      job.statusMs = now;
      job.statusDone = job.done;
      job.statusMiners = miners;
      const client = this.byConnId.get(job.claim.connId);
      if (client?.wire === "cbor") this.#desk.write(client.connId, this.#statusOf(job));
    }
  }

  #statusOf(job: Job): Status {
    const { roster, jobs } = this.#fleet;
    // A job that is alone has the whole fleet, also while too little of it is measured.
    const jobRate = jobs.size === 1 ? roster.fleetRate : (job.rate.value ?? 0);
    const status: Status = {
      kind: "status",
      job: job.spec.number,
      done: job.done > MAX_UINT64 ? MAX_UINT64 : job.done,
      jobRate,
      fleetRate: roster.fleetRate,
      miners: roster.miners.size,
    };
    return job.best === undefined ? status : { ...status, best: job.best };
  }

  /** The client behind the connection, a new one if need be; undefined if the house is full. */
  #clientOf(connId: number, wire: Wire, job: number): Client | undefined {
    const known = this.byConnId.get(connId);
    if (known !== undefined) return known;
    const { maxClients } = this.#fleet.limits;
    if (this.byConnId.size >= maxClients) {
      const reason = `the server has reached its limit of ${maxClients} clients`;
      this.#desk.tell("warn", `client ${connId} refused: ${reason}`);
      if (wire === "cbor") this.#desk.write(connId, { kind: "refused", job, reason });
      this.#desk.close(connId);
      return undefined;
    }
    const claim = new Claim(connId);
    const client = { connId, wire, claim, jobs: new Map(), waiting: [], requests: 0 };
    this.byConnId.set(connId, client);
    return client;
  }

  #cancel(connId: number, number: number, now: Millis): void {
    const client = this.byConnId.get(connId);
    const job = client?.jobs.get(number);
    // An unknown number is no fault: the answer and the Cancel crossed.
    if (client === undefined || job === undefined) return;
    client.jobs.delete(number);
    this.#desk.tell("info", `job ${nameOf(job)} cancelled`);
    this.#fleet.dropJob(job, now);
  }

  #startWaiting(client: Client, now: Millis): void {
    if (client.jobs.size > 0) return;
    const spec = client.waiting.shift();
    if (spec !== undefined) this.#start(client, spec, now);
  }

  #start(client: Client, spec: JobSpec, now: Millis): void {
    const reason = this.#objection(client, spec);
    if (reason !== undefined) return this.#refuse(client, spec.number, reason, now);
    const size = spec.upper - spec.lower + 1n;
    const kind = spec.target === undefined ? "" : `, target ${hexDigits(spec.target)}`;
    const what = `${readablePlural(size, "nonce")}${kind}`;
    this.#desk.tell("info", `job ${client.connId}/${spec.number} accepted: ${what}`);
    client.jobs.set(spec.number, this.#fleet.addJob(spec, client.claim, now));
  }

  /** Why the job cannot be done, in one line. */
  #objection(client: Client, spec: JobSpec): string | undefined {
    const { jobs, limits, messageBytes } = this.#fleet;
    if (spec.lower > spec.upper) return "the range is empty: its lower end is above its upper";
    const bytes = utf8Length(spec.message);
    if (bytes > MAX_MESSAGE_BYTES) {
      return `the message is longer than ${MAX_MESSAGE_BYTES} bytes`;
    }
    if (client.jobs.size >= limits.maxJobsPerClient) {
      return `this client has reached its limit of ${limits.maxJobsPerClient} jobs`;
    }
    if (messageBytes + bytes > limits.maxMessageBytesTotal) {
      return `the server has reached its limit of ${limits.maxMessageBytesTotal} bytes of messages`;
    }
    if (jobs.size >= limits.maxJobs)
      return `the server has reached its limit of ${limits.maxJobs} jobs`;
    return undefined;
  }

  /** Says no in one line; the classic wire has no words for it but to hang up. */
  #refuse(client: Client, job: number, reason: string, now: Millis): void {
    const { connId, wire } = client;
    this.#desk.tell("warn", `job ${connId}/${job} refused: ${reason}`);
    if (wire === "cbor") return this.#desk.write(connId, { kind: "refused", job, reason });
    this.leave(connId, "refused", now);
    this.#desk.close(connId);
  }
}

function nameOf(job: Job): string {
  return `${job.claim.connId}/${job.spec.number}`;
}
