/**
 * The applications that need no code from anybody: wc, indexer, grep:PATTERN and sort.
 *
 * @module
 */
import { type Application, type MapContext, type Mapping, numberOf } from "./application.ts";
import { compareSlices, copyOf, type Slice, textOf, utf8, viewOf, whole } from "./bytes.ts";
import { builtinNamed } from "./code_name.ts";
import { LineReader } from "./lines.ts";
import { LINE_BYTES_MAX } from "./limits.ts";
import { WordReader, WordTable } from "./words.ts";

/** The built-in application `name`; undefined if there is none. Throws SyntaxError on a pattern. */
export function builtin(name: string): Application | undefined {
  const found = builtinNamed(name);
  if (typeof found === "object") return grep(found.grep);
  return found && { wc: WC, indexer: INDEXER, sort: SORT }[found];
}

const EMPTY = whole(new Uint8Array());

/** Counts words and hands them over, `flush`, when the table is full and at the end. */
function countingWords(bytes: number, flush: (table: WordTable) => void): Mapping {
  const table = new WordTable(bytes);
  const reader = new WordReader(table);
  const empty = (): void => {
    flush(table);
    table.clear();
  };
  return {
    read: (piece) => {
      reader.read(piece);
      if (table.isFull) empty();
    },
    end: () => {
      reader.end();
      empty();
      table.release();
    },
  };
}

/** Word -> how often it occurs. */
const WC: Application = {
  map({ output, bytes }: MapContext): Mapping {
    return countingWords(bytes, (table) =>
      table.each((word, hash, count) => output.emit(word, decimal(count), hash)),
    );
  },
  combine: (_key, values) => [decimal(sum(values))],
  reduce: (key, values, out) => out.write(key, decimal(sum(values))),
};

/** Word -> the number of files that have it, and their names. */
const INDEXER: Application = {
  map({ output, bytes, split }: MapContext): Mapping {
    const name = whole(utf8(split.name));
    return countingWords(bytes, (table) =>
      table.each((word, hash) => output.emit(word, name, hash)),
    );
  },
  combine: (_key, values) => distinct(values),
  reduce: (key, values, out) => {
    const names = distinct(values).map((name) => textOf(viewOf(name)));
    out.write(key, whole(utf8(`${names.length} ${names.join(",")}`)));
  },
};

/** Line -> as often as it occurs. */
const SORT: Application = {
  map({ output, split, bad }: MapContext): Mapping {
    return linesOf(split.firstLine, (line) => output.emit(line, EMPTY), bad);
  },
  reduce: (key, values, out) => {
    for (const _ of values) out.write(key);
  },
};

/** FILE:LINENUMBER -> the line, where it matches. */
function grep(expression: RegExp): Application {
  return {
    needsLines: true,
    map({ output, split, bad }: MapContext): Mapping {
      const take = (line: Slice, number: number): void => {
        if (!expression.test(textOf(viewOf(line)))) return;
        output.emit(whole(utf8(`${split.name}:${number}`)), line);
      };
      return linesOf(split.firstLine, take, bad);
    },
    reduce: (key, values, out) => {
      for (const value of values) out.write(key, value);
    },
  };
}

function linesOf(
  first: number,
  take: (line: Slice, number: number) => void,
  bad: (why: string) => void,
): Mapping {
  const isCounted = first > 0;
  const tooLong = (number: number): void =>
    bad(`${isCounted ? `line ${number}` : "a line"} is longer than ${LINE_BYTES_MAX} bytes`);
  const reader = new LineReader(first, take, tooLong);
  return { read: (piece) => reader.read(piece), end: () => reader.end() };
}

const SMALL = Array.from({ length: 1000 }, (_, number) => whole(utf8(`${number}`)));

function decimal(number: number): Slice {
  return SMALL[number] ?? whole(utf8(`${number}`));
}

function sum(values: Iterable<Slice>): number {
  let total = 0;
  for (const value of values) total += numberOf(value);
  return total;
}

/** The values without repetition, in the order of their bytes. */
function distinct(values: Iterable<Slice>): Slice[] {
  const seen = new Map<string, Slice>();
  let last: Slice = EMPTY;
  for (const value of values) {
    // Those of one file come one after the other.
    if (seen.size > 0 && compareSlices(value, last) === 0) continue;
    last = whole(copyOf(value));
    seen.set(textOf(last.bytes), last);
  }
  return [...seen.values()].sort(compareSlices);
}
