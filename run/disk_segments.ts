/**
 * The files of a log: the segment that is written to, the sealed ones before it, and a spare that
 * is zero-filled and synced ahead, so that an append changes neither a file's size nor its blocks.
 *
 * @module
 */
import type { FileFailure, FileOperation, Files } from "./disk_files.ts";
import { aligned } from "./disk_batches.ts";
import { encodeSegmentHeader, headerBytes, type SegmentHeader } from "./disk_format.ts";
import { type KeptSegment, segmentFile } from "./disk_recovery.ts";

/** The segment that is to come, until it has a header and a number. */
export const SPARE_FILE: string = "spare";

/** Bytes of a spare that are synced at a time: what is appended meanwhile waits for no more. */
const SYNCED_BYTES: number = 4 << 20;

/** How segments are made. */
export interface SegmentOptions {
  /** Bytes of a segment; a store that is larger gets a larger one. */
  readonly segmentBytes: number;
  /** Draws the salt of a segment, 0..2^32-1. */
  readonly newSalt: () => number;
  /** Bytes of the file {@link SPARE_FILE} in the directory, whatever they are; 0 for none. */
  readonly spareFileBytes: number;
}

/** Whom segments report to. */
export interface SegmentPort {
  failed(failure: FileFailure): void;
  /** The spare is ready. */
  ready(): void;
}

/** See the module. */
export class Segments {
  readonly #files: Files;
  readonly #options: SegmentOptions;
  readonly #port: SegmentPort;
  readonly #all: KeptSegment[];
  #position: number;
  #spare: "none" | "making" | "ready" | "stuck" = "none";
  #spareBytes = 0;
  #spareFileBytes: number;
  #isOver = false;

  constructor(
    files: Files,
    kept: readonly KeptSegment[],
    position: number,
    options: SegmentOptions,
    port: SegmentPort,
  ) {
    this.#files = files;
    this.#all = [...kept];
    this.#position = position;
    this.#options = options;
    this.#port = port;
    this.#spareFileBytes = options.spareFileBytes;
  }

  /** The segment that is written to. */
  get active(): KeptSegment {
    return this.#all.at(-1)!;
  }

  /** Where the next batch goes. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that the active segment has left. */
  get room(): number {
    return this.active.header.size - this.#position;
  }

  get count(): number {
    return this.#all.length;
  }

  /** Bytes of all segments; of the active one those in use. */
  get usedBytes(): number {
    const sealed = this.#all.slice(0, -1).reduce((sum, { header }) => sum + header.size, 0);
    return sealed + this.#position;
  }

  /** Whether the next segment lacks space. */
  get isStuck(): boolean {
    return this.#spare === "stuck";
  }

  /** A batch of `bytes` bytes has been written, with records up to `lastIndex`. */
  advance(bytes: number, lastIndex: number): void {
    this.#position += bytes;
    this.active.lastIndex = Math.max(this.active.lastIndex, lastIndex);
    this.prepare();
  }

  /** Makes the spare when half of the active segment is used up. */
  prepare(): void {
    if (this.#spare === "none" && this.room < this.active.header.size / 2) this.#makeSpare(0);
  }

  /**
   * Makes a segment with room for `need` bytes the active one, and calls `done`, or tells it why
   * not. False: there is no such spare yet; `ready` will be reported.
   */
  rotate(
    need: number,
    begin: Pick<SegmentHeader, "firstBatch" | "next" | "meta">,
    done: (failure?: FileFailure) => void,
  ): boolean {
    const least = headerBytes(begin.meta) + need;
    if (this.#spare !== "ready" || this.#spareBytes < least) {
      if (this.#spare !== "stuck") this.#makeSpare(least);
      else this.#spareBytes = Math.max(this.#spareBytes, aligned(least));
      return false;
    }
    const number = this.active.header.number + 1;
    const salt = this.#options.newSalt();
    const header: SegmentHeader = { ...begin, number, salt, size: this.#spareBytes };
    const file = segmentFile(number);
    const operations: FileOperation[] = [
      { op: "write", file: SPARE_FILE, at: 0, bytes: encodeSegmentHeader(header) },
      { op: "sync", file: SPARE_FILE },
      { op: "rename", file: SPARE_FILE, to: file },
      { op: "syncNames" },
    ];
    this.#files.run(operations, (failure) => {
      if (this.#isOver) return;
      if (failure !== undefined) return done(failure);
      this.#all.push({ file, header, lastIndex: 0 });
      this.#position = headerBytes(header.meta);
      this.#spare = "none";
      this.#spareFileBytes = 0;
      done();
    });
    return true;
  }

  /** Removes segments at the beginning of the log in which no record is at or above `index`. */
  dropHead(index: number): void {
    let count = 0;
    while (count < this.#all.length - 1 && this.#all[count]!.lastIndex < index) count++;
    if (count === 0) return;
    const removals = this.#all
      .splice(0, count)
      .map(({ file }) => ({ op: "remove", file }) as const);
    this.#run(removals, () => {});
  }

  /** No record in any segment counts any more. */
  voidAll(): void {
    for (const segment of this.#all) segment.lastIndex = 0;
  }

  /** There may be space again. */
  retry(): void {
    if (this.#spare === "stuck") this.#makeSpare(this.#spareBytes);
  }

  abandon(): void {
    this.#isOver = true;
  }

  #makeSpare(least: number): void {
    if (this.#spare === "making") return;
    this.#spare = "making";
    this.#spareBytes = Math.max(this.#options.segmentBytes, aligned(least));
    const file = SPARE_FILE;
    const operations: FileOperation[] = [];
    for (let at = 0; at < this.#spareBytes; at += SYNCED_BYTES) {
      const end = Math.min(at + SYNCED_BYTES, this.#spareBytes);
      operations.push({ op: "zeros", file, at, end }, { op: "sync", file });
    }
    // One that is there already is overwritten where it lies: that takes no new space.
    const isFitting = this.#spareFileBytes > 0 && this.#spareFileBytes <= this.#spareBytes;
    if (!isFitting) operations.unshift({ op: "create", file });
    this.#files.run(operations, (failure) => {
      if (this.#isOver) return;
      if (failure === undefined) {
        this.#spareFileBytes = this.#spareBytes;
        this.#spare = "ready";
        return this.#port.ready();
      }
      this.#spare = "stuck";
      this.#spareFileBytes = 0;
      // Nothing is in it yet, so that a sync that found no space may be tried again, too.
      const report = (): void => this.#port.failed({ ...failure, op: "zeros" });
      if (!failure.isFull || failure.op === "create") return report();
      // Half a spare is of no use: its space may be what a snapshot needs.
      this.#run([{ op: "remove", file }], report);
    });
  }

  #run(operations: readonly FileOperation[], then: () => void): void {
    this.#files.run(operations, (failure) => {
      if (this.#isOver) return;
      if (failure === undefined) then();
      else this.#port.failed(failure);
    });
  }
}
