/**
 * Turns a run of either harness into its report: what was drawn, what went wrong, what it did.
 *
 * @module
 */
import { type Dice, drawnText } from "./dice.ts";
import type { RunReport } from "./trace.ts";

/** A run of one seed, as both harnesses have it. */
export interface Run {
  readonly plan: { readonly dice: Dice };
  /** Throws on the first rule that is broken. */
  run(): void;
  counts(): Record<string, number>;
}

/** Runs `run` and tells what became of it; never throws on what the cores do. */
export function report(seed: number, harness: RunReport["harness"], run: Run): RunReport {
  let failure: string | undefined;
  try {
    run.run();
  } catch (error) {
    failure = describeError(error);
  }
  const drawn = drawnText(run.plan.dice.drawn);
  return { seed, harness, drawn, failure, counts: run.counts() };
}

/** What went wrong, in a line; with the place for what is no mere broken invariant. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "Violation") return error.message;
  return error.stack ?? `${error.name}: ${error.message}`;
}
