/**
 * Tables in map-reduce messages: byte strings with rows of one length. A size has 8 bytes, a hash
 * 32, a connection and an index 4, all big-endian.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import {
  HAVE_ROWS_MAX,
  type HaveRow,
  PARTS_ROWS_MAX,
  SOURCES_ROWS_MAX,
  SPLITS_ROWS_MAX,
  type WirePart,
  type WireSource,
} from "./mapreduce_messages.ts";

const SIZE_BYTES = 8;
const HASH_BYTES = 32;
const HOLDER_BYTES = 4;
const PART_ROW_BYTES = SIZE_BYTES + HASH_BYTES;
const SOURCE_ROW_BYTES = HOLDER_BYTES + PART_ROW_BYTES;
const INDEX_BYTES = 4;
/** What it is has a byte: 1 for a map, 2 for a result. */
const HAVE_ROW_BYTES = 1 + INDEX_BYTES + HASH_BYTES;

/** At most `most` bytes, and no text. */
export function bytesOf(f: FieldReader, most: number): Uint8Array {
  const bytes = f.textOrBytes(most);
  if (typeof bytes !== "string") return bytes;
  f.reject();
  return new Uint8Array();
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

export function writeSizes(f: FieldWriter, sizes: readonly number[]): FieldWriter {
  return writeRows(f, sizes, SIZE_BYTES, (view, at, value) => view.setBigUint64(at, BigInt(value)));
}

export function readSizes(f: FieldReader): number[] {
  return readRows(f, SPLITS_ROWS_MAX, SIZE_BYTES, (view, at) => sizeAt(f, view, at));
}

function writePart(view: DataView, at: number, part: WirePart, bytes: Uint8Array): void {
  view.setBigUint64(at, BigInt(part.bytes));
  bytes.set(Uint8Array.fromHex(part.hash), at + SIZE_BYTES);
}

export function writeParts(f: FieldWriter, parts: readonly WirePart[]): FieldWriter {
  return writeRows(f, parts, PART_ROW_BYTES, writePart);
}

function readPart(f: FieldReader, view: DataView, at: number, bytes: Uint8Array): WirePart {
  const hash = bytes.subarray(at + SIZE_BYTES, at + PART_ROW_BYTES).toHex();
  return { bytes: sizeAt(f, view, at), hash };
}

export function readParts(f: FieldReader): WirePart[] {
  return readRows(f, PARTS_ROWS_MAX, PART_ROW_BYTES, (view, at, bytes) =>
    readPart(f, view, at, bytes),
  );
}

export function writeSources(f: FieldWriter, sources: readonly WireSource[]): FieldWriter {
  return writeRows(f, sources, SOURCE_ROW_BYTES, (view, at, source, bytes) => {
    view.setUint32(at, source.holder);
    writePart(view, at + HOLDER_BYTES, source, bytes);
  });
}

export function readSources(f: FieldReader): WireSource[] {
  return readRows(f, SOURCES_ROWS_MAX, SOURCE_ROW_BYTES, (view, at, bytes) => ({
    holder: view.getUint32(at),
    ...readPart(f, view, at + HOLDER_BYTES, bytes),
  }));
}

export function writeHave(f: FieldWriter, rows: readonly HaveRow[]): FieldWriter {
  return writeRows(f, rows, HAVE_ROW_BYTES, (view, at, { isMap, index, isDone, hash }, bytes) => {
    view.setUint8(at, (isMap ? 1 : 0) + (isDone ? 2 : 0));
    view.setUint32(at + 1, index);
    if (isDone) bytes.set(Uint8Array.fromHex(hash), at + 1 + INDEX_BYTES);
  });
}

export function readHave(f: FieldReader): HaveRow[] {
  return readRows(f, HAVE_ROWS_MAX, HAVE_ROW_BYTES, (view, at, bytes) => {
    const what = view.getUint8(at);
    const [isMap, isDone] = [(what & 1) > 0, (what & 2) > 0];
    const hash = bytes.subarray(at + 1 + INDEX_BYTES, at + HAVE_ROW_BYTES).toHex();
    return { isMap, index: view.getUint32(at + 1), isDone, hash: isDone ? hash : "" };
  });
}

/** The one row that a table has to have. */
export function only<T>(f: FieldReader, rows: readonly T[], instead: T): T {
  if (rows.length !== 1) f.reject();
  return rows[0] ?? instead;
}
