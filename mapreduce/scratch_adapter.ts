/**
 * Directories for what lives as long as a job.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../run/errors.ts";

/** A directory of our own for what lives as long as a job. */
export function scratchDirectory(): string {
  return mkdtempSync(join(tmpdir(), "motherlode-mapreduce-"));
}

/** Removes a scratch directory, as far as that goes. */
export function removeScratch(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    throw new Failure(`cannot remove ${directory}: ${(error as Error).message}`);
  }
}
