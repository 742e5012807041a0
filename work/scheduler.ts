/**
 * Whose work is next. An account is one client with all its jobs, so that a thousand jobs
 * of one client weigh as much as one job of another.
 *
 * The policy, two shares: while several jobs have unassigned work, the account with the least
 * remaining work gets most of the fleet, and a fixed share (`oldestShare`, a quarter) goes to the
 * oldest job, kept exact by deficit accounting (Shreedhar and Varghese, "Efficient Fair Queuing
 * Using Deficit Round-Robin", 1995). Whatever is dispatched earns the oldest its share in credit,
 * and the oldest is served when its credit pays for it. So the shortest gets at least three
 * quarters (a job of t seconds alone ends within 4/3 t plus one task, less than 2t plus a task),
 * and no job starves, for every job is the oldest one day. docs/scheduling.md has the derivation.
 *
 * Ties go to the earlier arrival; inside an account its shortest job is first.
 *
 * @module
 */
import { IndexedHeap } from "../base/heap.ts";
import type { FleetLimits } from "./limits.ts";

/** A job as the scheduler sees it. */
export interface ScheduledJob {
  readonly account: Account;
  /** Order of arrival over all jobs. */
  readonly seq: number;
  /** Units that nobody has confirmed as done, those being worked on included. */
  readonly remaining: bigint;
  /** Whether some of them wait for a worker. */
  readonly hasPending: boolean;
}

/** What one client has coming. */
export class Account {
  /** Remaining units of all its jobs. */
  remaining = 0n;
  /** Its jobs with unassigned work, the least remaining first. */
  readonly byLength: IndexedHeap<ScheduledJob> = new IndexedHeap<ScheduledJob>(isShorter);
  /** The same jobs, the oldest first. */
  readonly byAge: IndexedHeap<ScheduledJob> = new IndexedHeap<ScheduledJob>(isOlder);
}

function isOlder(a: ScheduledJob, b: ScheduledJob): boolean {
  return a.seq < b.seq;
}

function isShorter(a: ScheduledJob, b: ScheduledJob): boolean {
  const left = a.remaining;
  const right = b.remaining;
  return left < right || (left === right && a.seq < b.seq);
}

function oldestSeq(account: Account): number {
  return account.byAge.top?.seq ?? Infinity;
}

/** What to hand out next. */
export interface Choice<J extends ScheduledJob> {
  readonly job: J;
  /** It is the oldest's turn, at the expense of a shorter one, ... */
  readonly onCredit: boolean;
  /** ... which pays for this many seconds of the fleet (Infinity when nothing is contested). */
  readonly maxSeconds: number;
  /** The shortest and the oldest are two, so that credit moves. */
  readonly contested: boolean;
}

/** Keeps the jobs of one fleet in order; all of them are `J`. */
export class Scheduler<J extends ScheduledJob> {
  readonly #limits: FleetLimits;
  readonly #shortest = new IndexedHeap<Account>(
    (a, b) =>
      a.remaining < b.remaining || (a.remaining === b.remaining && oldestSeq(a) < oldestSeq(b)),
  );
  readonly #oldest = new IndexedHeap<Account>((a, b) => oldestSeq(a) < oldestSeq(b));
  readonly #known = new Map<J, bigint>();
  #credit = 0;

  constructor(limits: FleetLimits) {
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
  get shortest(): J | undefined {
    return this.#shortest.top?.byLength.top as J | undefined;
  }

  /** The oldest job that has unassigned work. */
  get oldest(): J | undefined {
    return this.#oldest.top?.byAge.top as J | undefined;
  }

  /** To be called after a job was added, or its remaining or pending work changed. */
  update(job: J): void {
    const { account } = job;
    account.remaining += job.remaining - (this.#known.get(job) ?? 0n);
    this.#known.set(job, job.remaining);
    if (job.hasPending) {
      account.byLength.update(job);
      account.byAge.update(job);
    } else {
      account.byLength.remove(job);
      account.byAge.remove(job);
    }
    this.#place(account);
  }

  /** The job ended or was dropped. */
  remove(job: J): void {
    const { account } = job;
    account.remaining -= this.#known.get(job) ?? 0n;
    this.#known.delete(job);
    account.byLength.remove(job);
    account.byAge.remove(job);
    this.#place(account);
  }

  /**
   * The next job for a worker whose full task is `fullSeconds` of the fleet's time, among those
   * that `fits`; undefined if there is none.
   */
  choose(fullSeconds: number, fits: (job: J) => boolean): Choice<J> | undefined {
    const shortest = this.shortest;
    const oldest = this.oldest;
    if (shortest === undefined || oldest === undefined) return undefined;
    const contested = shortest !== oldest;
    const price = Math.min(fullSeconds, this.#limits.taskSeconds) * this.#limits.oldestShare;
    if (contested && this.#credit >= price && fits(oldest)) {
      return { job: oldest, onCredit: true, maxSeconds: this.#credit, contested };
    }
    const job = fits(shortest) ? shortest : this.#search(fits);
    if (job === undefined) return undefined;
    return { job, onCredit: false, maxSeconds: Infinity, contested };
  }

  /** Books that `seconds` of the fleet went to `choice`; returns the charge for `refund`. */
  charge(choice: Choice<J>, seconds: number): number {
    if (!choice.contested) return 0;
    const earned = seconds * this.#limits.oldestShare;
    const charge = choice.onCredit ? earned - seconds : earned;
    this.#credit = this.#bounded(this.#credit + charge);
    return charge;
  }

  /** Undoes a charge: the task was revoked before it ran. */
  refund(charge: number): void {
    this.#credit = this.#bounded(this.#credit - charge);
  }

  /**
   * Old debts buy no surge: credit is kept within what the share earns in two tasks' time. In one
   * it may fall short of its price, and what the next earns must not be lost, or the oldest would
   * get less than its share.
   */
  #bounded(credit: number): number {
    const most = 2 * this.#limits.oldestShare * this.#limits.taskSeconds;
    return Math.max(-this.#limits.taskSeconds, Math.min(most, credit));
  }

  /** The first job by remaining work that fits, looked for one by one. */
  #search(fits: (job: J) => boolean): J | undefined {
    let found: J | undefined;
    for (const account of this.#shortest.items) {
      for (const job of account.byLength.items as readonly J[]) {
        if (!fits(job)) continue;
        if (found === undefined || precedes(job, found)) found = job;
      }
    }
    return found;
  }

  #place(account: Account): void {
    if (account.byAge.size > 0) {
      this.#shortest.update(account);
      this.#oldest.update(account);
    } else {
      this.#shortest.remove(account);
      this.#oldest.remove(account);
    }
  }
}

/** Whether `a` goes before `b` by remaining work: of the account, then of the job. */
export function precedes(a: ScheduledJob, b: ScheduledJob): boolean {
  if (a.account === b.account) return isShorter(a, b);
  if (a.account.remaining !== b.account.remaining) return a.account.remaining < b.account.remaining;
  return a.seq < b.seq;
}
