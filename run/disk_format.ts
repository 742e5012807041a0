/**
 * How a log lies in its files, byte by byte (docs/storage.md): a segment is a header and batches, a
 * batch is what one append wrote. Numbers are little-endian. Nothing here does I/O.
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";
import { invariant } from "../base/machine.ts";
import { META_BYTES_MAX, type Store } from "../base/store.ts";

/** Version of all formats in a directory. */
export const FORMAT_VERSION = 1;

/** Bytes of a segment's header, without the metadata that follows it. */
export const SEGMENT_HEADER_BYTES = 64;
/** Bytes of a batch's header, and of what precedes the records of each item in it. */
export const BATCH_HEADER_BYTES = 32;
export const ITEM_HEADER_BYTES = 16;
/** Bytes at the end of a snapshot file, behind its content. */
export const SNAPSHOT_FOOTER_BYTES = 64;

/** Batches begin at multiples of this. */
const ALIGNMENT = 8;
/** "mlodelog" and "mlodesna" in ASCII; what a batch begins with has no zero byte either. */
const SEGMENT_MAGIC = [0x646f6c6d, 0x676f6c65] as const;
const SNAPSHOT_MAGIC = [0x646f6c6d, 0x616e7365] as const;
const BATCH_MAGIC = 0xb17c4a9e;

/** `bytes` rounded up to where a batch may begin. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Numbers up to 2^53 - 1 take 8 bytes, so that no reader has to ask how wide they are. */
function putWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

function takeWide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

// ---- segments

/** What a segment says of itself. */
export interface SegmentHeader {
  /** Segments are numbered from 1 in the order of their making. */
  readonly number: number;
  /** Bytes of the file. */
  readonly size: number;
  /** Sequence number of the first batch in it. */
  readonly firstBatch: number;
  /** Index that the next record had when the segment was begun. */
  readonly next: number;
  /** What every batch's checksum begins with: drawn anew for each segment. */
  readonly salt: number;
  /** The metadata when the segment was begun. */
  readonly meta: Uint8Array | undefined;
}

/** Where the first batch begins behind a header with `meta`. */
export function headerBytes(meta: Uint8Array | undefined): number {
  return aligned(SEGMENT_HEADER_BYTES + (meta?.length ?? 0));
}

/** The header as it is written. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { meta } = header;
  const bytes = new Uint8Array(headerBytes(meta));
  const view = viewOf(bytes);
  view.setUint32(0, SEGMENT_MAGIC[0], true);
  view.setUint32(4, SEGMENT_MAGIC[1], true);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(16, bytes.length, true);
  view.setUint32(20, meta === undefined ? 0 : meta.length + 1, true);
  putWide(view, 24, header.number);
  putWide(view, 32, header.firstBatch);
  putWide(view, 40, header.next);
  putWide(view, 48, header.size);
  view.setUint32(56, header.salt, true);
  if (meta !== undefined) bytes.set(meta, SEGMENT_HEADER_BYTES);
  view.setUint32(12, checksumAround(bytes, 12, 0), true);
  return bytes;
}

/** The header at the beginning of a segment, or in a few words why there is none. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | string {
  if (bytes.length < SEGMENT_HEADER_BYTES) return "it is too short for a header";
  const view = viewOf(bytes);
  const isSegment =
    view.getUint32(0, true) === SEGMENT_MAGIC[0] && view.getUint32(4, true) === SEGMENT_MAGIC[1];
  if (!isSegment) return "it does not begin as a segment does";
  const version = view.getUint32(8, true);
  if (version !== FORMAT_VERSION) return `it has format ${version}, known is ${FORMAT_VERSION}`;
  const length = view.getUint32(16, true);
  if (length < SEGMENT_HEADER_BYTES || length > bytes.length) return "its header has no end";
  const header = bytes.subarray(0, length);
  if (checksumAround(header, 12, 0) !== view.getUint32(12, true)) {
    return "the checksum of its header is wrong";
  }
  const metaLength = view.getUint32(20, true) - 1;
  const meta = header.slice(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + metaLength);
  return {
    number: takeWide(view, 24),
    firstBatch: takeWide(view, 32),
    next: takeWide(view, 40),
    size: takeWide(view, 48),
    salt: view.getUint32(56, true),
    meta: metaLength < 0 ? undefined : meta,
  };
}

/** The checksum of `bytes` without the four that hold it, at `hole`. */
function checksumAround(bytes: Uint8Array, hole: number, before: number): number {
  return crc32c(bytes, hole + 4, bytes.length, crc32c(bytes, 0, hole, before));
}

// ---- batches

/** Bytes that `store` takes up in a batch. */
export function itemBytes({ log, meta }: Store): number {
  let bytes = ITEM_HEADER_BYTES + (meta?.length ?? 0);
  for (const record of log?.records ?? []) bytes += 4 + record.length;
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
  const view = viewOf(into);
  let at = BATCH_HEADER_BYTES;
  for (const store of stores) at = encodeItem(into, view, at, store);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint32(8, at, true);
  view.setUint32(12, stores.length, true);
  putWide(view, 16, sequence);
  view.setUint32(24, crc32c(into, BATCH_HEADER_BYTES, at, salt), true);
  view.setUint32(28, 0, true);
  view.setUint32(4, crc32c(into, 8, BATCH_HEADER_BYTES, salt), true);
  const end = aligned(at);
  into.fill(0, at, end);
  return end;
}

function encodeItem(into: Uint8Array, view: DataView, start: number, store: Store): number {
  const { log, meta } = store;
  const records = log?.records ?? [];
  putWide(view, start, log?.at ?? 0);
  view.setUint32(start + 8, records.length, true);
  view.setUint32(start + 12, meta === undefined ? 0 : meta.length + 1, true);
  let at = start + ITEM_HEADER_BYTES;
  for (const record of records) {
    view.setUint32(at, record.length, true);
    at += 4;
  }
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
  readonly items: number;
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
  if (view.getUint32(start, true) !== BATCH_MAGIC) return undefined;
  const length = view.getUint32(start + 8, true);
  if (length < BATCH_HEADER_BYTES || start + length > segment.length) return undefined;
  const sequence = takeWide(view, start + 16);
  if (sequence < sequenceMin) return undefined;
  const body = start + BATCH_HEADER_BYTES;
  if (crc32c(segment, start + 8, body, salt) !== view.getUint32(start + 4, true)) return undefined;
  const checksum = crc32c(segment, body, start + length, salt);
  if (checksum !== view.getUint32(start + 24, true)) return undefined;
  const items = view.getUint32(start + 12, true);
  return { start, end: aligned(start + length), sequence, items };
}

/** Told of what a batch holds, in order. Offsets are into the segment. */
export interface ItemVisitor {
  meta(start: number, length: number): void;
  /** From index `at` on, the log is what `record` is called with next. */
  log(at: number): void;
  record(start: number, length: number): void;
}

/** Walks through a batch whose checksum is right: what does not fit now is our own mistake. */
export function visitItems(view: DataView, batch: FoundBatch, visitor: ItemVisitor): void {
  let at = batch.start + BATCH_HEADER_BYTES;
  for (let item = 0; item < batch.items; item++) {
    const logAt = takeWide(view, at);
    const count = view.getUint32(at + 8, true);
    const metaLength = view.getUint32(at + 12, true) - 1;
    const lengths = at + ITEM_HEADER_BYTES;
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

// ---- snapshots

/** What stands at the end of a snapshot file. */
export interface SnapshotFooter {
  readonly index: number;
  /** Bytes of content before the rest. */
  readonly size: number;
  /** CRC-32C of the content. */
  readonly checksum: number;
  /** Records of batches with a lower sequence number are void. */
  readonly firstBatch: number;
  /** Records with a lower index are of no use any more. */
  readonly logFrom: number;
  /** What its core wanted to be said of the snapshot. */
  readonly about: Uint8Array | undefined;
}

/** All that follows the content: what is said of it, and the footer. */
export function encodeSnapshotEnd(footer: SnapshotFooter): Uint8Array {
  const { about } = footer;
  const start = about?.length ?? 0;
  const bytes = new Uint8Array(start + SNAPSHOT_FOOTER_BYTES);
  if (about !== undefined) bytes.set(about);
  const view = viewOf(bytes.subarray(start));
  view.setUint32(0, SNAPSHOT_MAGIC[0], true);
  view.setUint32(4, SNAPSHOT_MAGIC[1], true);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(16, footer.checksum, true);
  view.setUint32(20, about === undefined ? 0 : about.length + 1, true);
  putWide(view, 24, footer.index);
  putWide(view, 32, footer.size);
  putWide(view, 40, footer.firstBatch);
  putWide(view, 48, footer.logFrom);
  view.setUint32(12, checksumAround(bytes, start + 12, 0), true);
  return bytes;
}

/** Bytes that {@link decodeSnapshotEnd} needs at most of the end of a snapshot file. */
export const SNAPSHOT_END_BYTES_MAX: number = META_BYTES_MAX + SNAPSHOT_FOOTER_BYTES;

/** Reads the last bytes of a snapshot file, or says in a few words why there is no footer. */
export function decodeSnapshotEnd(end: Uint8Array): SnapshotFooter | string {
  const start = end.length - SNAPSHOT_FOOTER_BYTES;
  if (start < 0) return "it is too short for a footer";
  const view = viewOf(end.subarray(start));
  const isSnapshot =
    view.getUint32(0, true) === SNAPSHOT_MAGIC[0] && view.getUint32(4, true) === SNAPSHOT_MAGIC[1];
  if (!isSnapshot) return "it does not end as a snapshot does";
  const version = view.getUint32(8, true);
  if (version !== FORMAT_VERSION) return `it has format ${version}, known is ${FORMAT_VERSION}`;
  const aboutLength = view.getUint32(20, true) - 1;
  const from = start - Math.max(0, aboutLength);
  if (from < 0) return "its footer has no beginning";
  const bytes = end.subarray(from);
  if (checksumAround(bytes, start - from + 12, 0) !== view.getUint32(12, true)) {
    return "the checksum of its footer is wrong";
  }
  return {
    index: takeWide(view, 24),
    size: takeWide(view, 32),
    firstBatch: takeWide(view, 40),
    logFrom: takeWide(view, 48),
    checksum: view.getUint32(16, true),
    about: aboutLength < 0 ? undefined : bytes.slice(0, aboutLength),
  };
}
