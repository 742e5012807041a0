/**
 * Sorted runs made one: the records of several runs in the order of their keys, those of equal keys
 * in the order of the runs.
 *
 * @module
 */
import { Heap } from "../base/heap.ts";
import { compareSlices, copyOf, type Slice, whole } from "./bytes.ts";

/** Something that gives records in the order of their keys; see {@link RunReader}. */
export interface SortedRun {
  readonly key: Slice;
  readonly value: Slice;
  advance(): boolean;
}

interface Place {
  readonly run: SortedRun;
  readonly number: number;
}

/** The runs as one: the same interface, over all of them. */
export class MergedRun implements SortedRun {
  readonly #heap = new Heap<Place>((a, b) => {
    const order = compareSlices(a.run.key, b.run.key);
    return order < 0 || (order === 0 && a.number < b.number);
  });
  readonly #runs: readonly SortedRun[];
  #present: Place | undefined;
  #begun = false;

  constructor(runs: readonly SortedRun[]) {
    this.#runs = runs;
  }

  get key(): Slice {
    return this.#present!.run.key;
  }

  get value(): Slice {
    return this.#present!.run.value;
  }

  advance(): boolean {
    if (!this.#begun) {
      this.#begun = true;
      for (const [number, run] of this.#runs.entries()) {
        if (run.advance()) this.#heap.push({ run, number });
      }
    } else if (this.#present !== undefined && this.#present.run.advance()) {
      this.#heap.push(this.#present);
    }
    this.#present = this.#heap.shift();
    return this.#present !== undefined;
  }
}

/** A key with all its values, which can be read once, and while nothing else is read. */
export interface Group {
  readonly key: Slice;
  readonly values: Iterable<Slice>;
}

/** The records of a sorted run by key. Values that nobody reads are passed over. */
export function* groupsOf(run: SortedRun): Iterable<Group> {
  let more = run.advance();
  while (more) {
    const key = whole(copyOf(run.key));
    const isSame = (): boolean => more && compareSlices(run.key, key) === 0;
    const values = (function* (): Iterable<Slice> {
      while (isSame()) {
        yield run.value;
        more = run.advance();
      }
    })();
    yield { key, values };
    while (isSame()) more = run.advance();
  }
}
