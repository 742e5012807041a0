/**
 * A run's transcript. It costs nothing while nobody reads it: a failing run is simply run again,
 * with the same seed and the transcript on.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Loop } from "./loop.ts";

/** Takes a line, as a function so that an unread line is never put together. */
export type TraceLine = (text: () => string) => void;

/** Thrown when a run broke one of the simulator's invariants. */
export class Violation extends Error {
  override name = "Violation";
}

/** Throws {@link Violation} unless `condition` holds. */
export function demand(condition: unknown, message: () => string): asserts condition {
  if (!condition) throw new Violation(message());
}

/** Repeats `run`, which lets time pass, until `isDone`; a {@link Violation} after `withinMs`. */
export function runTill(
  loop: Loop,
  isDone: () => boolean,
  withinMs: Millis,
  what: () => string,
  run: () => void,
): void {
  const untilMs = loop.nowMs + withinMs;
  while (!isDone()) {
    demand(loop.nowMs < untilMs, () => `${what()}: not within ${withinMs} ms`);
    run();
  }
}

/** Where a run's transcript goes. */
export interface Transcript {
  readonly lines: string[];
  /** Lines kept; older ones are dropped. */
  readonly linesMax: number;
}

/** A writer of lines stamped with virtual time, or `undefined` where no transcript is wanted. */
export function tracer(loop: Loop, transcript: Transcript | undefined): TraceLine | undefined {
  if (transcript === undefined) return undefined;
  return (text) => {
    transcript.lines.push(`${loop.nowMs.toFixed(3).padStart(12)}  ${text()}`);
    if (transcript.lines.length > transcript.linesMax) transcript.lines.shift();
  };
}
