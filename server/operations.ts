/**
 * What changes the job table: the commands of its log. A command says when it was given, and
 * then what is to be done, one operation after the other. Whatever state the table is in, an
 * operation that comes twice does no more than one that comes once.
 *
 * A command is a sequence of items (server/items.ts). The first is [version, time in milliseconds
 * since 1970]; each further one is an operation: its number, the job's session and number, and what
 * else belongs to it. A row of another kind of work is [7, group, row, bytes or none: it goes]; a
 * command with rows is of version 2, which older servers reject.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Interval } from "../work/interval_set.ts";
import type { SearchSpec } from "../work/subject.ts";
import { readBest, writeBest } from "../work/wire_best.ts";
import { readWork, writeWork } from "../work/wire_searches.ts";
import { joined, readName, separated, writeName } from "./items.ts";
import { ROW_BYTES_MAX, ROW_NAME_BYTES_MAX, type RowChange } from "./rows.ts";
import type { JobName, JobRef, SearchAnswer, SearchNews } from "./table.ts";

/** One change of the table. */
export type Operation =
  | {
      readonly kind: "submit";
      readonly name: JobName;
      readonly work: SearchSpec;
      readonly detached: boolean;
    }
  | ({ readonly kind: "progress" } & JobRef & SearchNews)
  | ({ readonly kind: "answer" } & JobRef & SearchAnswer)
  /** Somebody has the answer. */
  | { readonly kind: "fetched"; readonly name: JobName }
  /** The job is given up, or its answer is of no use any more. */
  | { readonly kind: "forget"; readonly name: JobName }
  /** Answers that were kept long enough at the command's time go. */
  | { readonly kind: "expire" }
  | ({ readonly kind: "row" } & RowChange);

/** A command, read. */
export interface Command {
  readonly timeMs: number;
  readonly operations: readonly Operation[];
}

/** Intervals of one progress: more go into several. */
export const SEARCHED_MAX = 100;

const VERSION = 1;
const ROWS_VERSION = 2;
const NUMBERS = {
  submit: 1,
  progress: 2,
  answer: 3,
  fetched: 4,
  forget: 5,
  expire: 6,
  row: 7,
} as const;

/** The command that does `operations` at `timeMs`. */
export function encodeCommand({ timeMs, operations }: Command): Uint8Array {
  const hasRows = operations.some(({ kind }) => kind === "row");
  const version = hasRows ? ROWS_VERSION : VERSION;
  const head = new FieldWriter().count(version).uint64(BigInt(Math.trunc(timeMs)));
  return joined([head, ...operations.map(written)].map(({ values }) => encodeCbor(values)));
}

/** The command that `bytes` say, or, as a string, why they say none. Never throws. */
export function decodeCommand(bytes: Uint8Array): Command | string {
  let items: Uint8Array[];
  try {
    items = separated(bytes);
  } catch (error) {
    return (error as Error).message;
  }
  const head = FieldReader.of(decodeCbor(items.shift() ?? new Uint8Array()));
  const version = head?.count();
  const timeMs = head?.rounded() ?? 0;
  const isKnown = version === VERSION || version === ROWS_VERSION;
  if (head?.isGood !== true || !isKnown) return `unknown command version ${version}`;
  const operations: Operation[] = [];
  for (const item of items) {
    const fields = FieldReader.of(decodeCbor(item));
    const operation = fields && read(fields);
    if (fields?.isGood !== true || operation === undefined) return "malformed operation";
    operations.push(operation);
  }
  return { timeMs, operations };
}

function written(operation: Operation): FieldWriter {
  const f = new FieldWriter().count(NUMBERS[operation.kind]);
  if (operation.kind === "expire") return f;
  if (operation.kind === "row") {
    f.text(operation.group).text(operation.row);
    return f.optional(operation.bytes, (inner, bytes) => inner.bytes(bytes));
  }
  writeName(f, operation.name);
  switch (operation.kind) {
    case "submit": {
      const { work, detached } = operation;
      return f.array((inner) => void writeWork(inner, work)).flag(detached);
    }
    case "progress": {
      const { seq, searched, least, hit } = operation;
      f.count(seq).array((inner) => {
        for (const { lower, end } of searched) inner.uint64(lower).uint64(end - 1n);
      });
      return f.optional(least, writeBest).optional(hit, writeBest);
    }
    case "answer":
      return writeBest(f.count(operation.seq), operation.best).flag(operation.met);
    default:
      return f;
  }
}

function read(f: FieldReader): Operation | undefined {
  const number = f.count();
  if (number === NUMBERS.expire) return { kind: "expire" };
  if (number === NUMBERS.row) {
    const [group, row] = [f.text(ROW_NAME_BYTES_MAX), f.text(ROW_NAME_BYTES_MAX)];
    const bytes = f.optional((inner) => inner.bytes(ROW_BYTES_MAX).slice());
    return { kind: "row", group, row, bytes };
  }
  const name = readName(f);
  switch (number) {
    case NUMBERS.submit:
      return { kind: "submit", name, work: f.array(readWork), detached: f.flag() };
    case NUMBERS.progress: {
      const seq = f.count();
      const searched = f.array(readSearched);
      return { kind: "progress", name, seq, searched, ...readFound(f) };
    }
    case NUMBERS.answer:
      return { kind: "answer", name, seq: f.count(), best: readBest(f), met: f.flag() };
    case NUMBERS.fetched:
      return { kind: "fetched", name };
    case NUMBERS.forget:
      return { kind: "forget", name };
    default:
      return undefined;
  }
}

function readFound(f: FieldReader): Pick<SearchNews, "least" | "hit"> {
  return { least: f.optional(readBest), hit: f.optional(readBest) };
}

function readSearched(f: FieldReader): Interval[] {
  const searched: Interval[] = [];
  while (f.hasMore) {
    const [lower, upper] = [f.uint64(), f.uint64()];
    if (lower > upper) f.reject();
    else searched.push({ lower, end: upper + 1n });
  }
  return searched;
}
