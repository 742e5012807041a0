/**
 * The CBOR form of map-reduce messages. Tables are byte strings with rows of one length: a size has
 * 8 bytes, a hash 32, a connection 4, all big-endian.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Form } from "./form.ts";
import {
  APPLICATION_BYTES_MAX,
  type EndReason,
  type Item,
  type JobTerms,
  type MapReduceMessage,
  PARTS_ROWS_MAX,
  PIECE_BYTES_MAX,
  SOURCES_ROWS_MAX,
  SPLITS_ROWS_MAX,
  TROUBLE_BYTES_MAX,
  type WirePart,
  type WireSource,
} from "./mapreduce_messages.ts";

const SIZE_BYTES = 8;
const HASH_BYTES = 32;
const HOLDER_BYTES = 4;
const PART_ROW_BYTES = SIZE_BYTES + HASH_BYTES;
const SOURCE_ROW_BYTES = HOLDER_BYTES + PART_ROW_BYTES;

const REASONS: readonly EndReason[] = ["stopped", "threw", "died", "missing", "declined"];

/** The forms by kind; numbers from 32 on. */
export const MAPREDUCE_FORMS: {
  readonly [K in MapReduceMessage["kind"]]: Form<Extract<MapReduceMessage, { kind: K }>>;
} = {
  "mr-submit": {
    type: 32,
    write: (f, m) => writeTerms(f.count(m.job), m.terms).count(m.maps),
    read: (f) => ({ kind: "mr-submit", job: f.count(), terms: readTerms(f), maps: f.count() }),
  },
  "mr-splits": {
    type: 33,
    write: (f, m) => writeSizes(f.count(m.job).count(m.first), m.sizes),
    read: (f) => ({ kind: "mr-splits", job: f.count(), first: f.count(), sizes: readSizes(f) }),
  },
  "mr-final": {
    type: 34,
    write: (f, m) => f.count(m.job).count(m.reduce).flag(m.good),
    read: (f) => ({ kind: "mr-final", job: f.count(), reduce: f.count(), good: f.flag() }),
  },
  "mr-status": {
    type: 35,
    write: (f, m) => {
      f.count(m.job).count(m.mapsDone).count(m.reducesDone).uint64(BigInt(m.bytesDone));
      f.count(m.failures).count(m.workers);
    },
    read: (f) => ({
      kind: "mr-status",
      job: f.count(),
      mapsDone: f.count(),
      reducesDone: f.count(),
      bytesDone: size(f),
      failures: f.count(),
      workers: f.count(),
    }),
  },
  "mr-output": {
    type: 36,
    write: (f, m) => writeSources(f.count(m.job).count(m.reduce), [m.source]),
    read: (f) => ({
      kind: "mr-output",
      job: f.count(),
      reduce: f.count(),
      source: only(f, readSources(f), NO_SOURCE),
    }),
  },
  "mr-done": {
    type: 37,
    write: (f, m) => f.count(m.job),
    read: (f) => ({ kind: "mr-done", job: f.count() }),
  },
  "mr-failed": {
    type: 38,
    write: (f, m) => f.count(m.job).text(m.reason),
    read: (f) => ({ kind: "mr-failed", job: f.count(), reason: f.text(TROUBLE_BYTES_MAX) }),
  },
  "mr-note": {
    type: 39,
    write: (f, m) => f.count(m.job).text(m.text),
    read: (f) => ({ kind: "mr-note", job: f.count(), text: f.text(TROUBLE_BYTES_MAX) }),
  },
  "mr-offer": {
    type: 40,
    write: (f, m) => f.flag(m.code),
    read: (f) => ({ kind: "mr-offer", code: f.flag() }),
  },
  "mr-progress": {
    type: 41,
    write: (f, m) => f.count(m.task).uint64(BigInt(m.bytes)).flag(m.runs),
    read: (f) => ({ kind: "mr-progress", task: f.count(), bytes: size(f), runs: f.flag() }),
  },
  "mr-mapped": {
    type: 42,
    write: (f, m) => writeParts(f.count(m.task), m.parts).text(m.note),
    read: (f) => ({
      kind: "mr-mapped",
      task: f.count(),
      parts: readParts(f),
      note: f.text(TROUBLE_BYTES_MAX),
    }),
  },
  "mr-reduced": {
    type: 43,
    write: (f, m) => writeParts(f.count(m.task), [m.output]).text(m.note),
    read: (f) => ({
      kind: "mr-reduced",
      task: f.count(),
      output: only(f, readParts(f), NO_SOURCE),
      note: f.text(TROUBLE_BYTES_MAX),
    }),
  },
  "mr-ended": {
    type: 44,
    write: (f, m) =>
      f.count(m.task).count(REASONS.indexOf(m.why)).text(m.text).count(m.map).count(m.holder),
    read: (f) => ({
      kind: "mr-ended",
      task: f.count(),
      why: REASONS[f.count(REASONS.length - 1)]!,
      text: f.text(TROUBLE_BYTES_MAX),
      map: f.count(),
      holder: f.count(),
    }),
  },
  "mr-map": {
    type: 45,
    write: (f, m) => {
      writeTerms(f.count(m.task).count(m.uid), m.terms);
      f.count(m.index).uint64(BigInt(m.bytes)).count(m.holder);
    },
    read: (f) => ({
      kind: "mr-map",
      task: f.count(),
      uid: f.count(),
      terms: readTerms(f),
      index: f.count(),
      bytes: size(f),
      holder: f.count(),
    }),
  },
  "mr-reduce": {
    type: 46,
    write: (f, m) => {
      writeTerms(f.count(m.task).count(m.uid), m.terms);
      f.count(m.index).count(m.maps).count(m.holder);
    },
    read: (f) => ({
      kind: "mr-reduce",
      task: f.count(),
      uid: f.count(),
      terms: readTerms(f),
      index: f.count(),
      maps: f.count(),
      holder: f.count(),
    }),
  },
  "mr-sources": {
    type: 47,
    write: (f, m) => writeSources(f.count(m.task).count(m.first), m.sources),
    read: (f) => ({
      kind: "mr-sources",
      task: f.count(),
      first: f.count(),
      sources: readSources(f),
    }),
  },
  "mr-forget": {
    type: 48,
    write: (f, m) => f.count(m.uid),
    read: (f) => ({ kind: "mr-forget", uid: f.count() }),
  },
  "mr-get": {
    type: 49,
    write: (f, m) => {
      writeItem(f.count(m.id).count(m.holder).count(m.job), m.item);
      f.uint64(BigInt(m.offset)).count(m.length);
    },
    read: (f) => ({
      kind: "mr-get",
      id: f.count(),
      holder: f.count(),
      job: f.count(),
      item: readItem(f),
      offset: size(f),
      length: f.count(PIECE_BYTES_MAX),
    }),
  },
  "mr-asked": {
    type: 50,
    write: (f, m) => {
      writeItem(f.count(m.id).count(m.job), m.item).uint64(BigInt(m.offset)).count(m.length);
    },
    read: (f) => ({
      kind: "mr-asked",
      id: f.count(),
      job: f.count(),
      item: readItem(f),
      offset: size(f),
      length: f.count(PIECE_BYTES_MAX),
    }),
  },
  "mr-piece": {
    type: 51,
    write: (f, m) => f.count(m.id).flag(m.found).bytes(m.bytes),
    read: (f) => ({ kind: "mr-piece", id: f.count(), found: f.flag(), bytes: readPiece(f) }),
  },
};

/** A size that a double holds. */
function size(f: FieldReader): number {
  const value = f.rounded();
  if (value > Number.MAX_SAFE_INTEGER) f.reject();
  return value;
}

function readPiece(f: FieldReader): Uint8Array {
  return bytesOf(f, PIECE_BYTES_MAX);
}

function bytesOf(f: FieldReader, most: number): Uint8Array {
  const bytes = f.textOrBytes(most);
  if (typeof bytes !== "string") return bytes;
  f.reject();
  return new Uint8Array();
}

function writeTerms(f: FieldWriter, terms: JobTerms): FieldWriter {
  return f.array((inner) => {
    inner.text(terms.application).count(terms.reducers).flag(terms.skipBad).flag(terms.asRecords);
    inner.count(terms.sortMib).count(terms.timeoutMs).count(terms.memoryMib);
  });
}

function readTerms(f: FieldReader): JobTerms {
  return f.array((inner) => ({
    application: inner.text(APPLICATION_BYTES_MAX),
    reducers: inner.count(PARTS_ROWS_MAX),
    skipBad: inner.flag(),
    asRecords: inner.flag(),
    sortMib: inner.count(),
    timeoutMs: inner.count(),
    memoryMib: inner.count(),
  }));
}

const ITEMS = ["about", "split", "code", "part", "output"] as const;

function writeItem(f: FieldWriter, item: Item): FieldWriter {
  return f.array((inner) => {
    inner.count(ITEMS.indexOf(item.kind));
    if (item.kind !== "code") inner.count(item.index);
    if (item.kind === "part") inner.count(item.reduce);
  });
}

function readItem(f: FieldReader): Item {
  return f.array((inner) => {
    const kind = ITEMS[inner.count(ITEMS.length - 1)]!;
    if (kind === "code") return { kind };
    const index = inner.count();
    return kind === "part" ? { kind, index, reduce: inner.count() } : { kind, index };
  });
}

/** Rows of `rowBytes` each as a table. */
function writeRows<T>(
  f: FieldWriter,
  rows: readonly T[],
  rowBytes: number,
  write: (view: DataView, at: number, row: T, bytes: Uint8Array) => void,
): FieldWriter {
  const bytes = new Uint8Array(rows.length * rowBytes);
  const view = new DataView(bytes.buffer);
  for (const [i, row] of rows.entries()) write(view, i * rowBytes, row, bytes);
  return f.bytes(bytes);
}

function readRows<T>(
  f: FieldReader,
  most: number,
  rowBytes: number,
  read: (view: DataView, at: number, bytes: Uint8Array) => T,
): T[] {
  const bytes = bytesOf(f, most * rowBytes);
  if (bytes.length % rowBytes !== 0) f.reject();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rows = Math.floor(bytes.length / rowBytes);
  return Array.from({ length: rows }, (_, i) => read(view, i * rowBytes, bytes));
}

/** A size in a table; one beyond what a double holds is no good. */
function sizeAt(f: FieldReader, view: DataView, at: number): number {
  const value = Number(view.getBigUint64(at));
  if (value > Number.MAX_SAFE_INTEGER) f.reject();
  return value;
}

function writeSizes(f: FieldWriter, sizes: readonly number[]): FieldWriter {
  return writeRows(f, sizes, SIZE_BYTES, (view, at, value) => view.setBigUint64(at, BigInt(value)));
}

function readSizes(f: FieldReader): number[] {
  return readRows(f, SPLITS_ROWS_MAX, SIZE_BYTES, (view, at) => sizeAt(f, view, at));
}

function writePart(view: DataView, at: number, part: WirePart, bytes: Uint8Array): void {
  view.setBigUint64(at, BigInt(part.bytes));
  bytes.set(Uint8Array.fromHex(part.hash), at + SIZE_BYTES);
}

function writeParts(f: FieldWriter, parts: readonly WirePart[]): FieldWriter {
  return writeRows(f, parts, PART_ROW_BYTES, writePart);
}

function readPart(f: FieldReader, view: DataView, at: number, bytes: Uint8Array): WirePart {
  const hash = bytes.subarray(at + SIZE_BYTES, at + PART_ROW_BYTES).toHex();
  return { bytes: sizeAt(f, view, at), hash };
}

function readParts(f: FieldReader): WirePart[] {
  return readRows(f, PARTS_ROWS_MAX, PART_ROW_BYTES, (view, at, bytes) =>
    readPart(f, view, at, bytes),
  );
}

function writeSources(f: FieldWriter, sources: readonly WireSource[]): FieldWriter {
  return writeRows(f, sources, SOURCE_ROW_BYTES, (view, at, source, bytes) => {
    view.setUint32(at, source.holder);
    writePart(view, at + HOLDER_BYTES, source, bytes);
  });
}

function readSources(f: FieldReader): WireSource[] {
  return readRows(f, SOURCES_ROWS_MAX, SOURCE_ROW_BYTES, (view, at, bytes) => ({
    holder: view.getUint32(at),
    ...readPart(f, view, at + HOLDER_BYTES, bytes),
  }));
}

const NO_SOURCE: WireSource = { holder: 0, bytes: 0, hash: "" };

/** The one row that a table has to have. */
function only<T>(f: FieldReader, rows: readonly T[], instead: T): T {
  if (rows.length !== 1) f.reject();
  return rows[0] ?? instead;
}
