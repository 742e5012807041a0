/**
 * Those who ask: client connections, the jobs they have running, and what they are told.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { readableDuration, readablePlural } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import { type ClassicMessage, classicResult, encodeClassicMessage } from "../work/classic.ts";
import type { Fleet } from "../work/fleet.ts";
import { UINT64_MAX } from "../work/hash.ts";
import { MESSAGE_BYTES_MAX, type Message, type Status } from "../work/messages.ts";
import { hexDigits } from "../work/readable.ts";
import { Account } from "../work/scheduler.ts";
import { type SearchSpec, subjectBytes, whyNoSearch } from "../work/subject.ts";
import type { ServerLimits } from "./limits.ts";
import type { Topic } from "./log_limiter.ts";
import { SearchJob } from "./search_job.ts";
import type { Share, Shares } from "./shares.ts";
import type { JobTable, SearchAnswer } from "./table.ts";

/** A session: what one client asked for, over the connection that it used last. */
export class Asker extends Account {
  readonly session: bigint;
  readonly wire: Wire;
  connId: number;
  /** Live jobs by the client's number. */
  readonly jobs: Map<number, SearchJob> = new Map();
  /** What its address has; that of its first connection. */
  readonly share: Share;
  /** Messages of its live jobs, in bytes of UTF-8. */
  messageBytes = 0;

  constructor(session: bigint, wire: Wire, connId: number, share: Share) {
    super();
    this.session = session;
    this.wire = wire;
    this.connId = connId;
    this.share = share;
  }
}

/** A connection that asked for jobs. */
export interface Client {
  readonly connId: number;
  readonly asker: Asker;
  /** Classic requests that wait for the one before: their Results could not be told apart. */
  readonly waiting: SearchSpec[];
  /** Classic requests so far; each gets the next number. */
  requests: number;
}

/** What the clients' desk needs of the core. */
export interface Desk {
  write(connId: number, message: Message): void;
  writeRaw(connId: number, payload: Uint8Array): void;
  /** Hangs up. */
  close(connId: number): void;
  /** Searches what of the job no miner can be trusted with. */
  searchLast(job: SearchJob): void;
  tell(level: "info" | "warn", text: string, topic?: Topic): void;
  /** Where a connection comes from, for people, as far as that is known. */
  addressOf(connId: number): string | undefined;
  reject(reason: string): void;
}

/** Sessions of classic clients count from here: no native client can name them. */
const CLASSIC_SESSIONS = 1n << 64n;

export class Clients {
  readonly byConnId: Map<number, Client> = new Map();
  readonly #askers = new Map<bigint, Asker>();
  readonly #limits: ServerLimits;
  readonly #table: JobTable;
  readonly #fleet: Fleet;
  readonly #shares: Shares;
  readonly #desk: Desk;

  constructor(limits: ServerLimits, table: JobTable, fleet: Fleet, shares: Shares, desk: Desk) {
    this.#limits = limits;
    this.#shares = shares;
    this.#table = table;
    this.#fleet = fleet;
    this.#desk = desk;
  }

  /** How many things each table holds now, by name, to see that none grows for ever. */
  tableSizes(): Record<string, number> {
    const { size: records, answers, sessions } = this.#table;
    const [clients, askers] = [this.byConnId.size, this.#askers.size];
    const { size: shares } = this.#shares;
    return { clients, askers, sessions: sessions.size, records, answers, shares };
  }

  /** A native client's message. */
  handle(connId: number, message: Message, nowMs: Millis): void {
    if (message.kind === "cancel") return this.#cancel(connId, message.job, nowMs);
    if (message.kind !== "submit") return this.#desk.reject(`${message.kind} from a client`);
    const { job: number, session, work } = message;
    const client = this.#clientOf(connId, "cbor", session, number);
    if (client === undefined) return;
    if (client.asker.session !== session) {
      return this.#refuse(client, number, "a connection speaks for one session only", nowMs);
    }
    // What it said before it came back over a newer one, and what is late: it has said it again.
    if (connId < client.asker.connId) return this.#desk.reject("submit over a connection given up");
    client.asker.connId = connId;
    const known = this.#table.find({ session, number }, work);
    if (known === undefined) return this.#start(client, number, work, nowMs);
    if (known.kind === "answered") return this.#tellAnswer(client.asker, number, known.answer);
    if (known.kind === "taken") {
      this.#refuse(client, number, `its number ${number} stands for another job`, nowMs);
    }
  }

  /** A classic client's Request. */
  handleRequest(connId: number, request: ClassicMessage, nowMs: Millis): void {
    const client = this.#clientOf(connId, "json", CLASSIC_SESSIONS + BigInt(connId), 0);
    if (client === undefined) return;
    if (client.waiting.length >= this.#limits.maxJobsPerClient) {
      return this.#refuse(client, 0, "too many requests wait on this connection", nowMs);
    }
    const { data: subject, lower, upper } = request;
    client.waiting.push({ subject, lower, upper });
    this.#startWaiting(client, nowMs);
  }

  /** The connection ended: its jobs are dropped, those of others go on. `why` is for people. */
  leave(connId: number, why: string, nowMs: Millis): void {
    const client = this.byConnId.get(connId);
    if (client === undefined) return;
    this.byConnId.delete(connId);
    this.#shares.leave(connId);
    client.waiting.length = 0;
    const { asker } = client;
    // Its client has come back over another connection.
    if (asker.connId !== connId) return;
    this.#askers.delete(asker.session);
    const jobs = [...asker.jobs.values()];
    for (const job of jobs) this.#giveBack(job);
    this.#table.end(asker.session);
    if (jobs.length > 0) {
      const what = jobs.length === 1 ? "its job is" : `its ${jobs.length} jobs are`;
      this.#desk.tell("info", `client ${connId} left: ${why}; ${what} dropped`);
    }
    for (const job of jobs) this.#fleet.dropJob(job, nowMs);
  }

  /** All of the job is searched. */
  answer(job: SearchJob, nowMs: Millis): void {
    const asker = askerOf(job);
    const { number } = job.record.name;
    this.#giveBack(job);
    const answer = this.#table.answer(job.record);
    this.#tellAnswer(asker, number, answer);
    const { best, met } = answer;
    const missed = met ? "" : ", target not met";
    const took = readableDuration((nowMs - job.arrivedMs) / 1000);
    const found = `nonce ${best.nonce} has hash ${hexDigits(best.hash)}${missed}`;
    this.#desk.tell("info", `job ${nameOf(job)} answered after ${took}: ${found}`);
    const client = this.byConnId.get(asker.connId);
    if (client !== undefined) this.#startWaiting(client, nowMs);
  }

  /** The job cannot be done: its client is told why. */
  giveUp(job: SearchJob, reason: string, nowMs: Millis): void {
    const asker = askerOf(job);
    const { name } = job.record;
    this.#giveBack(job);
    this.#table.forget(name);
    this.#fleet.dropJob(job, nowMs);
    const client = this.byConnId.get(asker.connId);
    if (client !== undefined) this.#refuse(client, name.number, reason, nowMs);
  }

  /** Tells native clients how their jobs stand; those that make no progress less often. */
  tellStatus(nowMs: Millis): void {
    const miners = this.#fleet.roster.workers.size;
    for (const job of this.#fleet.jobs) {
      if (!(job instanceof SearchJob)) continue;
      const sinceMs = nowMs - job.statusMs;
      if (sinceMs < this.#limits.statusMs) continue;
      const { done } = job.record;
      const moved = done !== job.statusDone || miners !== job.statusMiners;
      if (!moved && sinceMs < this.#limits.statusIdleMs) continue;
      job.rate.sample(done - job.statusDone, sinceMs);
      job.statusMs = nowMs;
      job.statusDone = done;
      job.statusMiners = miners;
      const { wire, connId } = askerOf(job);
      if (wire === "cbor") this.#desk.write(connId, this.#statusOf(job));
    }
  }

  #tellAnswer({ wire, connId }: Asker, job: number, { best, met }: SearchAnswer): void {
    if (wire === "cbor") return this.#desk.write(connId, { kind: "answer", job, best, met });
    this.#desk.writeRaw(connId, encodeClassicMessage(classicResult(best)));
  }

  #statusOf(job: SearchJob): Status {
    const { roster, jobs } = this.#fleet;
    const { name, done, best } = job.record;
    // A job that is alone has the whole fleet, also while too little of it is measured.
    const jobRate = jobs.size === 1 ? roster.fleetRate : (job.rate.value ?? 0);
    const status: Status = {
      kind: "status",
      job: name.number,
      done: done > UINT64_MAX ? UINT64_MAX : done,
      jobRate,
      fleetRate: roster.fleetRate,
      miners: roster.workers.size,
    };
    return best === undefined ? status : { ...status, best };
  }

  /** The client behind the connection, a new one if need be; undefined if the house is full. */
  #clientOf(connId: number, wire: Wire, session: bigint, job: number): Client | undefined {
    const known = this.byConnId.get(connId);
    if (known !== undefined) return known;
    const share = this.#shares.of(connId, this.#desk.addressOf(connId));
    const reason = this.#whyFull(share);
    if (reason !== undefined) {
      this.#desk.tell("warn", `client ${connId} refused: ${reason}`, "stranger");
      if (wire === "cbor") this.#desk.write(connId, { kind: "refused", job, reason });
      this.#desk.close(connId);
      return undefined;
    }
    const asker = this.#askers.get(session) ?? new Asker(session, wire, connId, share);
    this.#shares.enter(connId, share, "clients");
    this.#askers.set(session, asker);
    const client = { connId, asker, waiting: [], requests: 0 };
    this.byConnId.set(connId, client);
    return client;
  }

  #whyFull(share: Share): string | undefined {
    const { maxClients, maxClientsPerAddress } = this.#limits;
    if (this.byConnId.size >= maxClients) {
      return `the server has reached its limit of ${maxClients} clients`;
    }
    if (share.clients < maxClientsPerAddress) return undefined;
    return `this address has reached its limit of ${maxClientsPerAddress} clients`;
  }

  /** The job lives no longer: what it took is free for others. */
  #giveBack(job: SearchJob): void {
    const asker = askerOf(job);
    const { name, spec } = job.record;
    asker.jobs.delete(name.number);
    const bytes = subjectBytes(spec.subject);
    asker.messageBytes -= bytes;
    this.#shares.countJob(asker.share, bytes, -1);
  }

  #cancel(connId: number, number: number, nowMs: Millis): void {
    const asker = this.byConnId.get(connId)?.asker;
    const job = asker?.jobs.get(number);
    // An unknown number is no fault: the answer and the Cancel crossed.
    if (asker === undefined || job === undefined) return;
    this.#giveBack(job);
    this.#table.forget(job.record.name);
    this.#desk.tell("info", `job ${nameOf(job)} cancelled`);
    this.#fleet.dropJob(job, nowMs);
  }

  #startWaiting(client: Client, nowMs: Millis): void {
    if (client.asker.jobs.size > 0) return;
    const spec = client.waiting.shift();
    if (spec !== undefined) this.#start(client, ++client.requests, spec, nowMs);
  }

  #start(client: Client, number: number, spec: SearchSpec, nowMs: Millis): void {
    const { asker } = client;
    const reason = this.#objection(asker, spec);
    if (reason !== undefined) return this.#refuse(client, number, reason, nowMs);
    const submitted = this.#table.submit({ session: asker.session, number }, spec);
    if (submitted.kind !== "new") return;
    const size = spec.upper - spec.lower + 1n;
    const kind = spec.target === undefined ? "" : `, target ${hexDigits(spec.target)}`;
    const what = `${readablePlural(size, "nonce")}${kind}`;
    const address = this.#desk.addressOf(client.connId);
    const from = address === undefined ? "" : ` from ${address}`;
    this.#desk.tell("info", `job ${client.connId}/${number} accepted${from}: ${what}`);
    const seq = this.#fleet.takeSeq();
    const job = new SearchJob(submitted.record, asker, seq, this.#limits, nowMs);
    asker.jobs.set(number, job);
    const bytes = subjectBytes(spec.subject);
    asker.messageBytes += bytes;
    this.#shares.countJob(asker.share, bytes, 1);
    this.#desk.searchLast(job);
    if (job.isDone) return this.answer(job, nowMs);
    this.#fleet.addJob(job, nowMs);
  }

  /** Why the job cannot be done, in one line. */
  #objection(asker: Asker, spec: SearchSpec): string | undefined {
    const nonsense = whyNoSearch(spec);
    if (nonsense !== undefined) return nonsense;
    const bytes = subjectBytes(spec.subject);
    if (bytes > MESSAGE_BYTES_MAX) return `the message is longer than ${MESSAGE_BYTES_MAX} bytes`;
    const { share } = asker;
    const limits = this.#limits;
    const reached = (who: string, limit: number, what: string): string =>
      `${who} has reached its limit of ${limit} ${what}`;
    for (const [who, jobs, most] of [
      ["this client", asker.jobs.size, limits.maxJobsPerClient],
      ["this address", share.jobs, limits.maxJobsPerAddress],
      ["the server", this.#table.size, limits.maxJobs],
    ] as const) {
      if (jobs >= most) return reached(who, most, "jobs");
    }
    for (const [who, held, most] of [
      ["this client", asker.messageBytes, limits.maxMessageBytesPerClient],
      ["this address", share.messageBytes, limits.maxMessageBytesPerAddress],
      ["the server", this.#table.subjectBytes, limits.maxMessageBytesTotal],
    ] as const) {
      if (held + bytes > most) return reached(who, most, "bytes of messages");
    }
    return undefined;
  }

  /** Says no in one line; the classic wire has no words for it but to hang up. */
  #refuse(client: Client, job: number, reason: string, nowMs: Millis): void {
    const { connId, asker } = client;
    this.#desk.tell("warn", `job ${connId}/${job} refused: ${reason}`);
    if (asker.wire === "cbor") return this.#desk.write(connId, { kind: "refused", job, reason });
    this.leave(connId, "refused", nowMs);
    this.#desk.close(connId);
  }
}

/** The session that asked for the job. */
export function askerOf(job: SearchJob): Asker {
  return job.account as Asker;
}

/** For people: the connection and the client's number. */
function nameOf(job: SearchJob): string {
  return `${askerOf(job).connId}/${job.record.name.number}`;
}
