/**
 * Virtual time: one clock and one queue of things to happen. Time only moves from one of them to
 * the next, so a minute of the fleet costs what its events cost, and equal seeds give equal runs.
 *
 * @module
 */
import { Heap } from "../../base/heap.ts";
import { invariant, type Millis } from "../../base/machine.ts";

interface Entry {
  readonly atMs: Millis;
  /** Order of insertion: breaks ties, so that the order of events is never left to chance. */
  readonly order: number;
  readonly run: () => void;
}

/** The clock and its queue, by time, then by order of insertion. */
export class Loop {
  #nowMs: Millis = 0;
  #inserted = 0;
  #steps = 0;
  readonly #queue = new Heap<Entry>(isBefore);

  /** Milliseconds since the run began. */
  get nowMs(): Millis {
    return this.#nowMs;
  }

  /** Events that have happened so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Lets `run` happen at `atMs`, or next when that is past. */
  at(atMs: Millis, run: () => void): void {
    this.#queue.push({ atMs: Math.max(atMs, this.#nowMs), order: this.#inserted++, run });
  }

  /** Lets `run` happen `delayMs` from now. */
  after(delayMs: Millis, run: () => void): void {
    this.at(this.#nowMs + delayMs, run);
  }

  /** Runs the next event, if there is one due by `untilMs`; false, and no time passes, if not. */
  step(untilMs: Millis): boolean {
    const first = this.#queue.top;
    if (first === undefined || first.atMs > untilMs) return false;
    this.#queue.shift();
    invariant(first.atMs >= this.#nowMs, "virtual time ran backwards");
    this.#nowMs = first.atMs;
    this.#steps++;
    first.run();
    return true;
  }

  /**
   * Runs everything due up to `untilMs` and leaves the clock there. `afterEach` is called after
   * every event. Throws when more than `stepsMax` events happen: a run that does not come to rest.
   */
  runUntil(untilMs: Millis, afterEach: () => void, stepsMax: number): void {
    while (this.step(untilMs)) {
      if (this.#steps > stepsMax) throw new Error(`no rest after ${stepsMax} events`);
      afterEach();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
