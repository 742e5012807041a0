/**
 * Finds out, from what a crash has left of a log, what was durable: replays the segments, cuts off
 * a torn tail, and tells it from damage. Nothing here does I/O.
 *
 * What a crash can do: of the one append that was under way, any part may be missing; nothing else
 * is touched. So a bad batch is torn if nothing follows it, and damage if anything does.
 *
 * @module
 */
import type { StoredRecords } from "../base/store.ts";
import { damaged } from "./disk_errors.ts";
import {
  findBatch,
  type FoundBatch,
  type ItemVisitor,
  laterBatch,
  visitItems,
} from "./disk_batches.ts";
import {
  decodeSegmentHeader,
  headerBytes,
  type SegmentHeader,
  type SnapshotFooter,
} from "./disk_format.ts";

/** A segment as it was read. */
export interface ReadSegment {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** A segment that stays. */
export interface KeptSegment {
  readonly file: string;
  readonly header: SegmentHeader;
  /** Highest index of a record in it; 0 for none. */
  lastIndex: number;
}

/** What a directory holds. */
export interface Recovered {
  readonly meta: Uint8Array | undefined;
  readonly records: StoredRecords;
  /** In order; the last one is written to. */
  readonly segments: readonly KeptSegment[];
  /** Segments that are not needed, for a snapshot has taken their place. */
  readonly obsolete: readonly string[];
  /** Sequence number of the next batch. */
  readonly nextBatch: number;
  /** Where it goes in the last segment. */
  readonly position: number;
  /** The last batch, which a crash may have left in memory only, and what is torn behind it. */
  readonly tail: { readonly from: number; readonly to: number };
}

/** The records that a replay has come to: where each lies, without a copy of any. */
class Replay implements ItemVisitor, StoredRecords {
  newestMeta: Uint8Array | undefined;
  /** Highest index of a record that the segment of now brought. */
  highest = 0;
  /** The first index that is missing although no snapshot stands for it. */
  missing: number | undefined;
  first: number;
  next: number;
  /** The newest snapshot stands for records up to this; and those before are of no use. */
  readonly #covered: number;
  readonly #from: number;
  /** For each record from `first` on: its segment, where it begins, where it ends. */
  #segments: Uint8Array[] = [];
  #starts: number[] = [];
  #ends: number[] = [];
  #segment: Uint8Array = new Uint8Array(0);
  #isVoid = false;

  /** `first` is the index that the log goes on with. */
  constructor(snapshot: SnapshotFooter | undefined, first: number) {
    this.#covered = snapshot?.index ?? 0;
    this.#from = snapshot?.logFrom ?? 1;
    this.first = this.next = first;
    if (first > this.#covered + 1) this.missing = this.#covered + 1;
  }

  /** What is visited next lies in `segment`. */
  enter(segment: Uint8Array): void {
    this.#segment = segment;
    this.highest = 0;
  }

  /** Takes in a batch; one that a snapshot has made void may still set the metadata. */
  take(view: DataView, batch: FoundBatch, isVoid: boolean): void {
    this.#isVoid = isVoid;
    visitItems(this.#segment, view, batch, this);
  }

  meta(start: number, length: number): void {
    this.newestMeta = this.#segment.slice(start, start + length);
  }

  log(at: number): void {
    if (this.#isVoid) return;
    if (at >= this.first && at <= this.next) this.#truncate(at - this.first);
    else {
      // Whatever is missing before `at` the snapshot must stand for.
      if (at > this.next && at > this.#covered + 1) this.missing ??= this.next;
      this.#truncate(0);
      this.first = at;
    }
    this.next = at;
  }

  record(start: number, length: number): void {
    if (this.#isVoid) return;
    this.#segments.push(this.#segment);
    this.#starts.push(start);
    this.#ends.push(start + length);
    this.highest = Math.max(this.highest, this.next);
    this.next++;
  }

  at(index: number): Uint8Array {
    const i = index - this.first;
    const segment = this.#segments[i];
    if (segment === undefined) {
      throw new RangeError(`record ${index}: expected ${this.first}..${this.next - 1}`);
    }
    return segment.subarray(this.#starts[i], this.#ends[i]);
  }

  /** Forgets the records that are of no use: all if the log does not go up to the snapshot. */
  settle(): void {
    const isShort = this.next <= this.#covered;
    const from = isShort ? this.#covered + 1 : Math.max(this.first, this.#from);
    const drop = Math.min(from, this.next) - this.first;
    this.#segments = this.#segments.slice(drop);
    this.#starts = this.#starts.slice(drop);
    this.#ends = this.#ends.slice(drop);
    this.first = from;
    this.next = Math.max(this.next, from);
  }

  #truncate(length: number): void {
    this.#segments.length = length;
    this.#starts.length = length;
    this.#ends.length = length;
  }
}

/** The number in a segment's name, or undefined if it is no segment's. */
export function segmentNumber(file: string): number | undefined {
  const digits = /^log-(\d{10,15})$/.exec(file)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** What the segment numbered so is called. */
export function segmentFile(number: number): string {
  return `log-${String(number).padStart(10, "0")}`;
}

/**
 * Replays what `segments` of `directory` hold behind `snapshot`. Throws a `DiskError` with the code
 * DAMAGED, that names file and offset, when what is there cannot come from a crash.
 */
export function recover(
  directory: string,
  segments: readonly ReadSegment[],
  snapshot: SnapshotFooter | undefined,
): Recovered {
  const { kept, obsolete } = unbroken(segments);
  const headers = kept.map(({ file, bytes }) => headerOf(directory, file, bytes));
  const [oldest] = headers;
  if (oldest === undefined) throw damaged(directory, "log", 0, "there is no segment of it");
  // A segment from before a snapshot that took the log's place says where the old log went on.
  const isOld = oldest.firstBatch <= (snapshot?.firstBatch ?? 0);
  const replay = new Replay(snapshot, isOld ? (snapshot?.index ?? 0) + 1 : oldest.next);
  replay.newestMeta = oldest.meta;
  let position = 0;
  let sequence = oldest.firstBatch;
  let last: FoundBatch | undefined;
  let tailEnd = 0;
  const result: KeptSegment[] = [];
  for (const [i, { file, bytes }] of kept.entries()) {
    const header = headers[i]!;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (header.firstBatch !== sequence) {
      const before = kept[i - 1]!.file;
      throw damaged(directory, before, position, `the batches up to ${file} are not all there`);
    }
    replay.enter(bytes);
    position = headerBytes(header.meta);
    last = undefined;
    for (;;) {
      const batch = findBatch(bytes, view, position, header.salt, sequence);
      if (batch?.sequence !== sequence) break;
      replay.take(view, batch, sequence < (snapshot?.firstBatch ?? 0));
      last = batch;
      position = batch.end;
      sequence++;
    }
    result.push({ file, header, lastIndex: replay.highest });
    if (i < kept.length - 1) continue;
    tailEnd = endOfData(bytes, position);
    const later = laterBatch(bytes, view, position, tailEnd, header.salt, sequence);
    if (later === undefined) continue;
    const what = `a whole batch follows, at offset ${later.start}`;
    throw damaged(directory, file, position, what);
  }
  if (replay.missing !== undefined) {
    throw damaged(directory, kept[0]!.file, 0, `record ${replay.missing} is missing`);
  }
  replay.settle();
  return {
    meta: replay.newestMeta,
    records: replay,
    segments: result,
    obsolete,
    nextBatch: sequence,
    position,
    tail: { from: last?.start ?? position, to: Math.max(position, tailEnd) },
  };
}

/**
 * The segments that follow one another up to the newest. A snapshot has made those before a gap
 * obsolete: a crash came while they were removed.
 */
function unbroken(segments: readonly ReadSegment[]): {
  kept: readonly ReadSegment[];
  obsolete: string[];
} {
  const sorted = segments.toSorted((a, b) => numberOf(a) - numberOf(b));
  let first = Math.max(0, sorted.length - 1);
  while (first > 0 && numberOf(sorted[first - 1]!) === numberOf(sorted[first]!) - 1) first--;
  return {
    kept: sorted.slice(first),
    obsolete: sorted.slice(0, first).map(({ file }) => file),
  };
}

function numberOf({ file }: ReadSegment): number {
  return segmentNumber(file) ?? 0;
}

function headerOf(directory: string, file: string, bytes: Uint8Array): SegmentHeader {
  const header = decodeSegmentHeader(bytes);
  if (typeof header === "string") throw damaged(directory, file, 0, header);
  if (header.number !== segmentNumber(file)) {
    throw damaged(directory, file, 0, `it says that it is segment ${header.number}`);
  }
  if (header.size !== bytes.length) {
    const what = `it has ${bytes.length} bytes and should have ${header.size}`;
    throw damaged(directory, file, Math.min(bytes.length, header.size), what);
  }
  return header;
}

/** At most four bytes behind the last byte from `from` on that is not zero; `from` if all are. */
function endOfData(bytes: Uint8Array, from: number): number {
  // Word by word where that can be, as it can with all segments that we make ourselves.
  if (bytes.length % 4 !== 0 || bytes.byteOffset % 4 !== 0) return bytes.length;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let end = words.length;
  while (end * 4 > from && words[end - 1] === 0) end--;
  return Math.max(from, end * 4);
}
