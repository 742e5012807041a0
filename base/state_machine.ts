/**
 * What a log of commands is replayed into: a state that changes by commands alone.
 *
 * @module
 */

import { joinedBytes } from "./byte_fields.ts";

/**
 * A deterministic state. The same commands in the same order give the same state, the same answers
 * and the same snapshot bytes on every machine and in every version that reads the log: `apply`
 * consults no clock, no randomness, and no collection whose order is not defined.
 */
export interface StateMachine<Answer = Uint8Array> {
  /**
   * Carries out one command of the log and gives its answer. Commands come in the order of their
   * indexes, each once. A command that makes no sense is answered as such; it never throws, since
   * every replica and every restart would meet it again.
   */
  apply(command: Uint8Array, index: number): Answer;
  /**
   * The same of the command that is bytes start..end - 1 of `bytes`, where that spares a copy.
   * Nothing of `bytes` may be kept.
   */
  applyPart?(bytes: Uint8Array, start: number, end: number, index: number): Answer;
  /** The whole state as bytes that `restore` takes. */
  snapshot(): Uint8Array;
  /**
   * What `snapshot` would give now, in parts, each a few milliseconds' work; commands may be
   * applied between them. A state that may become large has it: nobody waits for the whole, and
   * nowhere is all of it in memory.
   */
  snapshotSteps?(): SnapshotSteps;
  /**
   * Replaces the whole state by that of a snapshot. Throws an Error of one line, with the state
   * unchanged, when the bytes are no snapshot of this machine or of a version that it knows.
   */
  restore(bytes: Uint8Array): void;
}

/** A snapshot part by part, some of them perhaps empty; what it returns at its end is the last. */
export type SnapshotSteps = Iterator<Uint8Array, Uint8Array>;

/** A snapshot of one part. */
export function wholeStep(bytes: Uint8Array): SnapshotSteps {
  return { next: () => ({ done: true, value: bytes }) };
}

/** All parts as one. */
export function wholeOf(steps: SnapshotSteps): Uint8Array {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { done, value } = steps.next();
    parts.push(value);
    if (done === true) return joinedBytes(parts);
  }
}
