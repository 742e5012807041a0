/**
 * A miner's pool of hashing threads without threads: it searches at a constant rate of virtual
 * time, reports as the real pool does, and knows exactly what it has hashed.
 *
 * @module
 */
import { invariant, type Millis } from "../../base/machine.ts";
import type { PoolCommand, PoolEvent, Search } from "../../miner/types.ts";
import type { Candidate } from "../../work/candidate.ts";
import type { Loop } from "../engine/loop.ts";
import { cheapSearch, messageOf } from "./cheap_hash.ts";

/** How often the running search's cursor is told. */
const REPORT_MS = 100;
/** Work that cannot be taken back once begun, in milliseconds of hashing (one sub-range). */
const SLICE_MS = 5;

interface Running extends Search {
  upper: bigint;
  /** [lower, next - 1] is hashed. */
  next: bigint;
  /** Nonce at which the search ends: `upper`, or the first hit. */
  end: bigint;
}

/** Called for every range that is hashed, each time; not a nonce of it before `sinceMs`. */
export type HashedListener = (
  message: string,
  lower: bigint,
  upper: bigint,
  sinceMs: Millis,
) => void;

/** The threads of one miner: searches in the order of their start. */
export class PoolModel {
  readonly #loop: Loop;
  readonly #tell: (event: PoolEvent) => void;
  readonly #hashed: HashedListener;
  /** Nonces a millisecond. */
  #rate: number;
  readonly #usualRate: number;
  readonly #queue: Running[] = [];
  #standing = false;
  /** Fraction of a nonce that is hashed, kept so that slow miners get on. */
  #credit = 0;
  #countedAtMs: Millis = 0;
  #turn = 0;

  constructor(
    loop: Loop,
    noncesPerSecond: number,
    tell: (event: PoolEvent) => void,
    hashed: HashedListener,
  ) {
    this.#loop = loop;
    this.#rate = this.#usualRate = noncesPerSecond / 1000;
    this.#tell = tell;
    this.#hashed = hashed;
  }

  get idle(): boolean {
    return this.#queue.length === 0;
  }

  /** The threads stand still (a GPU that hangs, a machine asleep), or go on. */
  set standing(standing: boolean) {
    this.#count();
    this.#standing = standing;
    this.#countedAtMs = this.#loop.nowMs;
    this.#plan();
  }

  /** From now on it does a `factor`th of what it usually does. */
  slowDown(factor: number): void {
    this.#count();
    this.#rate = this.#usualRate / factor;
    this.#plan();
  }

  handle(command: PoolCommand): void {
    this.#count();
    switch (command.kind) {
      case "start":
        return this.#start(command.search);
      case "shrink":
        return this.#shrink(command.id, command.upper);
      case "stop":
        return this.#stop(command.id);
    }
  }

  /** The process is gone. */
  crash(): void {
    this.#queue.length = 0;
    this.#turn++;
  }

  #start(search: Search): void {
    const { lower, upper, target } = search;
    const message = messageOf(search.subject);
    const hit = target === undefined ? undefined : cheapSearch(message, lower, upper, target);
    const end = hit !== undefined && hit.hash <= target! ? hit.nonce : upper;
    this.#queue.push({ ...search, next: lower, end });
    if (this.#queue.length > 1) return;
    this.#credit = 0;
    this.#countedAtMs = this.#loop.nowMs;
    this.#plan();
  }

  #shrink(id: number, asked: bigint): void {
    const search = this.#queue.find((running) => running.id === id);
    if (search === undefined) return;
    const slice = search === this.#queue[0] ? BigInt(Math.floor(this.#rate * SLICE_MS)) : 0n;
    const begun = search.next + slice > search.lower ? search.next + slice : search.lower;
    const upper = asked > begun ? asked : begun;
    if (upper < search.upper) search.upper = upper;
    if (search.end > search.upper) search.end = search.upper;
    this.#tell({ kind: "shrunk", id, upper: search.upper });
    this.#plan();
  }

  #stop(id: number): void {
    const index = this.#queue.findIndex((running) => running.id === id);
    if (index < 0) return;
    const [search] = this.#queue.splice(index, 1);
    this.#tell({ kind: "stopped", id, next: search!.next, ...bestSoFar(search!) });
    this.#credit = index === 0 ? 0 : this.#credit;
    this.#plan();
  }

  /** Brings the books up to now: what was hashed since they were last looked at. */
  #count(): void {
    const sinceMs = this.#countedAtMs;
    const elapsedMs = this.#loop.nowMs - sinceMs;
    this.#countedAtMs = this.#loop.nowMs;
    const search = this.#queue[0];
    if (this.#standing || search === undefined) return;
    this.#credit += elapsedMs * this.#rate;
    const wholes = BigInt(Math.floor(this.#credit));
    this.#credit -= Number(wholes);
    const to = search.next + wholes > search.end + 1n ? search.end + 1n : search.next + wholes;
    if (to > search.next) this.#hashed(messageOf(search.subject), search.next, to - 1n, sinceMs);
    search.next = to;
  }

  #plan(): void {
    const turn = ++this.#turn;
    const search = this.#queue[0];
    if (search === undefined || this.#standing) return;
    const left = Number(search.end + 1n - search.next) - this.#credit;
    const doneMs = Math.max(0, left / this.#rate);
    this.#loop.after(Math.min(REPORT_MS, doneMs), () => {
      if (turn === this.#turn) this.#wake(doneMs <= REPORT_MS);
    });
  }

  #wake(done: boolean): void {
    this.#count();
    const search = this.#queue[0];
    invariant(search !== undefined, "the pool wakes for its running search");
    const { id } = search;
    if (!done && search.next <= search.end) {
      if (search.next > search.lower) {
        this.#tell({ kind: "progress", id, next: search.next, ...bestSoFar(search) });
      }
    } else {
      // The clock may be a hair short of the last nonce.
      if (search.next <= search.end)
        this.#hashed(messageOf(search.subject), search.next, search.end, this.#countedAtMs);
      search.next = search.end + 1n;
      this.#queue.shift();
      this.#credit = 0;
      const { lower, end, target } = search;
      const message = messageOf(search.subject);
      this.#tell({ kind: "finished", id, best: cheapSearch(message, lower, end, target) });
    }
    this.#plan();
  }
}

function bestSoFar(search: Running): { best?: Candidate } {
  if (search.next === search.lower) return {};
  return {
    best: cheapSearch(messageOf(search.subject), search.lower, search.next - 1n, search.target),
  };
}
