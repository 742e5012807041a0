/**
 * Whether a history of operations is linearizable: whether each can be given one moment between its
 * call and its return so that, done at those moments, they would have been answered as they were
 * (Herlihy and Wing, 1990). The search is that of Wing and Gong (1993), with Lowe's memory of
 * what was tried (2017), without recursion.
 *
 * @module
 */

/** What the object under test should do. Any object can be checked that is described like this. */
export interface Model<State, Op> {
  init(): State;
  /**
   * The state after `op`, or undefined when `op` cannot have been answered as it was in this state.
   * An operation without an answer is always possible. States are never changed in place.
   */
  step(state: State, op: Op): State | undefined;
  equal(a: State, b: State): boolean;
  /** An operation and its answer in a few words. */
  describe(op: Op): string;
}

/** One operation of a history. */
export interface Operation<Op> {
  /** Who called; one client's operations may overlap. */
  readonly client: number | string;
  readonly op: Op;
  readonly callMs: number;
  /** Infinity: never answered. It took effect at any time after its call, or never. */
  readonly returnMs: number;
}

/** How long a search may go on. */
export interface Budget {
  /** Calls of `step`. */
  readonly stepsMax: number;
  /** States that are remembered, each with the operations that led there. */
  readonly memoMax: number;
  /** Asked now and then; true ends the search, which is then `unknown`. */
  readonly isOver?: () => boolean;
}

/** Ends within some seconds, and some hundred megabytes. */
export const DEFAULT_BUDGET: Budget = { stepsMax: 20_000_000, memoMax: 2_000_000 };

/** What came of a search. */
export interface Finding {
  /** `unknown`: the budget came to its end before it was certain. Never a yes. */
  readonly verdict: "linearizable" | "not linearizable" | "unknown";
  /** The longest order that was found, as indexes of operations; a whole one for a yes. */
  readonly order: readonly number[];
  readonly steps: number;
}

/** `step` is called so often between two looks at `isOver`. */
const LOOK_STEPS = 1024;

/**
 * Searches an order of `operations` that `model` allows. They should come in the order of their
 * calls: then a set of them is nearly always a full beginning and a few bits, and cheap to keep.
 */
export function linearize<State, Op>(
  model: Model<State, Op>,
  operations: readonly Operation<Op>[],
  budget: Budget = DEFAULT_BUDGET,
): Finding {
  return new Search(model, operations, budget).run();
}

/** A set of operations that were done, and the state that they led to. */
interface Known<State> {
  /** Everything before this word of the set is done. */
  readonly from: number;
  readonly words: Uint32Array;
  readonly state: State;
}

class Search<State, Op> {
  readonly #model: Model<State, Op>;
  readonly #operations: readonly Operation<Op>[];
  readonly #budget: Budget;
  /** Entries in a ring: 1 + i is the call of operation i, 1 + n + i its return, 0 the end. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Operation i is in the set. */
  readonly #done: Uint32Array;
  /** Bits of words before this are all set. */
  #fullWords = 0;
  #hash = 0;
  readonly #memo = new Map<number, Known<State>[]>();
  #remembered = 0;
  #steps = 0;

  constructor(model: Model<State, Op>, operations: readonly Operation<Op>[], budget: Budget) {
    this.#model = model;
    this.#operations = operations;
    this.#budget = budget;
    const { length } = operations;
    this.#next = new Int32Array(1 + 2 * length);
    this.#previous = new Int32Array(1 + 2 * length);
    this.#done = new Uint32Array((length >>> 5) + 1);
    this.#link();
  }

  run(): Finding {
    const operations = this.#operations;
    const { length } = operations;
    let left = operations.filter(({ returnMs }) => returnMs !== Infinity).length;
    let state = this.#model.init();
    const path: { readonly operation: number; readonly state: State }[] = [];
    let longest: number[] = [];
    let entry = this.#next[0]!;
    while (left > 0) {
      if (entry > 0 && entry <= length) {
        if (this.#isOver()) return { verdict: "unknown", order: longest, steps: this.#steps };
        const operation = entry - 1;
        const after = this.#tried(state, operation);
        if (after === undefined) {
          entry = this.#next[entry]!;
          continue;
        }
        path.push({ operation, state });
        state = after;
        if (operations[operation]!.returnMs !== Infinity) left--;
        this.#lift(operation);
        entry = this.#next[0]!;
        continue;
      }
      // A return that nothing may overtake: the last choice was wrong, or one before it.
      if (path.length > longest.length) longest = path.map((one) => one.operation);
      const last = path.pop();
      if (last === undefined) {
        return { verdict: "not linearizable", order: longest, steps: this.#steps };
      }
      state = last.state;
      if (operations[last.operation]!.returnMs !== Infinity) left++;
      this.#toggle(last.operation);
      this.#unlift(last.operation);
      entry = this.#next[1 + last.operation]!;
    }
    const order = path.map((one) => one.operation);
    return { verdict: "linearizable", order, steps: this.#steps };
  }

  /** The state after `operation`, if it is possible, matters, and was not found a dead end. */
  #tried(state: State, operation: number): State | undefined {
    this.#steps++;
    const { op, returnMs } = this.#operations[operation]!;
    const after = this.#model.step(state, op);
    if (after === undefined) return undefined;
    // Of what was never answered only effects matter; and it need not have any.
    if (returnMs === Infinity && this.#model.equal(state, after)) return undefined;
    this.#toggle(operation);
    if (this.#remember(after)) return after;
    this.#toggle(operation);
    return undefined;
  }

  #isOver(): boolean {
    const { stepsMax, memoMax, isOver } = this.#budget;
    if (this.#steps >= stepsMax || this.#remembered >= memoMax) return true;
    return isOver !== undefined && this.#steps % LOOK_STEPS === 0 && isOver();
  }

  /** Notes where the search has come to; false if it was there before. */
  #remember(state: State): boolean {
    const done = this.#done;
    while (done[this.#fullWords] === 0xffffffff) this.#fullWords++;
    const from = this.#fullWords;
    const known = this.#memo.get(this.#hash);
    if (known !== undefined) {
      for (const one of known) {
        if (one.from === from && this.#isSet(one) && this.#model.equal(one.state, state)) {
          return false;
        }
      }
    }
    let end = done.length;
    while (end > from && done[end - 1] === 0) end--;
    const entry = { from, words: done.slice(from, end), state };
    if (known === undefined) this.#memo.set(this.#hash, [entry]);
    else known.push(entry);
    this.#remembered++;
    return true;
  }

  #isSet({ from, words }: Known<State>): boolean {
    const done = this.#done;
    for (let i = 0; i < words.length; i++) if (words[i] !== done[from + i]) return false;
    for (let i = from + words.length; i < done.length; i++) if (done[i] !== 0) return false;
    return true;
  }

  /** Takes an operation into the set, or out of it. */
  #toggle(operation: number): void {
    const word = operation >>> 5;
    this.#done[word]! ^= 1 << (operation & 31);
    if (word < this.#fullWords) this.#fullWords = word;
    let hash = Math.imul(operation + 1, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    this.#hash ^= hash ^ (hash >>> 13);
  }

  #link(): void {
    const operations = this.#operations;
    const { length } = operations;
    const entries: { readonly entry: number; readonly atMs: number }[] = [];
    for (const [i, { callMs, returnMs }] of operations.entries()) {
      entries.push({ entry: 1 + i, atMs: callMs });
      if (returnMs !== Infinity) entries.push({ entry: 1 + length + i, atMs: returnMs });
    }
    // Of the same moment, calls come first: what touches overlaps.
    entries.sort((a, b) => a.atMs - b.atMs || a.entry - b.entry);
    let before = 0;
    for (const { entry } of entries) {
      this.#next[before] = entry;
      this.#previous[entry] = before;
      before = entry;
    }
    this.#next[before] = 0;
    this.#previous[0] = before;
  }

  /** Takes the call and the return of an operation out of the ring. */
  #lift(operation: number): void {
    this.#take(1 + operation);
    if (this.#operations[operation]!.returnMs === Infinity) return;
    this.#take(1 + this.#operations.length + operation);
  }

  /** Puts them back, in the opposite order. */
  #unlift(operation: number): void {
    if (this.#operations[operation]!.returnMs !== Infinity) {
      this.#put(1 + this.#operations.length + operation);
    }
    this.#put(1 + operation);
  }

  #take(entry: number): void {
    this.#next[this.#previous[entry]!] = this.#next[entry]!;
    this.#previous[this.#next[entry]!] = this.#previous[entry]!;
  }

  #put(entry: number): void {
    this.#next[this.#previous[entry]!] = entry;
    this.#previous[this.#next[entry]!] = entry;
  }
}
