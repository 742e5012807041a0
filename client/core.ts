/**
 * The client without sockets: a plain state machine that asks a server for jobs, passes on their
 * progress, and believes no answer that it has not checked. When the connection goes it asks for
 * another one, and says the same again: same session, same numbers.
 *
 * The classic wire has no job numbers, no progress and no cancel: there the jobs go to the server
 * one after the other, and a cancelled one is waited out.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Random } from "../base/random.ts";
import { CLASSIC_PAYLOAD_BYTES_MAX, type Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import { classicRequest, decodeClassicMessage, encodeClassicMessage } from "../work/classic.ts";
import {
  type Answer,
  type FromClient,
  MESSAGE_BYTES_MAX,
  type Refused,
  type Status,
  SUBJECT_SHOWN_BYTES,
} from "../work/messages.ts";
import { hashOf, type SearchSpec, subjectBytes, whyNoSearch } from "../work/subject.ts";
import { decodeMessage, encodeMessage, headOf } from "../work/wire.ts";
import type { ClientEffect, ClientInput } from "./types.ts";

/** Jobs that one client may have under way. */
export const JOBS_MAX = 1000;

const UNREADABLE = "the server's answer cannot be read";

/** Why a message of the server was ignored. */
export type ClientRejection =
  "not connected" | "malformed" | "unexpected kind" | "unknown job" | "result without a request";

/** Why `job` cannot be carried over `wire`, in one line that names the limit, or `undefined`. */
export function whyNot(work: SearchSpec, wire: Wire): string | undefined {
  const { subject, lower, upper, target } = work;
  // Callers without types too: what is no text, or has no UTF-8 form, would be hashed as another.
  if (typeof subject !== "string" && !(subject instanceof Uint8Array)) {
    return `the message must be a string, got ${typeof subject}`;
  }
  if (typeof subject === "string" && !subject.isWellFormed()) {
    return "the message has a lone surrogate, which no UTF-8 can say: expected well-formed text";
  }
  for (const [name, value] of Object.entries({ lower, upper, target: target ?? 0n })) {
    if (typeof value !== "bigint") return `${name} must be a bigint, got ${typeof value}`;
  }
  const nonsense = whyNoSearch(work);
  if (nonsense !== undefined) return nonsense;
  const bytes = subjectBytes(subject);
  if (bytes > MESSAGE_BYTES_MAX) {
    return `the message has ${bytes} bytes, the limit is ${MESSAGE_BYTES_MAX}`;
  }
  return wire === "cbor" ? undefined : whyNotClassic(work);
}

function whyNotClassic(work: SearchSpec): string | undefined {
  if (work.target !== undefined) return "the classic json wire cannot carry a target";
  if (typeof work.subject !== "string") return "the classic json wire cannot carry a block header";
  const bytes = requestFor(work).length;
  if (bytes <= CLASSIC_PAYLOAD_BYTES_MAX) return undefined;
  const limit = `the classic json wire's limit is ${CLASSIC_PAYLOAD_BYTES_MAX}`;
  return `the request takes ${bytes} bytes, ${limit}`;
}

/**
 * What is wrong with an answer to `work`, or `undefined` when it is true as far as one can see.
 * `hash` gives the hash of a nonce.
 */
export function whyWrong(
  work: SearchSpec,
  best: Candidate,
  met: boolean,
  hash: typeof hashOf = hashOf,
): string | undefined {
  const { subject, lower, upper, target } = work;
  if (best.nonce < lower || best.nonce > upper) {
    return `its nonce ${best.nonce} is outside ${lower}..${upper}`;
  }
  const right = hash(subject, best.nonce);
  if (right !== best.hash) return `nonce ${best.nonce} has hash ${right}, not ${best.hash}`;
  if (met !== (target === undefined || right <= target)) {
    return `it says that the target is ${met ? "" : "not "}met`;
  }
  return undefined;
}

function requestFor({ subject, lower, upper }: SearchSpec): Uint8Array {
  invariant(typeof subject === "string", "the classic wire carries messages only");
  return encodeClassicMessage(classicRequest(subject, lower, upper));
}

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
   * on the native wire, once there was one; left out, the end of a connection ends all.
   */
  readonly random?: Random | undefined;
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
  #wire: Wire | undefined;
  /** Whether there ever was a connection. */
  #wasConnected = false;
  #retryAtMs: Millis | undefined;
  #gone = false;

  constructor(options: ClientCoreOptions) {
    this.#session = options.session;
    this.#hash = options.hash ?? hashOf;
    const { random } = options;
    this.#backoff = random && new Backoff(RETRY_MS_MIN, RETRY_MS_MAX, random);
  }

  handle(input: ClientInput | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "wake":
        if (this.#retryAtMs === undefined || nowMs < this.#retryAtMs) return;
        this.#retryAtMs = undefined;
        this.#effects.push({ kind: "dial" });
        return;
      case "connected":
        if (this.#gone || this.#wire !== undefined) return;
        this.#wire = input.wire;
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
        return this.#handleNative(input.payload);
      case "gone":
        return this.#handleGone(input.reason, nowMs);
    }
  }

  poll(): ClientEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.#retryAtMs;
  }

  #handleGone(reason: string, nowMs: Millis): void {
    if (this.#gone) return;
    const isLast = this.#wire === "json" || !this.#wasConnected;
    if (this.#backoff === undefined || isLast) {
      this.#gone = true;
      this.#jobs.clear();
      this.#effects.push({ kind: "disconnected", reason });
      return;
    }
    this.#wire = undefined;
    for (const entry of this.#jobs.values()) entry.sent = false;
    const waitMs = this.#backoff.next();
    this.#retryAtMs = nowMs + waitMs;
    this.#effects.push({ kind: "waiting", reason, waitMs });
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

  /** Sends what may be sent: all on the native wire, one at a time on the classic one. */
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
    if (wire === "json" && detached) return "the classic json wire has no jobs to come back to";
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

  #handleNative(payload: Uint8Array): void {
    const message = decodeMessage(payload);
    if (typeof message === "string") return this.#handleUnreadable(payload, message);
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
    const head = headOf(payload);
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
    this.#effects.push({ kind: "write", payload: encodeMessage(message) });
  }

  #reject(reason: ClientRejection): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }
}
