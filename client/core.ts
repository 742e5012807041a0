/**
 * The client without sockets: a plain state machine that asks a server for jobs, passes on their
 * progress, and believes no answer that it has not checked. When the connection goes it asks for
 * another one, and says the same again: same session, same numbers.
 *
 * The json wire has no job numbers, no progress and no cancel: there the jobs go to the server
 * one after the other, and a cancelled one is waited out.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import type { Machine, Millis, Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Random } from "../base/random.ts";
import { ServerRing } from "../base/server_ring.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import { decodeClassicMessage } from "../work/classic.ts";
import {
  type Answer,
  type FromClient,
  type Refused,
  type Status,
  SUBJECT_SHOWN_BYTES,
} from "../work/messages.ts";
import { hashOf, type SearchSpec, subjectBytes } from "../work/subject.ts";
import type { Servers } from "../work/server_messages.ts";
import { CLIENT_CODEC } from "../work/wire_client.ts";
import { requestFor, whyNot, whyWrong } from "./checks.ts";
import type { ClientEffect, ClientInput } from "./types.ts";

/** Jobs that one client may have under way. */
export const JOBS_MAX = 1000;

const UNREADABLE = "the server's answer cannot be read";

/** Why a message of the server was ignored. */
export type ClientRejection =
  "not connected" | "malformed" | "unexpected kind" | "unknown job" | "result without a request";

interface Entry {
  /** What was asked for; or, of a job that is attached to, its id, and what it turned out to be. */
  work: SearchSpec | undefined;
  readonly id: number | undefined;
  readonly detached: boolean;
  sent: boolean;
  cancelled: boolean;
  /** The most that was seen done: after a server's restart it may be less for a while. */
  done: bigint;
}

/** Whether a message that a list shows is all of it, for certain. */
function isWhole(shown: SearchSpec["subject"]): boolean {
  return subjectBytes(shown) <= SUBJECT_SHOWN_BYTES - UTF8_BYTES_MAX;
}

/** Bytes of the longest character in UTF-8. */
const UTF8_BYTES_MAX = 4;

/** How a client core is made. */
export interface ClientCoreOptions {
  /** Hash of a nonce; `hashOf` unless a simulation has a cheaper one. */
  readonly hash?: typeof hashOf;
  /** The client's session: 64 bits that nobody else has picked. */
  readonly session: bigint;
  /**
   * Spreads retries in time. With it, the core goes on over another connection when one is gone,
   * on the cbor wire, once there was one; left out, the end of a connection ends all.
   */
  readonly random?: Random | undefined;
  /** The servers, each `HOST:PORT`; left out: one, which its owner knows. */
  readonly servers?: readonly string[];
}

/** The first retry comes after about this long; each further one takes twice as long ... */
export const RETRY_MS_MIN = 100;
/** ... up to this. */
export const RETRY_MS_MAX = 2_000;

/** The client as a state machine; one core is one connection. See the module's comment. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  /** Messages of the server that were ignored, by reason. */
  readonly rejected: Map<ClientRejection, number> = new Map();
  readonly #effects = new Outbox<ClientEffect>();
  /** Jobs without an answer, by the caller's number, in order of submission. */
  readonly #jobs = new Map<number, Entry>();
  readonly #hash: typeof hashOf;
  readonly #session: bigint;
  readonly #backoff: Backoff | undefined;
  readonly #ring: ServerRing;
  #wire: Wire | undefined;
  /** Whether there is a connection, or one is being made: the first is made unasked. */
  #isOpen = true;
  /** Whether the server was of use: it leads. */
  #isServed = false;
  /** Whether there ever was a connection. */
  #wasConnected = false;
  #retryAtMs: Millis | undefined;
  #gone = false;

  constructor(options: ClientCoreOptions) {
    this.#session = options.session;
    this.#hash = options.hash ?? hashOf;
    const { random, servers = [] } = options;
    this.#ring = new ServerRing(servers, random ?? (() => 0));
    this.#backoff = random && new Backoff(RETRY_MS_MIN, RETRY_MS_MAX, random);
  }

  handle(input: ClientInput | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "wake":
        if (this.#retryAtMs === undefined || nowMs < this.#retryAtMs) return;
        return this.#dial();
      case "connected":
        if (this.#gone || this.#wire !== undefined) return;
        this.#wire = input.wire;
        this.#isServed = !this.#ring.isCluster;
        this.#wasConnected = true;
        return this.#sendJobs();
      case "submit": {
        const { job, work, detached = false } = input;
        return this.#add(job, { work, id: undefined, detached });
      }
      case "attach":
        return this.#add(input.job, { work: undefined, id: input.id, detached: true });
      case "cancel":
        return this.#cancel(input.job);
      case "payload":
        if (this.#wire === undefined || this.#gone) return this.#reject("not connected");
        if (this.#wire === "json") return this.#handleClassic(input.payload);
        return this.#handleCbor(input.payload, nowMs);
      case "gone":
        return this.#handleGone(input.reason, undefined, nowMs);
    }
  }

  poll(): ClientEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.#retryAtMs;
  }

  #dial(): void {
    this.#retryAtMs = undefined;
    this.#isOpen = true;
    const { current: server, isCluster } = this.#ring;
    this.#effects.push(server === "" ? { kind: "dial" } : { kind: "dial", server, isCluster });
  }

  /** The connection is gone; `leader`: where the server said that the leader is, if it spoke. */
  #handleGone(reason: string, leader: string | undefined, nowMs: Millis): void {
    if (this.#gone || !this.#isOpen) return;
    const isClassic = this.#wire === "json";
    const wasServed = this.#isServed;
    this.#isOpen = false;
    this.#isServed = false;
    this.#wire = undefined;
    for (const entry of this.#jobs.values()) entry.sent = false;
    if (this.#ring.isCluster && !isClassic) {
      const waitMs = this.#ring.lost(leader);
      // The first round may find that nobody is there.
      const isFutile = waitMs > 0 && !this.#wasConnected;
      const isOnce = this.#backoff === undefined && ((wasServed && !leader) || waitMs > 0);
      if (isFutile || isOnce) return this.#end(reason);
      if (wasServed || waitMs > 0) this.#effects.push({ kind: "waiting", reason, waitMs });
      if (waitMs === 0) return this.#dial();
      this.#retryAtMs = nowMs + waitMs;
      return;
    }
    if (this.#backoff === undefined || isClassic || !this.#wasConnected) return this.#end(reason);
    const waitMs = this.#backoff.next();
    this.#retryAtMs = nowMs + waitMs;
    this.#effects.push({ kind: "waiting", reason, waitMs });
  }

  #end(reason: string): void {
    this.#gone = true;
    this.#jobs.clear();
    this.#effects.push({ kind: "disconnected", reason });
  }

  /** A server says who leads. */
  #handleServers({ leads, leader, servers }: Servers, nowMs: Millis): void {
    const { current } = this.#ring;
    this.#ring.learn(servers);
    if (leads) return this.#served();
    const where = current === "" ? "the server" : `the server at ${current}`;
    const hint = leader === "" ? "and knows of no leader" : `the leader is at ${leader}`;
    this.#handleGone(`${where} does not lead, ${hint}`, leader, nowMs);
  }

  /** The server is of use. */
  #served(): void {
    this.#isServed = true;
    this.#ring.arrived();
  }

  #add(job: number, asked: Pick<Entry, "work" | "id" | "detached">): void {
    const reason = this.#jobs.has(job)
      ? `job number ${job} is in use`
      : this.#jobs.size >= JOBS_MAX
        ? `a client may have ${JOBS_MAX} jobs under way`
        : this.#gone
          ? "the connection is gone"
          : undefined;
    if (reason !== undefined) return this.#refuse(job, reason);
    this.#jobs.set(job, { ...asked, sent: false, cancelled: false, done: 0n });
    this.#sendJobs();
  }

  /** Sends what may be sent: all on the cbor wire, one at a time on the json wire. */
  #sendJobs(): void {
    if (this.#wire === undefined) return;
    for (const [job, entry] of this.#jobs) {
      if (!entry.sent) {
        const reason = this.#whyNot(entry, this.#wire);
        if (reason !== undefined) {
          this.#jobs.delete(job);
          this.#refuse(job, reason);
          continue;
        }
        entry.sent = true;
        this.#send(job, entry, this.#wire);
      }
      if (this.#wire === "json") return;
    }
  }

  #whyNot({ work, detached }: Entry, wire: Wire): string | undefined {
    if (wire === "json" && detached) return "the json wire has no jobs to come back to";
    return work && whyNot(work, wire);
  }

  #send(job: number, { work, id, detached }: Entry, wire: Wire): void {
    const session = this.#session;
    if (work === undefined || id !== undefined) {
      return this.#write({ kind: "attach", job, session, id: id! });
    }
    if (wire === "json") {
      this.#effects.push({ kind: "write", payload: requestFor(work) });
      return;
    }
    const submit = { kind: "submit", job, session, work } as const;
    this.#write(detached ? { ...submit, detached: true } : submit);
  }

  #cancel(job: number): void {
    const entry = this.#jobs.get(job);
    if (entry === undefined) return;
    if (entry.sent && this.#wire === "json") {
      entry.cancelled = true;
      return;
    }
    this.#jobs.delete(job);
    if (entry.sent) this.#write({ kind: "cancel", job });
  }

  #handleCbor(payload: Uint8Array, nowMs: Millis): void {
    const message = CLIENT_CODEC.decode(payload);
    if (typeof message === "string") return this.#handleUnreadable(payload, message);
    if (message.kind === "servers") return this.#handleServers(message, nowMs);
    this.#served();
    if (message.kind === "refused" && message.job === 0) {
      for (const job of this.#jobs.keys()) this.#refuse(job, message.reason);
      return this.#jobs.clear();
    }
    const { kind } = message;
    const isOurs = kind === "status" || kind === "answer" || kind === "refused";
    if (!isOurs && kind !== "accepted" && kind !== "jobs") return this.#reject("unexpected kind");
    const { job } = message;
    const entry = this.#jobs.get(job);
    if (entry === undefined) return this.#reject("unknown job");
    if (isOurs) return this.#handleNews(job, entry, message);
    // Only a connection that was good for something makes the next wait short.
    this.#backoff?.reset();
    if (kind === "accepted") {
      const { id, durable } = message;
      this.#effects.push({ kind: "accepted", job, id, durable });
    } else if (entry.id !== undefined && message.rows.length === 1) {
      const row = message.rows[0]!;
      const { shown: subject, lower, upper, target } = row;
      entry.work = { subject, lower, upper, ...(target !== undefined && { target }) };
      this.#effects.push({ kind: "found", job, row });
    }
  }

  #handleNews(job: number, entry: Entry, message: Status | Answer | Refused): void {
    if (message.kind === "status") {
      if (message.done > entry.done) entry.done = message.done;
      const status = { ...message, done: entry.done };
      this.#effects.push({ kind: "progress", job, status });
      return;
    }
    this.#jobs.delete(job);
    if (message.kind === "refused") return this.#refuse(job, message.reason);
    // Nobody comes back for the answer of a job that its client has waited for.
    this.#write({ kind: entry.detached ? "fetched" : "cancel", job });
    this.#answer(job, entry, message.best, message.met);
  }

  /** An end of a job that cannot be read is its end all the same. */
  #handleUnreadable(payload: Uint8Array, why: string): void {
    this.#reject("malformed");
    const head = CLIENT_CODEC.headOf(payload);
    if (head?.kind !== "answer" && head?.kind !== "refused") return;
    for (const job of head.number === 0 ? [...this.#jobs.keys()] : [head.number]) {
      if (this.#jobs.delete(job)) this.#refuse(job, `${UNREADABLE}: ${why}`);
    }
  }

  #handleClassic(payload: Uint8Array): void {
    const result = decodeClassicMessage(payload);
    if (typeof result === "string") this.#reject("malformed");
    else if (result.type !== 2) return this.#reject("unexpected kind");
    const [first] = this.#jobs;
    if (first === undefined || !first[1].sent) return this.#reject("result without a request");
    const [job, entry] = first;
    this.#jobs.delete(job);
    if (!entry.cancelled) {
      if (typeof result === "string") this.#refuse(job, `${UNREADABLE}: ${result}`);
      else this.#answer(job, entry, { hash: result.hash, nonce: result.nonce }, true);
    }
    this.#sendJobs();
  }

  #answer(job: number, { work, id }: Entry, best: Candidate, met: boolean): void {
    // Of a job that was found by its id only the beginning of its message may be known.
    const isKnown = id === undefined || (work !== undefined && isWhole(work.subject));
    const wrong = isKnown ? whyWrong(work!, best, met, this.#hash) : undefined;
    if (wrong !== undefined) return this.#refuse(job, `the server's answer is wrong: ${wrong}`);
    this.#effects.push({ kind: "answer", job, best, met });
  }

  #refuse(job: number, reason: string): void {
    this.#effects.push({ kind: "refused", job, reason });
  }

  #write(message: FromClient): void {
    this.#effects.push({ kind: "write", payload: CLIENT_CODEC.encode(message) });
  }

  #reject(reason: ClientRejection): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }
}
