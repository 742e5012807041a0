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

/**
 * Whole tasks may widen the bounds of the credit so many times: what the oldest is owed, a job that
 * comes new may have to wait for.
 */
const QUANTUM_TASKS_MAX = 8;

/** A job as the scheduler sees it. */
export interface ScheduledJob {
  readonly account: Account;
  /** Order of arrival over all jobs. */
  readonly seq: number;
  /** Units that nobody has confirmed as done, those being worked on included. */
  readonly remaining: bigint;
  /** Whether some of them wait for a worker. */
  readonly hasPending: boolean;
  /** Whether a worker that cannot be steered may have them. `others`: steerable ones could, too. */
  fitsBlind(others: boolean): boolean;
}

/** What one client has coming. */
export class Account {
  /** Remaining units of all its jobs. */
  remaining = 0n;
}

function isOlder(a: ScheduledJob, b: ScheduledJob): boolean {
  return a.seq < b.seq;
}

function isShorter(a: ScheduledJob, b: ScheduledJob): boolean {
  const left = a.remaining;
  const right = b.remaining;
  return left < right || (left === right && a.seq < b.seq);
}

/** Those jobs of an account with unassigned work that are in a {@link Ranking}. */
interface Rank<J extends ScheduledJob> {
  readonly account: Account;
  /** The least remaining first. */
  readonly byLength: IndexedHeap<J>;
  readonly byAge: IndexedHeap<J>;
}

function oldestSeq<J extends ScheduledJob>({ byAge }: Rank<J>): number {
  return byAge.top?.seq ?? Infinity;
}

function hasLess<J extends ScheduledJob>(a: Rank<J>, b: Rank<J>): boolean {
  const [left, right] = [a.account.remaining, b.account.remaining];
  return left < right || (left === right && oldestSeq(a) < oldestSeq(b));
}

/** Jobs with unassigned work in order: all of them, or those that some workers may have. */
class Ranking<J extends ScheduledJob> {
  readonly #shortest = new IndexedHeap<Rank<J>>(hasLess);
  readonly #oldest = new IndexedHeap<Rank<J>>((a, b) => oldestSeq(a) < oldestSeq(b));
  readonly #byAccount = new Map<Account, Rank<J>>();

  get size(): number {
    return this.#shortest.size;
  }

  get shortest(): J | undefined {
    return this.#shortest.top?.byLength.top;
  }

  get oldest(): J | undefined {
    return this.#oldest.top?.byAge.top;
  }

  has(job: J): boolean {
    return this.#byAccount.get(job.account)?.byAge.has(job) ?? false;
  }

  /** Something about the job, which belongs here or not, or about its account changed. */
  update(job: J, belongs: boolean): void {
    const { account } = job;
    let rank = this.#byAccount.get(account);
    if (rank === undefined) {
      if (!belongs) return;
      const byLength = new IndexedHeap<J>(isShorter);
      rank = { account, byLength, byAge: new IndexedHeap<J>(isOlder) };
      this.#byAccount.set(account, rank);
    }
    if (belongs) {
      rank.byLength.update(job);
      rank.byAge.update(job);
    } else {
      rank.byLength.remove(job);
      rank.byAge.remove(job);
    }
    if (rank.byAge.size > 0) {
      this.#shortest.update(rank);
      this.#oldest.update(rank);
    } else {
      this.#shortest.remove(rank);
      this.#oldest.remove(rank);
      this.#byAccount.delete(account);
    }
  }

  /** The first of the `most` shortest jobs that `suits`. */
  first(suits: (job: J) => boolean, most: number): J | undefined {
    const top = this.shortest;
    if (top === undefined || suits(top)) return top;
    let looks = 0;
    for (const { byLength } of this.#shortest.inOrder()) {
      for (const job of byLength.inOrder()) {
        if (suits(job)) return job;
        if (++looks >= most) return undefined;
      }
    }
    return undefined;
  }
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
  readonly #all = new Ranking<J>();
  /**
   * The jobs for workers that cannot be steered, while there are none of the others (0) and while
   * there are (1). Kept from the first such worker on, so that what does not fit costs nothing.
   */
  #blind: readonly [Ranking<J>, Ranking<J>] | undefined;
  readonly #known = new Map<J, bigint>();
  #credit = 0;
  /**
   * Seconds of the fleet that the largest task takes, as long as the credit that it moved is not
   * balanced: one that is done whole may take far longer than `taskSeconds`.
   */
  #quantum: number;

  constructor(limits: FleetLimits) {
    this.#limits = limits;
    this.#quantum = limits.taskSeconds;
  }

  /** Whether any job has unassigned work. */
  get hasWork(): boolean {
    return this.#all.size > 0;
  }

  /** Seconds of the fleet that the oldest job is owed. */
  get credit(): number {
    return this.#credit;
  }

  /** The job that is first by remaining work. */
  get shortest(): J | undefined {
    return this.#all.shortest;
  }

  /** The oldest job that has unassigned work. */
  get oldest(): J | undefined {
    return this.#all.oldest;
  }

  /** Whether any job has unassigned work for workers that cannot be steered, beside `others`. */
  hasBlindWork(others: boolean): boolean {
    return this.#blindRanking(others).size > 0;
  }

  /** To be called after a job was added, or its remaining or pending work changed. */
  update(job: J): void {
    const { account } = job;
    account.remaining += job.remaining - (this.#known.get(job) ?? 0n);
    this.#known.set(job, job.remaining);
    this.#rank(job, job.hasPending);
  }

  /** The job ended or was dropped. */
  remove(job: J): void {
    job.account.remaining -= this.#known.get(job) ?? 0n;
    this.#known.delete(job);
    this.#rank(job, false);
  }

  /**
   * The next job for a worker whose full task is `fullSeconds` of the fleet's time, among those
   * that it `suits`; undefined if there is none. `among`: see `hasBlindWork`; left out, all jobs.
   */
  choose(fullSeconds: number, suits: (job: J) => boolean, among?: boolean): Choice<J> | undefined {
    const { shortest, oldest } = this;
    if (shortest === undefined || oldest === undefined) return undefined;
    const ranking = among === undefined ? this.#all : this.#blindRanking(among);
    const contested = shortest !== oldest;
    const price = Math.min(fullSeconds, this.#limits.taskSeconds) * this.#limits.oldestShare;
    if (contested && this.#credit >= price && ranking.has(oldest) && suits(oldest)) {
      return { job: oldest, onCredit: true, maxSeconds: this.#credit, contested };
    }
    const job = ranking.first(suits, this.#limits.looksMax);
    if (job === undefined) return undefined;
    return { job, onCredit: false, maxSeconds: Infinity, contested };
  }

  /** Books that `seconds` of the fleet went to `choice`; returns the charge for `refund`. */
  charge(choice: Choice<J>, seconds: number): number {
    if (!choice.contested) return 0;
    const earned = seconds * this.#limits.oldestShare;
    const { taskSeconds } = this.#limits;
    const largest = Math.min(seconds, QUANTUM_TASKS_MAX * taskSeconds);
    this.#quantum = Math.max(taskSeconds, largest, this.#quantum - earned);
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
    const most = 2 * this.#limits.oldestShare * this.#quantum;
    return Math.max(-this.#quantum, Math.min(most, credit));
  }

  #rank(job: J, isPending: boolean): void {
    this.#all.update(job, isPending);
    if (this.#blind === undefined) return;
    const [alone, beside] = this.#blind;
    alone.update(job, isPending && job.fitsBlind(false));
    beside.update(job, isPending && job.fitsBlind(true));
  }

  #blindRanking(others: boolean): Ranking<J> {
    if (this.#blind === undefined) {
      this.#blind = [new Ranking<J>(), new Ranking<J>()];
      for (const job of this.#known.keys()) this.#rank(job, job.hasPending);
    }
    return this.#blind[others ? 1 : 0];
  }
}

/** Whether `a` goes before `b` by remaining work: of the account, then of the job. */
export function precedes(a: ScheduledJob, b: ScheduledJob): boolean {
  if (a.account === b.account) return isShorter(a, b);
  if (a.account.remaining !== b.account.remaining) return a.account.remaining < b.account.remaining;
  return a.seq < b.seq;
}
