/**
 * Jobs by id: clients that come back to theirs, and others who ask for one. What became of a job
 * that nobody followed when it ended is kept for a while.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { clipped } from "../base/text.ts";
import type { KindPort } from "../server/mod.ts";
import { idText } from "../work/job_id.ts";
import { type MrAttach, TROUBLE_BYTES_MAX } from "../work/mapreduce_messages.ts";
import { REASON_BYTES_MAX } from "../work/messages.ts";
import type { MapReduceJob } from "./fleet_job.ts";
import type { Books } from "./books.ts";
import { FOLLOWERS_MAX, JOBS_MAX } from "./limits.ts";
import type { Teller } from "./teller.ts";

/** What is needed of the coordinator. */
export interface AttachingPort {
  readonly jobs: Iterable<MapReduceJob>;
  /** Whether the connection has a job, or is about to. */
  isBusy(connId: number): boolean;
  cancel(job: MapReduceJob, nowMs: Millis): void;
  status(job: MapReduceJob, nowMs: Millis): void;
  /** The one who has the splits is back. */
  supplied(job: MapReduceJob, nowMs: Millis): void;
  /** Somebody follows the job: it may have waited for nothing else. */
  followed(job: MapReduceJob, nowMs: Millis): void;
}

/** See the module. */
export class Attaching {
  readonly #port: KindPort;
  readonly #owner: AttachingPort;
  readonly #teller: Teller;
  /** Why jobs ended that nobody followed, by id; the oldest first. */
  readonly #past = new Map<number, string>();

  readonly #books: Books;

  constructor(port: KindPort, books: Books, owner: AttachingPort, teller: Teller) {
    this.#port = port;
    this.#books = books;
    this.#owner = owner;
    this.#teller = teller;
  }

  /** This server leads: why jobs ended is known of the one before. */
  lead(): void {
    for (const [id, why] of this.#books.pasts()) this.#past.set(id, why);
  }

  /** A job ended, and nobody was there to hear of it. */
  ended({ origin, followers }: MapReduceJob, why: string, nowMs: Millis): void {
    if (followers.size > 0) return;
    const [oldest] = this.#past.keys();
    if (this.#past.size >= JOBS_MAX && oldest !== undefined) {
      this.#past.delete(oldest);
      this.#books.past(oldest, undefined, nowMs);
    }
    this.#past.set(origin.id, why);
    this.#books.past(origin.id, why, nowMs);
  }

  attach(connId: number, attach: MrAttach, nowMs: Millis): void {
    const { job: number, id, key, wish } = attach;
    const isMeant = ({ origin }: MapReduceJob): boolean =>
      key === "" ? origin.id === id : origin.key === key;
    const job = [...this.#owner.jobs].find(isMeant);
    const past = this.#past.get(id);
    if (job === undefined && past !== undefined) {
      const reason = clipped(past, TROUBLE_BYTES_MAX);
      return this.#port.write(connId, { kind: "mr-failed", job: number, reason });
    }
    if (job === undefined) return this.#refuse(connId, number, `there is no job ${idText(id)}`);
    if (wish === "cancel") {
      this.#teller.attached(job, connId, number);
      const isTold = job.followers.has(connId);
      this.#owner.cancel(job, nowMs);
      const gone = { kind: "mr-failed", job: number, reason: "it was cancelled" } as const;
      return isTold ? undefined : this.#port.write(connId, gone);
    }
    if (wish === "look") return this.#look(job, connId, number, nowMs);
    const why = this.#objection(job, connId, key !== "");
    if (why !== undefined) return this.#refuse(connId, number, why);
    this.#join(job, connId, attach, nowMs);
  }

  #objection(
    { origin, followers }: MapReduceJob,
    connId: number,
    isOwner: boolean,
  ): string | undefined {
    if (this.#owner.isBusy(connId)) return "a connection has one map-reduce job at a time";
    if (isOwner) return undefined;
    if (origin.terms.asRecords)
      return "its client asked for --stdout: nobody else gets its outputs";
    if (followers.size < FOLLOWERS_MAX) return undefined;
    return `a job has at most ${FOLLOWERS_MAX} followers`;
  }

  #look(job: MapReduceJob, connId: number, number: number, nowMs: Millis): void {
    const isFollowed = job.followers.has(connId);
    if (!isFollowed) job.followers.set(connId, number);
    this.#teller.attached(job, connId, number);
    // What it waits for is said again.
    job.waits = "";
    this.#owner.status(job, nowMs);
    if (!isFollowed) job.followers.delete(connId);
  }

  #join(job: MapReduceJob, connId: number, { job: number, key }: MrAttach, nowMs: Millis): void {
    job.followers.set(connId, number);
    if (key !== "") job.supplier = connId;
    this.#teller.attached(job, connId, number);
    job.waits = "";
    this.#owner.status(job, nowMs);
    this.#teller.outputs(job, connId, number);
    if (key !== "") this.#owner.supplied(job, nowMs);
    this.#owner.followed(job, nowMs);
  }

  #refuse(connId: number, job: number, text: string): void {
    this.#port.write(connId, { kind: "refused", job, reason: clipped(text, REASON_BYTES_MAX) });
  }
}
