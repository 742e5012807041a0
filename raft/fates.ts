/**
 * What becomes of the proposals that were accepted on this node.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Outbox } from "../base/outbox.ts";
import type { RaftLog } from "./log.ts";
import type { FateEffect, RaftEffect } from "./types.ts";

/** Runs of proposals of past terms that a node remembers; the oldest go first. */
export const PAST_RUNS_MAX = 256;

/** Proposals of one term and of consecutive indexes. */
interface Run {
  readonly term: number;
  first: number;
  last: number;
  /** Whether they were said to be unknown. */
  isUnknown: boolean;
}

/** Tells each proposal's fate: see {@link FateEffect}. */
export class Fates {
  readonly #log: RaftLog;
  readonly #out: Outbox<RaftEffect>;
  readonly #runs: Run[] = [];

  constructor(log: RaftLog, out: Outbox<RaftEffect>) {
    this.#log = log;
    this.#out = out;
  }

  /** Proposals first..last of the current term were added to the log. */
  accepted(term: number, first: number, last: number): void {
    const run = this.#runs.at(-1);
    if (run?.term === term && run.last + 1 === first) run.last = last;
    else this.#runs.push({ term, first, last, isUnknown: false });
  }

  /** The log is committed up to `index`. */
  committed(index: number): void {
    for (let i = 0; i < this.#runs.length;) {
      const run = this.#runs[i]!;
      if (run.first > index) i++;
      else if (this.#settle(run, Math.min(run.last, index))) i++;
      else this.#runs.splice(i, 1);
    }
  }

  /** The lead is lost. */
  leadLost(): void {
    for (const run of this.#runs) {
      if (run.isUnknown) continue;
      run.isUnknown = true;
      this.#tell("unknown", run, run.last);
    }
    if (this.#runs.length > PAST_RUNS_MAX) this.#runs.splice(0, this.#runs.length - PAST_RUNS_MAX);
  }

  /** The log up to `index` was replaced by a snapshot: what was in it, this node never learns. */
  replaced(index: number): void {
    for (let i = 0; i < this.#runs.length;) {
      const run = this.#runs[i]!;
      // A node that is sent a snapshot does not lead: all its proposers were told "unknown".
      invariant(run.isUnknown, "a leader's log is replaced");
      run.first = Math.max(run.first, index + 1);
      if (run.first <= run.last) i++;
      else this.#runs.splice(i, 1);
    }
  }

  /** Settles what of `run` is up to `last`; whether some is left. */
  #settle(run: Run, last: number): boolean {
    // Whether any entry of the run's term is there, those before it in the run are there too.
    let mine = last;
    while (mine >= run.first && this.#log.termAt(mine) !== run.term) mine--;
    if (mine >= run.first) this.#tell("committed", run, mine);
    run.first = mine + 1;
    if (mine === last) return run.first <= run.last;
    // Behind an entry of another term that is committed none of the run's can follow.
    this.#tell("lost", run, run.last);
    return false;
  }

  #tell(fate: FateEffect["fate"], { term, first }: Run, last: number): void {
    this.#out.push({ kind: "fate", fate, term, first, last });
  }
}
