/**
 * Those who ask: client connections, the jobs they have running, and what they are told. What was
 * accepted is in the table first, and so is an answer before anybody hears it.
 *
 * Jobs over the json wire are in no table: its clients have no word to come back with.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { readableDuration, readablePlural } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import { type ClassicMessage, classicResult, encodeClassicMessage } from "../work/classic.ts";
import type { Fleet } from "../work/fleet.ts";
import { idText } from "../work/job_id.ts";
import type { Message, Submit } from "../work/messages.ts";
import { hexDigits } from "../work/readable.ts";
import { isSameSearch, type SearchSpec } from "../work/subject.ts";
import { Admission } from "./admission.ts";
import {
  type Asker,
  askerOf,
  CLASSIC_SESSIONS,
  CLIENT_WORDS,
  type Client,
  isRelayedSession,
  LOOKING_SESSIONS,
  nameOf,
} from "./askers.ts";
import { Attendance } from "./attendance.ts";
import { begunText } from "./called.ts";
import { Inquiries } from "./inquiries.ts";
import type { Ledger } from "./ledger.ts";
import type { ServerLimits } from "./limits.ts";
import type { Outlet } from "./outlet.ts";
import { SearchJob } from "./search_job.ts";
import type { Shares } from "./shares.ts";
import { tellStatusOf } from "./status.ts";
import { type JobName, type SearchAnswer, SearchRecord } from "./table.ts";

export class Clients {
  readonly #here: Attendance;
  readonly #limits: ServerLimits;
  readonly #ledger: Ledger;
  readonly #fleet: Fleet;
  readonly #shares: Shares;
  readonly #admission: Admission;
  readonly #inquiries: Inquiries;
  readonly #outlet: Outlet;
  readonly #searchLast: (job: SearchJob) => void;

  /** `searchLast` searches what of a job no miner can be trusted with. */
  constructor(
    limits: ServerLimits,
    ledger: Ledger,
    fleet: Fleet,
    shares: Shares,
    outlet: Outlet,
    searchLast: (job: SearchJob) => void,
  ) {
    this.#limits = limits;
    this.#shares = shares;
    this.#ledger = ledger;
    this.#fleet = fleet;
    this.#outlet = outlet;
    this.#searchLast = searchLast;
    this.#admission = new Admission(limits, shares);
    this.#here = new Attendance(shares, this.#admission, outlet);
    this.#inquiries = new Inquiries(ledger, {
      write: (connId, message) => outlet.write(connId, message),
      jobOf: (name) => this.jobOf(name),
      follow: (job, client, number) => this.#follow(job, client, number),
      tellAnswer: (connId, number, answer) => this.#tellAnswer("cbor", connId, number, answer),
      drop: (job, nowMs) => this.#drop(job, "cancelled", nowMs),
    });
  }

  /** The job of that name that is at work. */
  jobOf({ session, number }: JobName): SearchJob | undefined {
    return this.#here.askers.get(session)?.jobs.get(number);
  }

  /** The client behind a connection. */
  clientAt(connId: number): Client | undefined {
    return this.#here.byConnId.get(connId);
  }

  /** How many things each table holds now, by name, to see that none grows for ever. */
  tableSizes(): Record<string, number> {
    const { size: records, answers, sessions } = this.#ledger.table;
    const { byConnId, askers } = this.#here;
    const here = { clients: byConnId.size, askers: askers.size, shares: this.#shares.size };
    return { ...here, sessions: sessions.size, records, answers };
  }

  /** A cbor client's message. */
  handle(connId: number, message: Message, nowMs: Millis): void {
    const session = "session" in message ? message.session : LOOKING_SESSIONS + BigInt(connId);
    const number = "job" in message ? (message.job ?? 0) : 0;
    if (!CLIENT_WORDS.has(message.kind)) {
      return this.#outlet.reject(`${message.kind} from a client`);
    }
    const client = this.#here.enter(connId, "cbor", session, number);
    if (client === undefined) return;
    if ("session" in message && client.asker.session !== session) {
      return this.#refuse(client, number, "a connection speaks for one session only", nowMs);
    }
    if (message.kind === "submit") return this.#submit(client, message, nowMs);
    if (message.kind === "cancel") return this.#cancel(client, number, nowMs);
    this.#inquiries.handle(client, message, nowMs);
  }

  /** A classic client's Request. */
  handleRequest(connId: number, request: ClassicMessage, nowMs: Millis): void {
    const client = this.#here.enter(connId, "json", CLASSIC_SESSIONS + BigInt(connId), 0);
    if (client === undefined) return;
    if (client.waiting.length >= this.#limits.maxJobsPerClient) {
      return this.#refuse(client, 0, "too many requests wait on this connection", nowMs);
    }
    const { data: subject, lower, upper } = request;
    client.waiting.push({ subject, lower, upper });
    this.#startWaiting(client, nowMs);
  }

  /**
   * The connection ended. Its classic jobs are dropped; the others wait for their client for a
   * while. `why` is for people.
   */
  leave(connId: number, why: string, nowMs: Millis): void {
    const client = this.#here.leave(connId);
    if (client === undefined) return;
    client.waiting.length = 0;
    const { asker, attached } = client;
    for (const job of asker.jobs.values()) job.followers.delete(connId);
    for (const name of attached.values()) this.jobOf(name)?.followers.delete(connId);
    // Its client has come back over another connection.
    if (asker.connId !== connId) return;
    asker.isHere = false;
    asker.goneMs = nowMs;
    const patienceMs = asker.wire === "json" ? 0 : this.#patienceMs(asker);
    if (patienceMs === 0) return this.#dropOrphans(asker, why, nowMs);
    const waits = [...asker.jobs.values()].filter(({ record }) => !record.detached).length;
    if (waits > 0) {
      const what = waits === 1 ? "its job waits" : `its ${waits} jobs wait`;
      const until = readableDuration(patienceMs / 1000);
      this.#outlet.tell("info", `client ${connId} left: ${why}; ${what} for it ${until} at most`);
    }
    this.#here.tidy(asker);
  }

  /** Drops the jobs whose clients have not come back, and are not to go on without them. */
  dropOrphans(nowMs: Millis): void {
    for (const asker of this.#here.askers.values()) {
      if (asker.isHere || nowMs - asker.goneMs < this.#patienceMs(asker)) continue;
      this.#dropOrphans(asker, "it has not come back", nowMs);
    }
  }

  /** How long jobs wait for the client. */
  #patienceMs({ session }: Asker): Millis {
    const { orphanMs, relayedOrphanMs } = this.#limits;
    return isRelayedSession(session) ? Math.min(orphanMs, relayedOrphanMs) : orphanMs;
  }

  /** This server leads: goes on with every job of the table that is not at work. */
  lead(nowMs: Millis): void {
    const sessions = [...this.#ledger.table.sessions.values()];
    const records = sessions.flatMap((session) => [...session.records.values()]);
    const isAtWork = (name: JobName): boolean =>
      this.jobOf(name) !== undefined || this.#ledger.isLeaving(name);
    const restored = records.filter(({ name }) => !isAtWork(name));
    for (const record of restored.sort((a, b) => a.seq - b.seq)) {
      const { session, number } = record.name;
      // Its submit is on the way here.
      if (this.#here.askers.get(session)?.pending.has(number)) continue;
      const asker = this.#here.recall(session, nowMs);
      this.#admission.count(asker, record.spec, 1);
      this.#begin(asker, record.copy(), nowMs);
    }
    if (restored.length === 0) return;
    const jobs = readablePlural(restored.length, "job");
    this.#outlet.tell("info", `going on with ${jobs} of the table`);
  }

  /** All of the job is searched. */
  answer(job: SearchJob, nowMs: Millis): void {
    const { best, met, name, seq } = job.record;
    const answer = { best: best!, met };
    if (!job.isKept) return this.#answered(job, answer, nowMs);
    this.#ledger.forget(job);
    this.#ledger.propose([{ kind: "answer", name, seq, ...answer }], nowMs, (thenMs) => {
      if (this.jobOf(name) === job) this.#answered(job, answer, thenMs);
    });
  }

  /** The job cannot be done: its client is told why. */
  giveUp(job: SearchJob, reason: string, nowMs: Millis): void {
    const asker = askerOf(job);
    const { number } = job.record.name;
    const client = this.#here.clientOf(asker);
    const others = [...job.followers].filter(([connId]) => connId !== asker.connId);
    this.#end(job, nowMs);
    this.#fleet.dropJob(job, nowMs);
    for (const [connId, each] of others) {
      this.#outlet.write(connId, { kind: "refused", job: each, reason });
    }
    if (client !== undefined) this.#refuse(client, number, reason, nowMs);
  }

  /** Tells cbor clients how their jobs stand; those that make no progress less often. */
  tellStatus(nowMs: Millis): void {
    tellStatusOf(this.#fleet, this.#limits, nowMs, (connId, status) => {
      this.#outlet.write(connId, status);
    });
  }

  // ---- jobs

  #submit(client: Client, { job: number, session, work, detached }: Submit, nowMs: Millis): void {
    const { connId, asker } = client;
    // What it said before it came back over a newer one, and what is late: it has said it again.
    if (connId < asker.connId) return this.#outlet.reject("submit over a connection given up");
    asker.connId = connId;
    asker.isHere = true;
    const taken = (): void =>
      this.#refuse(client, number, `its number ${number} stands for another job`, nowMs);
    const job = asker.jobs.get(number);
    if (job !== undefined) {
      return isSameSearch(job.record.spec, work) ? this.#follow(job, client, number) : taken();
    }
    const pending = asker.pending.get(number);
    if (pending !== undefined) return isSameSearch(pending.spec, work) ? undefined : taken();
    const known = this.#ledger.table.find({ session, number }, work);
    if (known?.kind === "taken") return taken();
    if (known?.kind === "answered") {
      this.#tellAccepted(connId, number, known.answer.id);
      return this.#tellAnswer("cbor", connId, number, known.answer);
    }
    const reason = this.#admission.objection(asker, work, this.#ledger.table.answers);
    if (reason !== undefined) return this.#refuse(client, number, reason, nowMs);
    this.#propose(asker, { session, number }, work, detached ?? false, nowMs);
  }

  /** Has the job put into the table, and begins with it when it is there. */
  #propose(asker: Asker, name: JobName, spec: SearchSpec, detached: boolean, nowMs: Millis): void {
    const pending = { spec, isCancelled: false };
    asker.pending.set(name.number, pending);
    this.#admission.count(asker, spec, 1);
    const then = (thenMs: Millis): void => {
      asker.pending.delete(name.number);
      const record = this.#ledger.table.record(name);
      if (record !== undefined && !pending.isCancelled) {
        return this.#begin(asker, record.copy(), thenMs);
      }
      this.#admission.count(asker, spec, -1);
      if (pending.isCancelled) this.#ledger.drop(name, thenMs);
      this.#here.tidy(asker);
    };
    const giveUp = (why: string, thenMs: Millis): void => {
      asker.pending.delete(name.number);
      this.#admission.count(asker, spec, -1);
      const client = this.#here.clientOf(asker);
      const reason = `the server cannot keep new jobs now: ${why}`;
      if (client !== undefined) this.#refuse(client, name.number, reason, thenMs);
      this.#here.tidy(asker);
    };
    const submit = { kind: "submit", name, work: spec, detached } as const;
    this.#ledger.propose([submit], nowMs, then, giveUp);
  }

  #startWaiting(client: Client, nowMs: Millis): void {
    const { asker } = client;
    if (asker.jobs.size > 0) return;
    const spec = client.waiting.shift();
    if (spec === undefined) return;
    const number = ++client.requests;
    const reason = this.#admission.objection(asker, spec, this.#ledger.table.answers);
    if (reason !== undefined) return this.#refuse(client, number, reason, nowMs);
    this.#admission.count(asker, spec, 1);
    this.#begin(asker, new SearchRecord({ session: asker.session, number }, spec), nowMs);
  }

  /** Puts the fleet to work on a job; its share is counted already. */
  #begin(asker: Asker, record: SearchRecord, nowMs: Millis): void {
    const { number } = record.name;
    const job = new SearchJob(record, asker, this.#fleet.takeSeq(), this.#limits, nowMs);
    asker.jobs.set(number, job);
    const client = this.#here.clientOf(asker);
    if (client !== undefined) {
      const { connId } = client;
      this.#outlet.tell("info", begunText(job, connId, this.#outlet.addressOf(connId)));
      this.#follow(job, client, number);
    }
    this.#searchLast(job);
    if (job.isDone) return this.answer(job, nowMs);
    this.#fleet.addJob(job, nowMs);
  }

  #follow(job: SearchJob, { connId, asker }: Client, number: number): void {
    if (!job.followers.has(connId) && job.followers.size >= this.#limits.maxFollowers) {
      const reason = `job ${idText(job.record.id)} has ${this.#limits.maxFollowers} followers`;
      return this.#outlet.write(connId, { kind: "refused", job: number, reason });
    }
    job.followers.set(connId, number);
    if (asker.wire === "cbor") this.#tellAccepted(connId, number, job.record.id);
  }

  #tellAccepted(connId: number, job: number, id: number): void {
    const durable = this.#ledger.isDurable;
    this.#outlet.write(connId, { kind: "accepted", job, id, durable });
  }

  #answered(job: SearchJob, answer: SearchAnswer, nowMs: Millis): void {
    const asker = askerOf(job);
    this.#giveBack(job);
    for (const [connId, number] of job.followers) {
      this.#tellAnswer(asker.wire, connId, number, answer);
    }
    const { best, met } = answer;
    const missed = met ? "" : ", target not met";
    const took = readableDuration((nowMs - job.arrivedMs) / 1000);
    const found = `nonce ${best.nonce} has hash ${hexDigits(best.hash)}${missed}`;
    this.#outlet.tell("info", `job ${nameOf(job)} answered after ${took}: ${found}`);
    const client = this.#here.clientOf(asker);
    if (client !== undefined) this.#startWaiting(client, nowMs);
  }

  #tellAnswer(wire: Wire, connId: number, job: number, { best, met }: SearchAnswer): void {
    if (wire === "cbor") return this.#outlet.write(connId, { kind: "answer", job, best, met });
    this.#outlet.writeRaw(connId, encodeClassicMessage(classicResult(best)));
  }

  // ---- ends

  #cancel(client: Client, number: number, nowMs: Millis): void {
    const { asker, attached, connId } = client;
    const other = attached.get(number);
    if (other !== undefined) {
      this.jobOf(other)?.followers.delete(connId);
      attached.delete(number);
      return;
    }
    const pending = asker.pending.get(number);
    if (pending !== undefined) pending.isCancelled = true;
    const job = asker.jobs.get(number);
    if (job !== undefined) return this.#drop(job, "cancelled", nowMs);
    // An unknown number is no fault: it was cancelled before.
    const name = { session: asker.session, number };
    if (this.#ledger.table.answerOf(name) === undefined) return;
    this.#ledger.drop(name, nowMs);
  }

  #dropOrphans(asker: Asker, why: string, nowMs: Millis): void {
    const jobs = [...asker.jobs.values()].filter(({ record }) => !record.detached);
    for (const pending of asker.pending.values()) pending.isCancelled = true;
    for (const job of jobs) this.#end(job, nowMs);
    if (jobs.length > 0) {
      const what = jobs.length === 1 ? "its job is" : `its ${jobs.length} jobs are`;
      this.#outlet.tell("info", `client ${asker.connId} left: ${why}; ${what} dropped`);
    }
    this.#fleet.dropJobs(jobs, nowMs);
    this.#here.tidy(asker);
  }

  #drop(job: SearchJob, why: string, nowMs: Millis): void {
    this.#outlet.tell("info", `job ${nameOf(job)} ${why}`);
    this.#end(job, nowMs);
    this.#fleet.dropJob(job, nowMs);
  }

  /** The job lives no longer, here and in the table. */
  #end(job: SearchJob, nowMs: Millis): void {
    this.#giveBack(job);
    this.#ledger.forget(job);
    const { name } = job.record;
    if (job.isKept) this.#ledger.drop(name, nowMs);
  }

  /** What the job took is free for others. */
  #giveBack(job: SearchJob): void {
    const asker = askerOf(job);
    const { name, spec } = job.record;
    asker.jobs.delete(name.number);
    this.#admission.count(asker, spec, -1);
    this.#here.tidy(asker);
  }

  /** Says no in one line; the json wire has no words for it but to hang up. */
  #refuse(client: Client, job: number, reason: string, nowMs: Millis): void {
    const { connId, asker } = client;
    this.#outlet.tell("warn", `job ${connId}/${job} refused: ${reason}`);
    if (asker.wire === "cbor") return this.#outlet.write(connId, { kind: "refused", job, reason });
    this.leave(connId, "refused", nowMs);
    this.#outlet.close(connId);
  }
}
