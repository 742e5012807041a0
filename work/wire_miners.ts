/**
 * The CBOR form of the messages between miners and servers about nonces.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import {
  HELD_MAX,
  type Held,
  type Join,
  LABEL_BYTES_MAX,
  type Progress,
  REASON_BYTES_MAX,
} from "./messages.ts";
import { readBest, readFlatBest, readOptionalBest, writeBest, writeFlatBest } from "./wire_best.ts";
import { type Forms, readSome } from "./wire_jobs.ts";
import { readWork, writeWork } from "./wire_searches.ts";

type MinerKinds =
  | "join"
  | "assign"
  | "shrink"
  | "stop"
  | "progress"
  | "result"
  | "shrunk"
  | "stopped"
  | "hashing"
  | "resume"
  | "resumed";

export const MINER_FORMS: Forms<MinerKinds> = {
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
};

/** What a miner says of itself. */
type MinerFields = Pick<Join, "threads" | "rate" | "label">;

function writeMiner(f: FieldWriter, m: MinerFields): FieldWriter {
  return f.count(m.threads).rounded(m.rate).text(m.label);
}

function readMiner(f: FieldReader): MinerFields {
  return { threads: f.count(), rate: f.rounded(), label: f.text(LABEL_BYTES_MAX) };
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
