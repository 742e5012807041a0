/**
 * Between the jobs at work and the log: what is to be in the table is proposed here, and what
 * depends on that waits until it is committed. Progress is gathered and proposed a few times a
 * second, one batch at a time.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import { encodeCommand, type Operation, SEARCHED_MAX } from "./operations.ts";
import type { RowChange, RowGroups } from "./rows.ts";
import type { SearchJob } from "./search_job.ts";
import {
  type JobName,
  type JobTable,
  type SearchNews,
  type SearchRecord,
  textOf,
} from "./table.ts";
import type { TableMachine } from "./table_machine.ts";
import type { ServerInput } from "./types.ts";

/** Operations of one command: it stays well below what one entry of the log may hold. */
const OPERATIONS_MAX = 16;
/** What could not be committed is proposed again after this. */
const AGAIN_MS = 500;
/** Between two looks for answers that were kept long enough. */
const EXPIRE_MS = 60_000;

/** What the ledger needs of its owner. */
export interface LedgerPort {
  /** Has a command committed; left out: it is applied at once, and outlives nothing. */
  readonly propose: ((id: number, command: Uint8Array) => void) | undefined;
  /** Unix time in milliseconds at `nowMs`. */
  unixMs(nowMs: Millis): number;
}

type Then = (nowMs: Millis) => void;
type GiveUp = (reason: string, nowMs: Millis) => void;

interface Proposal {
  readonly operations: readonly Operation[];
  readonly done: Then;
  /** Called, instead of trying again, if it is sure that it was not done. */
  readonly giveUp: GiveUp | undefined;
  /** Whether it may have been done, or may be yet, although nobody was told so. */
  isInDoubt: boolean;
}

type Decided = Extract<ServerInput, { kind: "decided" }>;

/** See the module. */
export class Ledger {
  readonly #machine: TableMachine;
  readonly #port: LedgerPort;
  readonly #open = new Map<number, Proposal>();
  /** What is to be proposed again. */
  #again: Proposal[] = [];
  #againMs: Millis | undefined;
  readonly #dirty = new Set<SearchJob>();
  /** Commands with progress that are under way. */
  #saving = 0;
  #savedMs: Millis = -Infinity;
  #expireMs: Millis = 0;
  #lastId = 0;
  /** Names that are to be forgotten, and are in the table as yet. */
  readonly #leaving = new Set<string>();
  /** Why the newest proposal was refused; "" when it was not. */
  trouble = "";

  constructor(machine: TableMachine, port: LedgerPort) {
    this.#machine = machine;
    this.#port = port;
  }

  /** What is committed. */
  get table(): JobTable {
    return this.#machine.table;
  }

  /** Whether what is in the table outlives this process. */
  get isDurable(): boolean {
    return this.#port.propose !== undefined;
  }

  /** When to be woken. */
  get wakeAtMs(): Millis | undefined {
    return earlier(this.#againMs, this.table.answers > 0 ? this.#expireMs : undefined);
  }

  /** Whether a job has news that the table does not have. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /**
   * Has `operations` committed, then calls `then`. What fails is tried again, for ever; or, with
   * `giveUp`, only as long as it is not known that it failed.
   */
  propose(
    operations: readonly Operation[],
    nowMs: Millis,
    then: Then = () => {},
    giveUp?: GiveUp,
  ): void {
    // A job that is submitted again is wanted again.
    for (const each of operations) {
      if (each.kind === "submit") this.#leaving.delete(textOf(each.name));
    }
    this.#propose({ operations, done: then, giveUp, isInDoubt: false }, nowMs);
  }

  /** What other kinds of work have in the table, if that outlives this process. */
  get kept(): RowGroups | undefined {
    return this.isDurable ? this.table.rows.groups : undefined;
  }

  /** Has rows of theirs changed; see {@link Ledger.propose}. */
  keep(rows: readonly RowChange[], nowMs: Millis, then?: Then, giveUp?: GiveUp): void {
    const operations = rows.map((row) => ({ kind: "row", ...row }) as const);
    this.propose(operations, nowMs, then, giveUp);
  }

  /** Has the job forgotten, whatever the table knows of it. */
  drop(name: JobName, nowMs: Millis, then: Then = () => {}): void {
    const text = textOf(name);
    this.#leaving.add(text);
    this.propose([{ kind: "forget", name }], nowMs, (thenMs) => {
      this.#leaving.delete(text);
      then(thenMs);
    });
  }

  /** Whether a job that the table has is as good as forgotten. */
  isLeaving(name: JobName): boolean {
    return this.#leaving.has(textOf(name));
  }

  /** How long ago the search was submitted, by this server's clock. */
  ageMs({ submittedMs }: SearchRecord, nowMs: Millis): Millis {
    return this.#port.unixMs(nowMs) - submittedMs;
  }

  /** Something was accepted of the job. */
  note(job: SearchJob): void {
    if (job.isKept) this.#dirty.add(job);
  }

  /** The job's progress matters no more. */
  forget(job: SearchJob): void {
    this.#dirty.delete(job);
  }

  /** Proposes the progress since the last batch, if that is durable and `batchMs` ago. */
  flush(batchMs: Millis, nowMs: Millis): void {
    if (this.#dirty.size === 0 || this.#saving > 0 || nowMs - this.#savedMs < batchMs) return;
    this.#savedMs = nowMs;
    const operations: Operation[] = [];
    for (const job of this.#dirty) operations.push(...progressOf(job));
    this.#dirty.clear();
    const saved = (): void => void this.#saving--;
    for (let at = 0; at < operations.length; at += OPERATIONS_MAX) {
      this.#saving++;
      this.propose(operations.slice(at, at + OPERATIONS_MAX), nowMs, saved);
    }
  }

  /** Has old answers forgotten, now and then. */
  expire(nowMs: Millis): void {
    if (nowMs < this.#expireMs) return;
    this.#expireMs = nowMs + EXPIRE_MS;
    const [first] = this.table.expired(this.#port.unixMs(nowMs));
    if (first !== undefined) this.propose([{ kind: "expire" }], nowMs);
  }

  decided({ id, refusal }: Decided, nowMs: Millis): void {
    const proposal = this.#open.get(id);
    this.#open.delete(id);
    this.trouble = refusal?.reason ?? "";
    if (proposal === undefined) return;
    if (refusal === undefined) return proposal.done(nowMs);
    if (refusal.isSure && proposal.giveUp !== undefined) {
      proposal.giveUp(refusal.reason, nowMs);
      // An earlier try may be in the log as yet: nobody is to be told no and have it done.
      if (proposal.isInDoubt) this.#undo(proposal, nowMs);
      return;
    }
    proposal.isInDoubt ||= !refusal.isSure;
    this.#again.push(proposal);
    this.#againMs ??= nowMs + AGAIN_MS;
  }

  /** Proposes again what failed some time ago. */
  wake(nowMs: Millis): void {
    if (this.#againMs !== undefined && nowMs >= this.#againMs) this.retry(nowMs);
  }

  /** Proposes again what failed: this server leads (again), or some time has passed. */
  retry(nowMs: Millis): void {
    const again = this.#again;
    this.#again = [];
    this.#againMs = undefined;
    for (const proposal of again) {
      if (this.#isNeeded(proposal)) this.#propose(proposal, nowMs);
      else proposal.done(nowMs);
    }
  }

  #undo({ operations }: Proposal, nowMs: Millis): void {
    for (const each of operations) if (each.kind === "submit") this.drop(each.name, nowMs);
  }

  /** Not if it would forget a job that was submitted again meanwhile. */
  #isNeeded({ operations }: Proposal): boolean {
    const [first] = operations;
    return first?.kind !== "forget" || this.isLeaving(first.name);
  }

  #propose(proposal: Proposal, nowMs: Millis): void {
    const timeMs = Math.max(0, this.#port.unixMs(nowMs));
    const command = encodeCommand({ timeMs, operations: proposal.operations });
    if (this.#port.propose === undefined) {
      this.#machine.apply(command);
      return proposal.done(nowMs);
    }
    const id = ++this.#lastId;
    this.#open.set(id, proposal);
    this.#port.propose(id, command);
  }
}

/** The news of a job, in operations that each fit an item. */
function progressOf(job: SearchJob): Operation[] {
  const { name, seq } = job.record;
  const { searched, least, hit }: SearchNews = job.takeNews();
  const operations: Operation[] = [];
  for (let at = 0; at === 0 || at < searched.length; at += SEARCHED_MAX) {
    const part = searched.slice(at, at + SEARCHED_MAX);
    operations.push({ kind: "progress", name, seq, searched: part, least, hit });
  }
  return operations;
}
