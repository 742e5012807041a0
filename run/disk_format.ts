/**
 * How a log lies in its files, byte by byte (docs/storage.md): a segment is a header and batches
 * (run/disk_batches.ts), a snapshot ends with a footer. Numbers are little-endian. Nothing here
 * does I/O.
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";
import { META_BYTES_MAX } from "../base/store.ts";
import { aligned, putWide, takeWide } from "./disk_batches.ts";

/** Version of all formats in a directory; the one before, whose batches were larger, is read. */
export const FORMAT_VERSION = 2;

/** Bytes of a segment's header, without the metadata that follows it. */
export const SEGMENT_HEADER_BYTES = 64;
/** Bytes at the end of a snapshot file, behind its content. */
export const SNAPSHOT_FOOTER_BYTES = 64;

/** "mlodelog" and "mlodesna" in ASCII; what a batch begins with has no zero byte either. */
const SEGMENT_MAGIC = [0x646f6c6d, 0x676f6c65] as const;
const SNAPSHOT_MAGIC = [0x646f6c6d, 0x616e7365] as const;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isKnown(version: number): boolean {
  return version === FORMAT_VERSION || version === FORMAT_VERSION - 1;
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
  if (!isKnown(version)) return `it has format ${version}, known is ${FORMAT_VERSION}`;
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
  if (!isKnown(version)) return `it has format ${version}, known is ${FORMAT_VERSION}`;
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
