/**
 * How the appends of a log lie in a segment, byte by byte (docs/storage.md): a batch is what one
 * append wrote, an item of it is one store. Numbers in a batch's header are little-endian, all
 * others take seven bits a byte, the least first. Nothing here does I/O.
 *
 * Batches of the format before are read, and never written.
 *
 * @module
 */
import { putUint, uintBytes } from "../base/byte_fields.ts";
import { crc32c } from "../base/crc.ts";
import { invariant } from "../base/machine.ts";
import type { Store } from "../base/store.ts";

/** What a batch's header takes, and the number of its items, at most; of the last also a seal. */
export const BATCH_HEADER_BYTES = 32;

/** Batches begin at multiples of this. */
const ALIGNMENT = 8;
/** The header proper. */
const HEADER_BYTES = 24;
/** What a batch begins with has no zero byte. */
const BATCH_MAGIC = 0xb27c4a9e;
/** The same of the format before, whose headers and items had fixed sizes. */
const FORMER = { magic: 0xb17c4a9e, headerBytes: 32, itemHeaderBytes: 16 } as const;

/** `bytes` rounded up to where a batch may begin. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Numbers up to 2^53 - 1 take 8 bytes in headers: no reader has to ask how wide they are. */
export function putWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads what {@link putWide} wrote. */
export function takeWide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** Bytes that `store` takes up in a batch. */
export function itemBytes({ log, meta }: Store): number {
  const records = log?.records ?? [];
  const metaBytes = meta?.length ?? 0;
  let bytes = uintBytes(log?.at ?? 0) + uintBytes(records.length);
  bytes += uintBytes(meta === undefined ? 0 : metaBytes + 1) + metaBytes;
  for (const { length } of records) bytes += uintBytes(length) + length;
  return bytes;
}

/**
 * Writes one batch of `stores` at the beginning of `into`, padded with zeros to where the next may
 * begin. `into` must hold {@link BATCH_HEADER_BYTES} and all items, aligned. Gives the length.
 */
export function encodeBatch(
  into: Uint8Array,
  stores: readonly Store[],
  sequence: number,
  salt: number,
): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  let at = putUint(into, HEADER_BYTES, stores.length);
  for (const store of stores) at = encodeItem(into, at, store);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint32(8, at, true);
  view.setUint32(12, crc32c(into, HEADER_BYTES, at, salt), true);
  putWide(view, 16, sequence);
  view.setUint32(4, crc32c(into, 8, HEADER_BYTES, salt), true);
  const end = aligned(at);
  into.fill(0, at, end);
  return end;
}

function encodeItem(into: Uint8Array, start: number, { log, meta }: Store): number {
  const records = log?.records ?? [];
  let at = putUint(into, start, log?.at ?? 0);
  at = putUint(into, at, records.length);
  at = putUint(into, at, meta === undefined ? 0 : meta.length + 1);
  for (const record of records) at = putUint(into, at, record.length);
  if (meta !== undefined) {
    into.set(meta, at);
    at += meta.length;
  }
  for (const record of records) {
    into.set(record, at);
    at += record.length;
  }
  return at;
}

/** A batch that was found whole. */
export interface FoundBatch {
  readonly start: number;
  /** Where the next one may begin. */
  readonly end: number;
  readonly sequence: number;
  /** Of the format before. */
  readonly isFormer: boolean;
}

/**
 * The batch at `start` of a segment, if there is a whole one with a `sequence` of at least that.
 * The header has a checksum of its own, so that bytes that only look like headers, in a record that
 * a stranger made, cost no look at all that they claim to be a batch of.
 */
export function findBatch(
  segment: Uint8Array,
  view: DataView,
  start: number,
  salt: number,
  sequenceMin: number,
): FoundBatch | undefined {
  if (start + BATCH_HEADER_BYTES > segment.length) return undefined;
  const magic = view.getUint32(start, true);
  const isFormer = magic === FORMER.magic;
  if (!isFormer && magic !== BATCH_MAGIC) return undefined;
  const headerBytes = isFormer ? FORMER.headerBytes : HEADER_BYTES;
  const length = view.getUint32(start + 8, true);
  if (length < headerBytes || start + length > segment.length) return undefined;
  const sequence = takeWide(view, start + 16);
  if (sequence < sequenceMin) return undefined;
  const body = start + headerBytes;
  if (crc32c(segment, start + 8, body, salt) !== view.getUint32(start + 4, true)) return undefined;
  const checksum = crc32c(segment, body, start + length, salt);
  if (checksum !== view.getUint32(start + (isFormer ? 24 : 12), true)) return undefined;
  return { start, end: aligned(start + length), sequence, isFormer };
}

/** Told of what a batch holds, in order. Offsets are into the segment. */
export interface ItemVisitor {
  meta(start: number, length: number): void;
  /** From index `at` on, the log is what `record` is called with next. */
  log(at: number): void;
  record(start: number, length: number): void;
}

/** Where numbers are read from. */
interface Cursor {
  readonly segment: Uint8Array;
  at: number;
}

function takeNumber(cursor: Cursor): number {
  let value = 0;
  for (let unit = 1; ; unit *= 0x80) {
    const byte = cursor.segment[cursor.at++]!;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) return value;
  }
}

/** Walks through a batch whose checksum is right: what does not fit now is our own mistake. */
export function visitItems(
  segment: Uint8Array,
  view: DataView,
  batch: FoundBatch,
  visitor: ItemVisitor,
): void {
  if (batch.isFormer) return visitFormer(view, batch, visitor);
  const cursor = { segment, at: batch.start + HEADER_BYTES };
  const lengths: Cursor = { segment, at: 0 };
  for (let items = takeNumber(cursor); items > 0; items--) {
    const logAt = takeNumber(cursor);
    const count = takeNumber(cursor);
    const metaLength = takeNumber(cursor) - 1;
    lengths.at = cursor.at;
    for (let i = 0; i < count; i++) takeNumber(cursor);
    let { at } = cursor;
    if (metaLength >= 0) {
      visitor.meta(at, metaLength);
      at += metaLength;
    }
    if (logAt > 0) visitor.log(logAt);
    for (let i = 0; i < count; i++) {
      const length = takeNumber(lengths);
      visitor.record(at, length);
      at += length;
    }
    cursor.at = at;
  }
  invariant(aligned(cursor.at) === batch.end, "a batch ends where its items do");
}

function visitFormer(view: DataView, batch: FoundBatch, visitor: ItemVisitor): void {
  let at: number = batch.start + FORMER.headerBytes;
  for (let items = view.getUint32(batch.start + 12, true); items > 0; items--) {
    const logAt = takeWide(view, at);
    const count = view.getUint32(at + 8, true);
    const metaLength = view.getUint32(at + 12, true) - 1;
    const lengths = at + FORMER.itemHeaderBytes;
    at = lengths + 4 * count;
    if (metaLength >= 0) {
      visitor.meta(at, metaLength);
      at += metaLength;
    }
    if (logAt > 0) visitor.log(logAt);
    for (let i = 0; i < count; i++) {
      const length = view.getUint32(lengths + 4 * i, true);
      visitor.record(at, length);
      at += length;
    }
  }
  invariant(aligned(at) === batch.end, "a batch ends where its items do");
}

/**
 * The first whole batch that begins in [start, end) and has a `sequence` of at least that: it
 * proves that what lies at `start` is not the last that was written.
 */
export function laterBatch(
  segment: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  salt: number,
  sequenceMin: number,
): FoundBatch | undefined {
  for (let at = start; at < end; at += ALIGNMENT) {
    const found = findBatch(segment, view, at, salt, sequenceMin);
    if (found !== undefined) return found;
  }
  return undefined;
}
