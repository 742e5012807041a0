/**
 * What the engine needs of a harness: a room's cores in a world of their own, with plan, oracle and
 * faults. Harnesses are registered in sim/harnesses.ts; nothing else knows them all.
 *
 * @module
 */
import { type Dice, drawnText } from "./dice.ts";
import type { Transcript } from "./trace.ts";

/** A run of one seed. */
export interface Run {
  readonly plan: { readonly dice: Dice };
  /** Throws on the first rule that is broken. */
  run(): void;
  counts(): Record<string, number>;
}

/** One way to simulate something. */
export interface Harness {
  /** One word, for the command line. */
  readonly name: string;
  /** What it simulates, in a few words. */
  readonly about: string;
  /**
   * Faults that can be planted, by name, and what each breaks: they prove that the harness can
   * fail. None is known to the cores.
   */
  readonly plants: Readonly<Record<string, string>>;
  /** Prepares the run of a seed; `plant` is one of `plants`. */
  prepare(seed: number, plant: string | undefined, transcript: Transcript | undefined): Run;
}

/** What became of one seed. */
export interface RunReport {
  readonly seed: number;
  /** Name of the harness. */
  readonly harness: string;
  /** The parameters that were drawn, as one line. */
  readonly drawn: string;
  /** What went wrong; `undefined` for a good run. */
  readonly failure: string | undefined;
  /** Sums that tell whether the run did anything worth checking. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Runs one seed and tells what became of it; never throws on what the cores do. Throws RangeError
 * on a fault that the harness does not have.
 */
export function runSeed(
  harness: Harness,
  seed: number,
  plant?: string,
  transcript?: Transcript,
): RunReport {
  if (plant !== undefined && !Object.hasOwn(harness.plants, plant)) {
    const known = Object.keys(harness.plants).join(", ");
    throw new RangeError(`${harness.name} has no fault ${plant} to plant: expected of ${known}`);
  }
  const run = harness.prepare(seed, plant, transcript);
  let failure: string | undefined;
  try {
    run.run();
  } catch (error) {
    failure = describeError(error);
  }
  const { drawn } = run.plan.dice;
  const counts = run.counts();
  return {
    seed,
    harness: harness.name,
    // Of good runs nobody asks for it.
    get drawn() {
      return drawnText(drawn);
    },
    failure,
    counts,
  };
}

/** What went wrong, in a line; with the place for what is no mere broken invariant. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "Violation") return error.message;
  return error.stack ?? `${error.name}: ${error.message}`;
}
