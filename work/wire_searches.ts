/**
 * The CBOR form of the messages between clients and servers about searches, and of a search itself.
 *
 * @module
 */
import { encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { sha256 } from "../base/sha256.ts";
import { MESSAGE_BYTES_MAX, REASON_BYTES_MAX } from "./messages.ts";
import { type SearchSpec, whyNoSearch } from "./subject.ts";
import { readBest, readOptionalBest, writeBest } from "./wire_best.ts";
import type { Forms } from "./wire_jobs.ts";

export type SearchKinds = "submit" | "cancel" | "status" | "answer" | "refused";

export const SEARCH_FORMS: Forms<SearchKinds> = {
  submit: {
    type: 16,
    write: (f, m) =>
      f
        .count(m.job)
        .uint64(m.session)
        .array((inner) => writeWork(inner, m.work))
        .flag(m.detached ?? false),
    read: (f) => ({
      kind: "submit",
      job: f.count(),
      session: f.uint64(),
      work: f.array(readWork),
      ...(f.flag() && { detached: true }),
    }),
  },
  cancel: {
    type: 17,
    write: (f, m) => f.count(m.job),
    read: (f) => ({ kind: "cancel", job: f.count() }),
  },
  status: {
    type: 18,
    write: (f, m) => {
      f.count(m.job).uint64(m.done).rounded(m.jobRate).rounded(m.fleetRate).count(m.miners);
      f.optional(m.best, writeBest);
    },
    read: (f) => ({
      kind: "status",
      job: f.count(),
      done: f.uint64(),
      jobRate: f.rounded(),
      fleetRate: f.rounded(),
      miners: f.count(),
      ...readOptionalBest(f),
    }),
  },
  answer: {
    type: 19,
    write: (f, m) => writeBest(f.count(m.job), m.best).flag(m.met),
    read: (f) => ({ kind: "answer", job: f.count(), best: readBest(f), met: f.flag() }),
  },
  refused: {
    type: 20,
    write: (f, m) => f.count(m.job).text(m.reason),
    read: (f) => ({ kind: "refused", job: f.count(), reason: f.text(REASON_BYTES_MAX) }),
  },
};

/** Numbers of the kinds of work. */
const SEARCH = 1;

/** A search: its kind, the subject, the range and perhaps a target. */
export function writeWork(
  f: FieldWriter,
  { subject, lower, upper, target }: SearchSpec,
): FieldWriter {
  f.count(SEARCH);
  if (typeof subject === "string") f.text(subject);
  else f.bytes(subject);
  f.uint64(lower).uint64(upper);
  return f.optional(target, (inner, value) => inner.uint256(value));
}

/** See {@link writeWork}. */
export function readWork(f: FieldReader): SearchSpec {
  if (f.count() !== SEARCH) f.reject();
  const subject = f.textOrBytes(MESSAGE_BYTES_MAX);
  const lower = f.uint64();
  const upper = f.uint64();
  const target = f.optional((inner) => inner.uint256());
  const spec = target === undefined ? { subject, lower, upper } : { subject, lower, upper, target };
  if (whyNoSearch(spec) !== undefined) f.reject();
  return spec;
}

/** A fingerprint of what is searched: equal for equal searches, and for no others. */
export function searchDigest(spec: SearchSpec): string {
  return sha256(encodeCbor(writeWork(new FieldWriter(), spec).values)).toHex();
}
