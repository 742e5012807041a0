/**
 * Who is let in, and which job: the limits on what clients can make grow.
 *
 * @module
 */
import { MESSAGE_BYTES_MAX } from "../work/messages.ts";
import { type SearchSpec, subjectBytes, whyNoSearch } from "../work/subject.ts";
import type { Asker } from "./askers.ts";
import type { ServerLimits } from "./limits.ts";
import type { Share, Shares } from "./shares.ts";

/** What all live jobs have together. */
export class Admission {
  readonly #limits: ServerLimits;
  readonly #shares: Shares;
  #jobs = 0;
  #messageBytes = 0;

  constructor(limits: ServerLimits, shares: Shares) {
    this.#limits = limits;
    this.#shares = shares;
  }

  /** Why no further client is let in, in one line; `clients` are there. */
  whyFull(share: Share, clients: number): string | undefined {
    const { maxClients, maxClientsPerAddress } = this.#limits;
    if (clients >= maxClients) return `the server has reached its limit of ${maxClients} clients`;
    if (share.clients < maxClientsPerAddress) return undefined;
    return `this address has reached its limit of ${maxClientsPerAddress} clients`;
  }

  /** Why the job cannot be done, in one line; `answers` are kept. */
  objection(asker: Asker, spec: SearchSpec, answers: number): string | undefined {
    const nonsense = whyNoSearch(spec);
    if (nonsense !== undefined) return nonsense;
    const bytes = subjectBytes(spec.subject);
    if (bytes > MESSAGE_BYTES_MAX) return `the message is longer than ${MESSAGE_BYTES_MAX} bytes`;
    const { share } = asker;
    const limits = this.#limits;
    const reached = (who: string, limit: number, what: string): string =>
      `${who} has reached its limit of ${limit} ${what}`;
    for (const [who, jobs, most] of [
      ["this client", asker.jobs.size + asker.pending.size, limits.maxJobsPerClient],
      ["this address", share.jobs, limits.maxJobsPerAddress],
      ["the server", this.#jobs, limits.maxJobs],
    ] as const) {
      if (jobs >= most) return reached(who, most, "jobs");
    }
    for (const [who, held, most] of [
      ["this client", asker.messageBytes, limits.maxMessageBytesPerClient],
      ["this address", share.messageBytes, limits.maxMessageBytesPerAddress],
      ["the server", this.#messageBytes, limits.maxMessageBytesTotal],
    ] as const) {
      if (held + bytes > most) return reached(who, most, "bytes of messages");
    }
    if (answers + this.#jobs < limits.maxAnswers) return undefined;
    const limit = reached("the server", limits.maxAnswers, "jobs and answers kept");
    return `${limit}: forget some answers`;
  }

  /** A job of that search begins (1) or ends (-1). */
  count(asker: Asker, spec: SearchSpec, by: 1 | -1): void {
    const bytes = subjectBytes(spec.subject);
    this.#jobs += by;
    this.#messageBytes += by * bytes;
    asker.messageBytes += by * bytes;
    this.#shares.countJob(asker.share, bytes, by);
  }
}
