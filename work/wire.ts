/**
 * The CBOR form of the messages, and the checks that every received one must pass.
 *
 * A message is a CBOR array: its type number, then its fields in the order of the interface. What
 * is optional is an array of none or one; a candidate is the array [hash, nonce].
 *
 * @module
 */
import { decodeCbor, encodeCbor, leadingCounts } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { sha256 } from "../base/sha256.ts";
import type { Form } from "./form.ts";
import { MAPREDUCE_FORMS } from "./mapreduce_wire.ts";
import {
  HELD_MAX,
  type Held,
  type Join,
  LABEL_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  REASON_BYTES_MAX,
  type Message,
  type Progress,
} from "./messages.ts";
import { type SearchSpec, whyNoSearch } from "./subject.ts";
import { type Forms, JOB_FORMS, readSome } from "./wire_jobs.ts";
import { readBest, readFlatBest, readOptionalBest, writeBest, writeFlatBest } from "./wire_best.ts";
import { SERVER_FORMS } from "./wire_servers.ts";

export { readBest, writeBest } from "./wire_best.ts";

const FORMS: Forms<Message["kind"]> = {
  join: {
    type: 1,
    write: (f, m) => writeMiner(f, m).text(m.name),
    read: (f) => ({ kind: "join", ...readMiner(f), name: f.text(LABEL_BYTES_MAX) }),
  },
  assign: {
    type: 2,
    write: (f, m) => {
      f.count(m.chunk)
        .array((inner) => writeWork(inner, m.work))
        .count(m.job ?? 0);
    },
    read: (f) => {
      const order = { kind: "assign", chunk: f.count(), work: f.array(readWork) } as const;
      const job = f.count();
      return job === 0 ? order : { ...order, job };
    },
  },
  shrink: {
    type: 3,
    write: (f, m) => f.count(m.chunk).uint64(m.upper),
    read: (f) => ({ kind: "shrink", chunk: f.count(), upper: f.uint64() }),
  },
  stop: {
    type: 4,
    write: (f, m) => f.count(m.chunk),
    read: (f) => ({ kind: "stop", chunk: f.count() }),
  },
  progress: {
    type: 5,
    write: writeProgress,
    read: (f) => ({ kind: "progress", ...readProgress(f) }),
  },
  result: {
    type: 6,
    write: (f, m) => writeBest(f.count(m.chunk), m.best),
    read: (f) => ({ kind: "result", chunk: f.count(), best: readBest(f) }),
  },
  shrunk: {
    type: 7,
    write: (f, m) => f.count(m.chunk).uint64(m.upper),
    read: (f) => ({ kind: "shrunk", chunk: f.count(), upper: f.uint64() }),
  },
  stopped: {
    type: 8,
    write: writeProgress,
    read: (f) => ({ kind: "stopped", ...readProgress(f) }),
  },
  hashing: {
    type: 9,
    write: (f, m) => writeMiner(f, m).text(m.reason),
    read: (f) => ({ kind: "hashing", ...readMiner(f), reason: f.text(REASON_BYTES_MAX) }),
  },
  resume: {
    type: 10,
    write: (f, m) => f.array((inner) => m.held.forEach((held) => writeHeld(inner, held))),
    read: (f) => ({
      kind: "resume",
      held: f.array((inner) => readSome(inner, HELD_MAX, readHeld)),
    }),
  },
  resumed: {
    type: 11,
    write: (f, m) => f.array((inner) => m.chunks.forEach((chunk) => inner.count(chunk))),
    read: (f) => ({
      kind: "resumed",
      chunks: f.array((inner) => readSome(inner, HELD_MAX, () => inner.count())),
    }),
  },
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
  ...MAPREDUCE_FORMS,
  ...JOB_FORMS,
  ...SERVER_FORMS,
};

const TYPE_MAX = 255;
const byType: (Form<Message> | undefined)[] = [];
const kinds: (Message["kind"] | undefined)[] = [];
for (const [kind, form] of Object.entries(FORMS)) {
  byType[form.type] = form as Form<Message>;
  kinds[form.type] = kind as Message["kind"];
}

/** The payload that says `message`. */
export function encodeMessage(message: Message): Uint8Array {
  const { type, write } = FORMS[message.kind] as Form<Message>;
  const fields = new FieldWriter().count(type);
  write(fields, message);
  return encodeCbor(fields.values);
}

/** The message that `payload` says, or, as a string, why it is none. Never throws. */
export function decodeMessage(payload: Uint8Array): Message | string {
  const fields = FieldReader.of(decodeCbor(payload));
  if (fields === undefined) return "not a plain CBOR array";
  const message = byType[fields.count(TYPE_MAX)]?.read(fields);
  if (message === undefined) return "unknown message type";
  return fields.isGood ? message : `malformed ${message.kind}`;
}

/**
 * What can be said of a payload that {@link decodeMessage} does not read: its kind, and the number
 * of the chunk or job behind it. So that a request which makes no sense can be answered.
 */
export function headOf(
  payload: Uint8Array,
): { readonly kind: Message["kind"]; readonly number: number } | undefined {
  const [type, number] = leadingCounts(payload, 2);
  const kind = type === undefined ? undefined : kinds[type];
  return kind === undefined || number === undefined ? undefined : { kind, number };
}

/** What a miner says of itself. */
type MinerFields = Pick<Join, "threads" | "rate" | "label">;

function writeMiner(f: FieldWriter, m: MinerFields): FieldWriter {
  return f.count(m.threads).rounded(m.rate).text(m.label);
}

function readMiner(f: FieldReader): MinerFields {
  return { threads: f.count(), rate: f.rounded(), label: f.text(LABEL_BYTES_MAX) };
}

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

/** How far a chunk is searched. */
type ProgressFields = Pick<Progress, "chunk" | "next" | "best">;

function writeProgress(f: FieldWriter, m: ProgressFields): void {
  f.count(m.chunk).uint64(m.next).optional(m.best, writeBest);
}

function readProgress(f: FieldReader): ProgressFields {
  return { chunk: f.count(), next: f.uint64(), ...readOptionalBest(f) };
}

function writeHeld(f: FieldWriter, { job, lower, upper, next, best }: Held): void {
  // `next` may lie behind the last nonce there is: how many are searched always fits, but for all.
  f.array((inner) => {
    writeFlatBest(inner.count(job).uint64(lower).uint64(upper).uint256(next), best);
  });
}

function readHeld(f: FieldReader): Held {
  return f.array((inner) => ({
    job: inner.count(),
    lower: inner.uint64(),
    upper: inner.uint64(),
    next: inner.uint256(),
    ...readFlatBest(inner),
  }));
}
