/**
 * The job table as bytes, and back: what a restart, a copy or a newly elected leader begins with.
 *
 * A snapshot is a sequence of items (server/items.ts). The first is [version, time, submits]; then
 * every job without an answer is [1, session, number, work, done, least, hit, id, seq, submitted,
 * detached] and after it its uncovered intervals, as many as fit an item: [2, lower, upper, lower,
 * upper ...]; then every kept answer is [3, session, number, digest, best, met, id, shown, lower,
 * upper, target, submitted, answered, fetched]; then every row of another kind of work is [4,
 * group, row, bytes] (server/rows.ts). Times are Unix times in milliseconds.
 *
 * Version 1 had neither times nor ids, and of an answer not what was asked. It is read all the
 * same: its ids are made anew, its times begin when it is first used. A table without rows is of
 * version 2, which had none: older servers can read it.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Candidate } from "../work/candidate.ts";
import { HEADER_BYTES } from "../work/hash.ts";
import type { Interval } from "../work/interval_set.ts";
import { idFor } from "../work/job_id.ts";
import { SUBJECT_SHOWN_BYTES } from "../work/messages.ts";
import type { SearchSpec } from "../work/subject.ts";
import { readBest, writeBest } from "../work/wire_best.ts";
import { readWork, writeWork } from "../work/wire_searches.ts";
import { joined, readName, separated, writeName } from "./items.ts";
import { ROW_BYTES_MAX, ROW_NAME_BYTES_MAX, type RowChange } from "./rows.ts";
import { type JobName, JobTable, type KeptAnswer, SearchRecord } from "./table.ts";

/** Version of the format. */
const VERSION = 3;
const ROWLESS_VERSION = 2;
const FIRST_VERSION = 1;
const JOB = 1;
const INTERVALS = 2;
const ANSWER = 3;
const ROW = 4;
/** Intervals of one item: two numbers each, well below the items that a CBOR array may have. */
const INTERVALS_MAX = 100;
const DIGEST_BYTES_MAX = 64;
/** A header in hexadecimal is longer than the beginning of a message. */
const SHOWN_BYTES_MAX = Math.max(SUBJECT_SHOWN_BYTES, 2 * HEADER_BYTES);

/** The whole table. */
export function snapshotOfTable(table: JobTable): Uint8Array {
  const rows = [...table.rows.all()];
  const version = rows.length > 0 ? VERSION : ROWLESS_VERSION;
  const items = [new FieldWriter().count(version).uint64(BigInt(table.timeMs))];
  items[0]!.count(table.submits);
  // In an order that does not depend on what a table went through: equal tables are equal bytes.
  const sessions = [...table.sessions];
  const records = sessions.flatMap(([, session]) => [...session.records.values()]);
  for (const record of records.sort((a, b) => a.seq - b.seq)) items.push(...itemsOf(record));
  const answered = sessions.flatMap(([session, { answers }]) =>
    [...answers].map(([number, answer]) => ({ session, number, answer })),
  );
  answered.sort((a, b) => a.answer.id - b.answer.id);
  for (const { answer, ...name } of answered) items.push(itemOf(name, answer));
  for (const { group, row, bytes } of rows) {
    items.push(new FieldWriter().count(ROW).text(group).text(row).bytes(bytes));
  }
  return joined(items.map(({ values }) => encodeCbor(values)));
}

function itemOf(name: JobName, answer: KeptAnswer): FieldWriter {
  const { digest, best, met, id, shown, lower, upper, target } = answer;
  const item = writeName(new FieldWriter().count(ANSWER), name);
  writeBest(item.text(digest), best).flag(met).count(id).text(shown).uint64(lower).uint64(upper);
  item.optional(target, (inner, value) => inner.uint256(value));
  for (const timeMs of [answer.submittedMs, answer.answeredMs, answer.fetchedMs]) {
    item.uint64(BigInt(timeMs));
  }
  return item;
}

function itemsOf(record: SearchRecord): FieldWriter[] {
  const { name, spec, done, least, hit, uncovered, id, seq, submittedMs, detached } = record;
  const item = writeName(new FieldWriter().count(JOB), name);
  item.array((inner) => void writeWork(inner, spec));
  item.uint256(done).optional(least, writeBest).optional(hit, writeBest);
  const items = [item.count(id).count(seq).uint64(BigInt(submittedMs)).flag(detached)];
  for (let at = 0; at < uncovered.intervals.length; at += INTERVALS_MAX) {
    const part = new FieldWriter().count(INTERVALS);
    for (const { lower, end } of uncovered.intervals.slice(at, at + INTERVALS_MAX)) {
      part.uint64(lower).uint64(end - 1n);
    }
    items.push(part);
  }
  return items;
}

/** A job while its intervals are read. */
interface JobItem {
  readonly record: SearchRecord;
  readonly done: bigint;
  readonly least: Candidate | undefined;
  readonly hit: Candidate | undefined;
  readonly uncovered: Interval[];
}

/**
 * The table that `bytes` say. Throws an Error of one line when they are no snapshot of a version
 * that is known here, damaged ones included.
 */
export function tableFrom(bytes: Uint8Array): JobTable {
  const items = separated(bytes);
  const head = FieldReader.of(decodeCbor(items.shift() ?? new Uint8Array()));
  const version = head?.count();
  if (head === undefined || version === undefined || version < FIRST_VERSION || version > VERSION) {
    const known = `expected version ${VERSION}`;
    throw new Error(`Cannot read a table of version ${version}: ${known}`);
  }
  const isFirst = version === FIRST_VERSION;
  const taken = new Set<number>();
  const newId = (name: JobName): number => {
    const id = idFor(name, (each) => taken.has(each));
    taken.add(id);
    return id;
  };
  const timeMs = isFirst ? 0 : head.rounded();
  const submits = isFirst ? items.length : head.count();
  const jobs: JobItem[] = [];
  const answers: (readonly [JobName, KeptAnswer])[] = [];
  const rows: RowChange[] = [];
  for (const [i, item] of items.entries()) {
    const fields = FieldReader.of(decodeCbor(item));
    const kind = fields?.count();
    if (fields === undefined) head.reject();
    else if (kind === JOB) jobs.push(readJob(fields, isFirst ? newId : undefined));
    else if (kind === ANSWER) answers.push(readAnswer(fields, isFirst ? newId : undefined));
    else if (kind === INTERVALS) readIntervals(fields, jobs.at(-1));
    else if (kind === ROW) rows.push(readRow(fields));
    if (fields?.isGood !== true) throw new Error(`Cannot read item ${i + 2} of a table: malformed`);
  }
  const table = new JobTable();
  table.timeMs = timeMs;
  table.submits = submits;
  for (const { record, ...books } of jobs) {
    record.restore(books);
    table.putRecord(record);
  }
  for (const [name, answer] of answers) table.putAnswer(name, answer);
  for (const row of rows) table.rows.change(row);
  return table;
}

type NewId = ((name: JobName) => number) | undefined;

function readJob(f: FieldReader, newId: NewId): JobItem {
  const name = readName(f);
  const spec: SearchSpec = f.array(readWork);
  const done = f.uint256();
  const [least, hit] = [f.optional(readBest), f.optional(readBest)];
  const id = newId?.(name) ?? f.count();
  const about =
    newId === undefined ? { seq: f.count(), submittedMs: f.rounded(), detached: f.flag() } : {};
  return {
    record: new SearchRecord(name, spec, { id, ...about }),
    done,
    least,
    hit,
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

function readRow(f: FieldReader): RowChange {
  const [group, row] = [f.text(ROW_NAME_BYTES_MAX), f.text(ROW_NAME_BYTES_MAX)];
  return { group, row, bytes: f.bytes(ROW_BYTES_MAX).slice() };
}

function readAnswer(f: FieldReader, newId: NewId): readonly [JobName, KeptAnswer] {
  const name = readName(f);
  const found = { digest: f.text(DIGEST_BYTES_MAX), best: readBest(f), met: f.flag() };
  if (newId !== undefined) {
    const asked = { shown: "", lower: 0n, upper: 0n, target: undefined };
    const times = { submittedMs: 0, answeredMs: 0, fetchedMs: 0 };
    return [name, { ...found, id: newId(name), ...asked, ...times }];
  }
  const asked = { id: f.count(), shown: f.text(SHOWN_BYTES_MAX) };
  const range = { lower: f.uint64(), upper: f.uint64() };
  const target = f.optional((inner) => inner.uint256());
  const times = { submittedMs: f.rounded(), answeredMs: f.rounded(), fetchedMs: f.rounded() };
  return [name, { ...found, ...asked, ...range, target, ...times }];
}
