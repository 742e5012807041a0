/**
 * The job table as bytes, and back: what a restart, a copy or a newly elected leader begins with.
 *
 * A snapshot is a sequence of items, each behind its length in four bytes, big-endian. The first is
 * [version]; then every job without an answer is [1, session, number, work, done, least, hit] and
 * after it its uncovered intervals, as many as fit an item: [2, lower, upper, lower, upper ...];
 * then every kept answer, the oldest first, is [3, session, number, digest, best, met].
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Interval } from "../work/interval_set.ts";
import type { SearchSpec } from "../work/subject.ts";
import { readBest, readWork, writeBest, writeWork } from "../work/wire.ts";
import { type JobName, JobTable, type KeptAnswer } from "./table.ts";

/** Version of the format. */
const VERSION = 1;
const JOB = 1;
const INTERVALS = 2;
const ANSWER = 3;
const LENGTH_BYTES = 4;
/** Intervals of one item: two numbers each, well below the items that a CBOR array may have. */
const INTERVALS_MAX = 100;
const DIGEST_BYTES_MAX = 64;

/** The whole table. */
export function snapshotOfTable(table: JobTable): Uint8Array {
  const items = [new FieldWriter().count(VERSION)];
  for (const { records } of table.sessions.values()) {
    for (const { name, spec, done, least, hit, uncovered } of records.values()) {
      const item = writeName(new FieldWriter().count(JOB), name);
      item.array((inner) => void writeWork(inner, spec));
      items.push(item.uint256(done).optional(least, writeBest).optional(hit, writeBest));
      for (let at = 0; at < uncovered.intervals.length; at += INTERVALS_MAX) {
        const part = new FieldWriter().count(INTERVALS);
        for (const { lower, end } of uncovered.intervals.slice(at, at + INTERVALS_MAX)) {
          part.uint64(lower).uint64(end - 1n);
        }
        items.push(part);
      }
    }
  }
  for (const [name, { digest, best, met }] of table.answered()) {
    const item = writeName(new FieldWriter().count(ANSWER), name);
    items.push(writeBest(item.text(digest), best).flag(met));
  }
  return joined(items.map(({ values }) => encodeCbor(values)));
}

/** A job while its intervals are read. */
interface JobItem {
  readonly name: JobName;
  readonly spec: SearchSpec;
  readonly done: bigint;
  readonly least: Candidate | undefined;
  readonly hit: Candidate | undefined;
  readonly uncovered: Interval[];
}

/**
 * The table that `bytes` say, which keeps `answersMax` answers. Throws an Error of one line when
 * they are no snapshot of this version, damaged ones included.
 */
export function tableFrom(bytes: Uint8Array, answersMax: number): JobTable {
  const items = separated(bytes);
  const version = FieldReader.of(decodeCbor(items.shift() ?? new Uint8Array()))?.count();
  if (version !== VERSION) {
    throw new Error(`Cannot read a table of version ${version}: expected version ${VERSION}`);
  }
  const jobs: JobItem[] = [];
  const answers: (readonly [JobName, KeptAnswer])[] = [];
  for (const [i, item] of items.entries()) {
    const fields = FieldReader.of(decodeCbor(item));
    const kind = fields?.count();
    if (fields !== undefined && kind === JOB) jobs.push(readJob(fields));
    else if (fields !== undefined && kind === ANSWER) answers.push(readAnswer(fields));
    else if (fields !== undefined && kind === INTERVALS) readIntervals(fields, jobs.at(-1));
    if (fields?.isGood !== true) throw new Error(`Cannot read item ${i + 2} of a table: malformed`);
  }
  const table = new JobTable(answersMax);
  for (const { name, spec, ...books } of jobs) table.putRecord(name, spec, books);
  for (const [name, answer] of answers) table.putAnswer(name, answer);
  return table;
}

function readJob(f: FieldReader): JobItem {
  const name = readName(f);
  const spec = f.array(readWork);
  const done = f.uint256();
  return {
    name,
    spec,
    done,
    least: f.optional(readBest),
    hit: f.optional(readBest),
    uncovered: [],
  };
}

function readIntervals(f: FieldReader, job: JobItem | undefined): void {
  while (f.hasMore) {
    const lower = f.uint64();
    const upper = f.uint64();
    if (job === undefined || lower > upper) f.reject();
    else job.uncovered.push({ lower, end: upper + 1n });
  }
}

function readAnswer(f: FieldReader): readonly [JobName, KeptAnswer] {
  return [readName(f), { digest: f.text(DIGEST_BYTES_MAX), best: readBest(f), met: f.flag() }];
}

function writeName(f: FieldWriter, { session, number }: JobName): FieldWriter {
  return f.uint256(session).count(number);
}

function readName(f: FieldReader): JobName {
  return { session: f.uint256(), number: f.count() };
}

function joined(items: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(items.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const item of items) {
    view.setUint32(at, item.length);
    bytes.set(item, at + LENGTH_BYTES);
    at += LENGTH_BYTES + item.length;
  }
  return bytes;
}

function separated(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const items: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = at + LENGTH_BYTES <= bytes.length ? view.getUint32(at) : Infinity;
    const end = at + LENGTH_BYTES + length;
    if (end > bytes.length) throw new Error(`Cannot read a table: cut off at byte ${at}`);
    items.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return items;
}
