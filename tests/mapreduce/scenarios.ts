/**
 * Jobs that a worker's memory could not hold: very many keys, one very long line, one key with very
 * many values. The answers are known without doing the work.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { LINE_BYTES_MAX } from "../../mapreduce/limits.ts";
import type { Script } from "../support/processes.ts";
import { type Desk, mapreduce, outputsIn } from "./jobs.ts";
import { partition } from "./twin.ts";

/** How large they are; {@link FULL} is what docs/mapreduce.md promises. */
export interface Scale {
  readonly keys: number;
  readonly lineBytes: number;
  readonly values: number;
  /** For sorting, in MiB. */
  readonly sortMemory: number;
}

export const FULL: Scale = {
  keys: 10_000_000,
  lineBytes: 100_000_000,
  values: 20_000_000,
  sortMemory: 64,
};
/** Memory of a worker, in MiB, whatever it is given. */
export const WORKER_MIB_MAX = 256;

const REDUCERS = 3;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** No number of keys is a multiple of it: it visits each key once, in another order. */
const STEP = 7_919;
const WRITTEN_BYTES = 1 << 20;

/** The words of five letters in their order. */
function word(n: number): string {
  let text = "";
  for (let left = n, i = 0; i < 5; i++, left = Math.floor(left / 26)) {
    text = LETTERS[left % 26]! + text;
  }
  return text;
}

/** Writes what `parts` gives; the path. */
function written(desk: Desk, name: string, parts: Iterable<string>): string {
  const path = desk.file(name, "");
  const fd = openSync(path, "w");
  let some: string[] = [];
  let size = 0;
  const flush = (): void => {
    writeSync(fd, some.join(""));
    [some, size] = [[], 0];
  };
  for (const part of parts) {
    some.push(part);
    size += part.length;
    if (size >= WRITTEN_BYTES) flush();
  }
  flush();
  closeSync(fd);
  return path;
}

function* repeated(part: string, times: number): Iterable<string> {
  for (let i = 0; i < times; i++) yield part;
}

/** Runs a job that succeeds; the directory of its outputs. */
async function outputOf(at: string, desk: Desk, scale: Scale, ...job: string[]): Promise<string> {
  const out = desk.out();
  const memory = ["--sort-memory", `${scale.sortMemory}`];
  const { code, stderr } = await mapreduce(at, ...job, "--out", out, "--quiet", ...memory);
  assertEquals(code, 0, stderr);
  return out;
}

/** Every key is there, once, in its place. */
export async function manyKeys(at: string, desk: Desk, scale: Scale): Promise<void> {
  const { keys } = scale;
  function* input(): Iterable<string> {
    for (let i = 0; i < keys; i++) yield `${word((i * STEP) % keys)}\n`;
  }
  const file = written(desk, "keys.txt", input());
  const out = await outputOf(at, desk, scale, "wc", file, "--reducers", `${REDUCERS}`);
  const expected = Array.from({ length: REDUCERS }, () => new Bun.CryptoHasher("sha256"));
  for (let i = 0; i < keys; i++) {
    const key = word(i);
    expected[partition(key, REDUCERS)]!.update(`${key} 1\n`);
  }
  for (const [r, hasher] of expected.entries()) {
    const got = new Bun.CryptoHasher("sha256").update(readFileSync(join(out, `mr-out-${r}`)));
    assertEquals(got.digest("hex"), hasher.digest("hex"), `output ${r}`);
  }
}

/** A line that is no string's is words all the same, and a bad record for what needs lines. */
export async function longLine(at: string, desk: Desk, scale: Scale): Promise<void> {
  const part = "ä lorem ipsum. ";
  const times = Math.ceil(scale.lineBytes / part.length);
  const file = written(desk, "line.txt", repeated(part, times));
  const out = await outputOf(at, desk, scale, "wc", file);
  assertEquals(outputsIn(out), [`ipsum ${times}\nlorem ${times}\nä ${times}\n`]);
  const failed = desk.out();
  const { code, stderr } = await mapreduce(at, "sort", file, "--out", failed, "--quiet");
  assertEquals([code, existsSync(failed)], [1, false]);
  assertStringIncludes(stderr, `a line is longer than ${LINE_BYTES_MAX} bytes`);
}

/** All values of the one key are given, one by one. */
export async function hugeKey(at: string, desk: Desk, scale: Scale): Promise<void> {
  const { values } = scale;
  const file = written(desk, "one.txt", repeated("same\n", values));
  const out = await outputOf(at, desk, scale, "sort", file);
  assertEquals(statSync(join(out, "mr-out-0")).size, values * 5);
  const got = new Bun.CryptoHasher("sha256").update(readFileSync(join(out, "mr-out-0")));
  const expected = new Bun.CryptoHasher("sha256").update(readFileSync(file));
  assertEquals(got.digest("hex"), expected.digest("hex"));
}

/** The most memory that a process has had, in MiB; undefined where that cannot be known. */
export function peakMib({ process: { pid } }: Script): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024;
  } catch {
    return undefined;
  }
}
