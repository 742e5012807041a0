/**
 * Word count as a user writes it, on strings: an application, and as a program the bare loop over
 * it, which is the measure for what the machinery costs.
 *
 *   bun run bench/mapreduce_user.ts FILE > sum
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { LINE_BYTES_MAX } from "../mapreduce/limits.ts";

/** Counts of the words of a text. */
export function* map(_name: string, contents: string): Iterable<[string, string]> {
  const counts = new Map<string, number>();
  for (const [word] of contents.matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const [word, count] of counts) yield [word, String(count)];
}

/** Their sum. */
export function reduce(_key: string, values: Iterable<string>): string {
  let sum = 0;
  for (const value of values) sum += Number(value);
  return String(sum);
}

export const combine: typeof reduce = reduce;

/** Runs `map` over the file, a split of whole lines at a time; how many pairs it gives. */
function bareLoop(file: string): number {
  const fd = openSync(file, "r");
  const buffer = Buffer.alloc(LINE_BYTES_MAX);
  let [rest, pairs] = [0, 0];
  for (;;) {
    const filled = rest + readSync(fd, buffer, rest, buffer.length - rest, null);
    const isLast = filled === rest;
    const end = isLast ? filled : buffer.lastIndexOf(10, filled - 1) + 1;
    for (const _ of map(file, buffer.toString("utf8", 0, end))) pairs++;
    if (isLast) break;
    buffer.copyWithin(0, end, filled);
    rest = filled - end;
  }
  closeSync(fd);
  return pairs;
}

if (import.meta.main && Bun.isMainThread) console.log(bareLoop(process.argv[2]!));
