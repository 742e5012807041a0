/**
 * Whose work is next. A claim is one client connection with all its jobs, so that a thousand jobs
 * of one client weigh as much as one job of another.
 *
 * The policy, two shares: while several jobs have unassigned work, the claim with the least
 * remaining work gets most of the fleet, and a fixed share (`oldestShare`, a quarter) goes to the
 * oldest job, kept exact by deficit accounting (Shreedhar and Varghese, "Efficient Fair Queuing
 * Using Deficit Round-Robin", 1995). Whatever is dispatched earns the oldest its share in credit,
 * and the oldest is served when its credit pays for it. So the shortest gets at least three
 * quarters (a job of t seconds alone ends within 4/3 t plus one chunk, less than 2t plus a chunk),
 * and no job starves, for every job is the oldest one day. docs/scheduling.md has the derivation.
 *
 * Ties go to the earlier arrival; inside a claim its shortest job is first.
 *
 * @module
 */
import { IndexedHeap } from "../base/heap.ts";
import type { Job } from "./job.ts";
import type { ServerLimits } from "./limits.ts";

/** All that one client connection asks of the fleet. */
export class Claim {
  readonly connId: number;
  /** Uncovered nonces of all its jobs, those being searched included. */
  remaining = 0n;
  /** Its jobs with unassigned work, the least remaining first. */
  readonly byLength: IndexedHeap<Job> = new IndexedHeap<Job>(isShorter);
  /** The same jobs, the oldest first. */
  readonly byAge: IndexedHeap<Job> = new IndexedHeap<Job>(isOlder);

  constructor(connId: number) {
    this.connId = connId;
  }
}

function isOlder(a: Job, b: Job): boolean {
  return a.seq < b.seq;
}

function isShorter(a: Job, b: Job): boolean {
  const left = a.uncovered.count;
  const right = b.uncovered.count;
  return left < right || (left === right && a.seq < b.seq);
}

function oldestSeq(claim: Claim): number {
  return claim.byAge.top?.seq ?? Infinity;
}

/** What to hand out next. */
export interface Choice {
  readonly job: Job;
  /** It is the oldest's turn, at the expense of a shorter one, ... */
  readonly onCredit: boolean;
  /** ... which pays for this many seconds of the fleet (Infinity when nothing is contested). */
  readonly maxSeconds: number;
  /** The shortest and the oldest are two, so that credit moves. */
  readonly contested: boolean;
}

export class Scheduler {
  readonly #limits: ServerLimits;
  readonly #shortest = new IndexedHeap<Claim>(
    (a, b) =>
      a.remaining < b.remaining || (a.remaining === b.remaining && oldestSeq(a) < oldestSeq(b)),
  );
  readonly #oldest = new IndexedHeap<Claim>((a, b) => oldestSeq(a) < oldestSeq(b));
  readonly #known = new Map<Job, bigint>();
  #credit = 0;

  constructor(limits: ServerLimits) {
    this.#limits = limits;
  }

  /** Whether any job has unassigned work. */
  get hasWork(): boolean {
    return this.#shortest.size > 0;
  }

  /** Seconds of the fleet that the oldest job is owed. */
  get credit(): number {
    return this.#credit;
  }

  /** The job that is first by remaining work. */
  get shortest(): Job | undefined {
    return this.#shortest.top?.byLength.top;
  }

  /** The oldest job that has unassigned work. */
  get oldest(): Job | undefined {
    return this.#oldest.top?.byAge.top;
  }

  /** To be called after a job was added or its `pending` or `uncovered` changed. */
  update(job: Job): void {
    const claim = job.claim;
    claim.remaining += job.uncovered.count - (this.#known.get(job) ?? 0n);
    this.#known.set(job, job.uncovered.count);
    if (job.pending.size > 0) {
      claim.byLength.update(job);
      claim.byAge.update(job);
    } else {
      claim.byLength.remove(job);
      claim.byAge.remove(job);
    }
    this.#place(claim);
  }

  /** The job ended or was dropped. */
  remove(job: Job): void {
    const claim = job.claim;
    claim.remaining -= this.#known.get(job) ?? 0n;
    this.#known.delete(job);
    claim.byLength.remove(job);
    claim.byAge.remove(job);
    this.#place(claim);
  }

  /**
   * The next job for a miner whose full chunk is `fullSeconds` of the fleet's time, among those
   * that `fits`; undefined if there is none.
   */
  choose(fullSeconds: number, fits: (job: Job) => boolean): Choice | undefined {
    const shortest = this.shortest;
    const oldest = this.oldest;
    if (shortest === undefined || oldest === undefined) return undefined;
    const contested = shortest !== oldest;
    const price = Math.min(fullSeconds, this.#limits.chunkSeconds) * this.#limits.oldestShare;
    if (contested && this.#credit >= price && fits(oldest)) {
      return { job: oldest, onCredit: true, maxSeconds: this.#credit, contested };
    }
    const job = fits(shortest) ? shortest : this.#search(fits);
    if (job === undefined) return undefined;
    return { job, onCredit: false, maxSeconds: Infinity, contested };
  }

  /** Books that `seconds` of the fleet went to `choice`; returns the charge for `refund`. */
  charge(choice: Choice, seconds: number): number {
    if (!choice.contested) return 0;
    const earned = seconds * this.#limits.oldestShare;
    const charge = choice.onCredit ? earned - seconds : earned;
    this.#credit = this.#bounded(this.#credit + charge);
    return charge;
  }

  /** Undoes a charge: the chunk was revoked before it ran. */
  refund(charge: number): void {
    this.#credit = this.#bounded(this.#credit - charge);
  }

  /** Credit is kept within what the share earns in one chunk's time: old debts buy no surge. */
  #bounded(credit: number): number {
    const most = this.#limits.oldestShare * this.#limits.chunkSeconds;
    return Math.max(-this.#limits.chunkSeconds, Math.min(most, credit));
  }

  /** The first job by remaining work that fits, looked for one by one. */
  #search(fits: (job: Job) => boolean): Job | undefined {
    let found: Job | undefined;
    for (const claim of this.#shortest.items) {
      for (const job of claim.byLength.items) {
        if (!fits(job)) continue;
        if (found === undefined || precedes(job, found)) found = job;
      }
    }
    return found;
  }

  #place(claim: Claim): void {
    if (claim.byAge.size > 0) {
      this.#shortest.update(claim);
      this.#oldest.update(claim);
    } else {
      this.#shortest.remove(claim);
      this.#oldest.remove(claim);
    }
  }
}

/** Whether `a` goes before `b` by remaining work: of the claim, then of the job. */
export function precedes(a: Job, b: Job): boolean {
  if (a.claim === b.claim) return isShorter(a, b);
  if (a.claim.remaining !== b.claim.remaining) return a.claim.remaining < b.claim.remaining;
  return a.seq < b.seq;
}
