/**
 * A snapshot of the state on its way to the disk: its parts are made one at a time, each when the
 * one before is written, so that all of it is never in memory at once.
 *
 * @module
 */
import type { SnapshotSteps } from "../base/state_machine.ts";
import { PART_BYTES_MAX } from "../base/store.ts";

/** See the module. */
export class Taking {
  readonly index: number;
  readonly #steps: SnapshotSteps;
  /** What is made and not yet asked to be written. */
  #made: Uint8Array = new Uint8Array(0);
  #isMade = false;
  /** Bytes that were asked to be written. */
  offset = 0;
  /** Of the part that is being written; 0: none is. */
  token = 0;

  constructor(index: number, steps: SnapshotSteps) {
    this.index = index;
    this.#steps = steps;
  }

  /** Whether all of it was handed out. */
  get isOver(): boolean {
    return this.#isMade && this.#made.length === 0;
  }

  /** Makes more, if nothing is under way and there is more. */
  make(): boolean {
    if (this.#isMade || this.token > 0) return false;
    const { done, value } = this.#steps.next();
    this.#isMade = done === true;
    this.#made = value;
    return true;
  }

  /** What is to be written next, at `offset` of before; undefined: more must be made first. */
  part(): Uint8Array | undefined {
    if (this.#made.length === 0) return undefined;
    const part = this.#made.subarray(0, PART_BYTES_MAX);
    this.#made = this.#made.subarray(PART_BYTES_MAX);
    this.offset += part.length;
    return part;
  }
}
