/**
 * The client without sockets: a plain state machine that asks a server for jobs over one
 * connection, passes on their progress, and believes no answer that it has not checked.
 *
 * The classic wire has no job numbers, no progress and no cancel: there the jobs go to the server
 * one after the other, and a cancelled one is waited out.
 *
 * @module
 */
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { CLASSIC_PAYLOAD_BYTES_MAX, type Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import { classicRequest, decodeClassicMessage, encodeClassicMessage } from "../work/classic.ts";
import { type FromClient, MESSAGE_BYTES_MAX } from "../work/messages.ts";
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
  readonly work: SearchSpec;
  sent: boolean;
  cancelled: boolean;
}

/** How a client core is made. */
export interface ClientCoreOptions {
  /** Hash of a nonce; `hashOf` unless a simulation has a cheaper one. */
  readonly hash?: typeof hashOf;
  /** The client's session: 64 bits that nobody else has picked. */
  readonly session: bigint;
}

/** The client as a state machine; one core is one connection. See the module's comment. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  /** Messages of the server that were ignored, by reason. */
  readonly rejected: Map<ClientRejection, number> = new Map();
  readonly #effects = new Outbox<ClientEffect>();
  /** Jobs without an answer, by the caller's number, in order of submission. */
  readonly #jobs = new Map<number, Entry>();
  readonly #hash: typeof hashOf;
  readonly #session: bigint;
  #wire: Wire | undefined;
  #gone = false;

  constructor(options: ClientCoreOptions) {
    this.#session = options.session;
    this.#hash = options.hash ?? hashOf;
  }

  handle(input: ClientInput | Wake, _nowMs: Millis): void {
    switch (input.kind) {
      case "wake":
        return;
      case "connected":
        if (this.#gone || this.#wire !== undefined) return;
        this.#wire = input.wire;
        return this.#sendJobs();
      case "submit":
        return this.#submit(input.job, input.work);
      case "cancel":
        return this.#cancel(input.job);
      case "payload":
        if (this.#wire === undefined || this.#gone) return this.#reject("not connected");
        if (this.#wire === "json") return this.#handleClassic(input.payload);
        return this.#handleNative(input.payload);
      case "gone":
        if (this.#gone) return;
        this.#gone = true;
        this.#jobs.clear();
        this.#effects.push({ kind: "disconnected", reason: input.reason });
    }
  }

  poll(): ClientEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return undefined;
  }

  #submit(job: number, work: SearchSpec): void {
    const reason = this.#jobs.has(job)
      ? `job number ${job} is in use`
      : this.#jobs.size >= JOBS_MAX
        ? `a client may have ${JOBS_MAX} jobs under way`
        : this.#gone
          ? "the connection is gone"
          : undefined;
    if (reason !== undefined) return this.#refuse(job, reason);
    this.#jobs.set(job, { work, sent: false, cancelled: false });
    this.#sendJobs();
  }

  /** Sends what may be sent: all on the native wire, one at a time on the classic one. */
  #sendJobs(): void {
    if (this.#wire === undefined) return;
    for (const [job, entry] of this.#jobs) {
      if (!entry.sent) {
        const reason = whyNot(entry.work, this.#wire);
        if (reason !== undefined) {
          this.#jobs.delete(job);
          this.#refuse(job, reason);
          continue;
        }
        entry.sent = true;
        if (this.#wire === "cbor")
          this.#write({ kind: "submit", job, session: this.#session, work: entry.work });
        else this.#effects.push({ kind: "write", payload: requestFor(entry.work) });
      }
      if (this.#wire === "json") return;
    }
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
    if (message.kind !== "status" && message.kind !== "answer" && message.kind !== "refused") {
      return this.#reject("unexpected kind");
    }
    const { job } = message;
    const entry = this.#jobs.get(job);
    if (entry === undefined) return this.#reject("unknown job");
    if (message.kind === "status") {
      this.#effects.push({ kind: "progress", job, status: message });
      return;
    }
    this.#jobs.delete(job);
    if (message.kind === "refused") return this.#refuse(job, message.reason);
    this.#answer(job, entry.work, message.best, message.met);
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
      else this.#answer(job, entry.work, { hash: result.hash, nonce: result.nonce }, true);
    }
    this.#sendJobs();
  }

  #answer(job: number, work: SearchSpec, best: Candidate, met: boolean): void {
    const wrong = whyWrong(work, best, met, this.#hash);
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
