/**
 * Names of the files between map and reduce in a shared directory: `mr-X-Y` is what map X gives
 * to reduce Y.
 *
 * @module
 */
import type { PartFiles } from "./job_types.ts";

/** The path of the note that a map is done; with `mark` the one under which it is written. */
export function doneFile({ directory, map }: PartFiles, mark = ""): string {
  return `${directory}/.mr-${map}.done${mark === "" ? "" : `-${mark}.part`}`;
}

/** The path of one; with `mark` the one under which it is written until it is whole. */
export function partFile({ directory, map }: PartFiles, reduce: number, mark = ""): string {
  const name = `mr-${map}-${reduce}`;
  return `${directory}/${mark === "" ? name : `.${name}-${mark}.part`}`;
}
