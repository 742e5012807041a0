/**
 * Jobs on real files, for tests: a directory of inputs, the program, and what it wrote.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { leftovers } from "../support/leftovers.ts";
import { type Ended, runScriptToEnd } from "../support/processes.ts";

/** A directory that is removed when the tests are over. */
export class Desk {
  readonly path: string = mkdtempSync(join(tmpdir(), "motherlode-mapreduce-test-"));
  #outputs = 0;

  constructor() {
    leftovers.add(this.path);
  }

  /** Writes a file; its path. */
  file(name: string, contents: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
    return path;
  }

  /** A name for an output directory. */
  out(): string {
    return join(this.path, `out-${++this.#outputs}`);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The output files in `directory`, in the order of their numbers. */
export function outputsIn(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.startsWith("mr-out-"));
  return names.map((_, r) => readFileSync(join(directory, `mr-out-${r}`), "utf8"));
}

/** Runs the program to its end. */
export function mapreduce(...args: string[]): Promise<Ended> {
  return runScriptToEnd("mapreduce.ts", ["run", ...args]);
}
