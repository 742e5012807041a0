/**
 * The CBOR form of the messages about jobs that outlive connections: accepted, found again, listed,
 * ended.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Form } from "./form.ts";
import { HEADER_BYTES } from "./hash.ts";
import { type JobRow, type Message, ROWS_MAX, SUBJECT_SHOWN_BYTES } from "./messages.ts";
import { readFlatBest, writeFlatBest } from "./wire_best.ts";

/** The forms of some kinds. */
export type Forms<K extends Message["kind"]> = {
  readonly [Each in K]: Form<Extract<Message, { kind: Each }>>;
};

const SHOWN_BYTES_MAX = Math.max(SUBJECT_SHOWN_BYTES, 2 * HEADER_BYTES);

export type JobKinds = "accepted" | "attach" | "fetched" | "list" | "jobs" | "end" | "ended";

export const JOB_FORMS: Forms<JobKinds> = {
  accepted: {
    type: 21,
    write: (f, m) => f.count(m.job).count(m.id).flag(m.durable),
    read: (f) => ({ kind: "accepted", job: f.count(), id: f.count(), durable: f.flag() }),
  },
  attach: {
    type: 22,
    write: (f, m) => f.count(m.job).uint64(m.session).count(m.id),
    read: (f) => ({ kind: "attach", job: f.count(), session: f.uint64(), id: f.count() }),
  },
  fetched: {
    type: 23,
    write: (f, m) => f.count(m.job),
    read: (f) => ({ kind: "fetched", job: f.count() }),
  },
  list: {
    type: 24,
    write: (f, m) => f.count(m.job).count(m.from).count(m.most),
    read: (f) => ({ kind: "list", job: f.count(), from: f.count(), most: f.count() }),
  },
  jobs: {
    type: 25,
    write: (f, m) => f.count(m.job).array((inner) => m.rows.forEach((row) => writeRow(inner, row))),
    read: (f) => ({
      kind: "jobs",
      job: f.count(),
      rows: f.array((inner) => readSome(inner, ROWS_MAX, readRow)),
    }),
  },
  end: {
    type: 26,
    write: (f, m) =>
      f
        .count(m.job)
        .count(m.id)
        .flag(m.what === "forget"),
    read: (f) => ({
      kind: "end",
      job: f.count(),
      id: f.count(),
      what: f.flag() ? "forget" : "cancel",
    }),
  },
  ended: {
    type: 27,
    write: (f, m) => f.count(m.job),
    read: (f) => ({ kind: "ended", job: f.count() }),
  },
};

/** Up to `most` of what `read` reads; more are no good. */
export function readSome<T>(f: FieldReader, most: number, read: (f: FieldReader) => T): T[] {
  const all: T[] = [];
  while (f.hasMore) {
    if (all.length === most) f.reject();
    else all.push(read(f));
  }
  return all;
}

function writeRow(f: FieldWriter, row: JobRow): void {
  f.array((inner) => {
    inner.count(row.id).text(row.shown).uint64(row.lower).uint64(row.upper);
    inner.optional(row.target, (target, value) => target.uint256(value));
    writeFlatBest(inner.uint256(row.done), row.best);
    inner.optional(row.met, (met, value) => met.flag(value));
    for (const timeMs of [row.submittedMs, row.answeredMs, row.fetchedMs]) {
      inner.uint64(BigInt(timeMs));
    }
  });
}

function readRow(f: FieldReader): JobRow {
  return f.array((inner) => {
    const asked = { id: inner.count(), shown: inner.text(SHOWN_BYTES_MAX) };
    const range = { lower: inner.uint64(), upper: inner.uint64() };
    const target = inner.optional((field) => field.uint256());
    const done = inner.uint256();
    const best = readFlatBest(inner);
    const met = inner.optional((field) => field.flag());
    return {
      ...asked,
      ...range,
      ...(target !== undefined && { target }),
      done,
      ...best,
      ...(met !== undefined && { met }),
      submittedMs: inner.rounded(),
      answeredMs: inner.rounded(),
      fetchedMs: inner.rounded(),
    };
  });
}
