/**
 * Faults planted on purpose, to prove that the harness can fail.
 *
 * @module
 */

/** Faults of map-reduce, and what each breaks. */
export const MAPREDUCE_PLANTS = {
  "skip-partition": "a reduce does without the partition of the last map",
  "twice-mapped": "a reduce reads the partition of the first map twice",
  "no-check": "what was damaged on a disk is taken for good",
  "keeps-files": "a worker keeps the files of jobs that are over",
  forgetful: "what a worker that was lost held is never made again",
  "plan-lost": "a server that comes back knows nothing of the jobs that it kept",
  ghost: "a server that comes back takes maps for done although nobody has them",
} as const;

export type MapReducePlant = keyof typeof MAPREDUCE_PLANTS;
