/**
 * The snapshots beside a log: takes new ones in parts, and puts one in the old one's place in one
 * step once it is whole and durable.
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";
import { invariant } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import { PART_BYTES_MAX, type Save, type StoreInput, UNFINISHED_MAX } from "../base/store.ts";
import type { FileFailure, FileOperation, Files } from "./disk_files.ts";
import { encodeSnapshotEnd, type SnapshotFooter } from "./disk_format.ts";

/** Bytes of a snapshot that are written before they are synced, so that no sync is a long one. */
const UNSYNCED_BYTES_MAX = PART_BYTES_MAX;

/** What the log does for its snapshots. */
export interface SnapshotPort {
  /** Has `step` happen behind all stores that wait now and before all that come. */
  inOrder(step: (done: () => void) => void): void;
  /** Sequence number of the batch that comes next. */
  nextBatch(): number;
  /** A part is taken; `isWhole`: its snapshot has taken the old one's place. */
  saved(save: Save, isWhole: boolean): void;
  failed(failure: FileFailure): void;
  /** Something has been written, perhaps what a full disk held up. */
  unstuck(): void;
}

/** What the snapshot at `index` is called. */
export function snapshotFile(index: number): string {
  return `snapshot-${String(index).padStart(16, "0")}`;
}

/** The same until it is whole. */
function partFile(index: number): string {
  return `${snapshotFile(index)}.part`;
}

/** The index in a snapshot's name, or undefined if it is no whole snapshot's. */
export function snapshotIndex(file: string): number | undefined {
  const digits = /^snapshot-(\d{16})$/.exec(file)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether the file is a snapshot that is not whole. */
export function isSnapshotPart(file: string): boolean {
  return /^snapshot-\d{16}\.part$/.test(file);
}

/** A snapshot of which parts have come. */
interface Unfinished {
  size: number;
  checksum: number;
  unsyncedBytes: number;
}

/** What waits for its turn: a part, or the removal of a snapshot that is forgotten. */
type Waiting = WaitingPart | { readonly forgotten: number };

interface WaitingPart {
  readonly save: Save;
  /** Undefined: it is of a snapshot that is older than the newest, and changes nothing. */
  readonly to: Unfinished | undefined;
  /** The last part of one that discards the log: begins when it is the log's turn, too. */
  readonly turn: Turn | undefined;
}

interface Turn {
  begin?: (done: () => void) => void;
  done?: () => void;
}

/** See the module. */
export class Snapshots {
  readonly #files: Files;
  readonly #port: SnapshotPort;
  #footer: SnapshotFooter | undefined;
  /** Bytes of the snapshots that can be loaded: the newest, and older ones that are retained. */
  readonly #sizes = new Map<number, number>();
  readonly #unfinished = new Map<number, Unfinished>();
  readonly #queue = new Queue<Waiting>();
  #isBusy = false;
  #indexQueued: number;
  /** What a full disk holds up. */
  #stuck: (() => void) | undefined;
  #isOver = false;

  constructor(files: Files, footer: SnapshotFooter | undefined, port: SnapshotPort) {
    this.#files = files;
    this.#footer = footer;
    this.#port = port;
    this.#indexQueued = this.index;
    if (footer !== undefined) this.#sizes.set(footer.index, footer.size);
  }

  /** Index of the newest snapshot that is whole; 0 for none. */
  get index(): number {
    return this.#footer?.index ?? 0;
  }

  /** Index of the first record that is still of use. */
  get logFrom(): number {
    return this.#footer?.logFrom ?? 1;
  }

  /** Index of the newest snapshot when everything that waits is done. */
  get indexQueued(): number {
    return this.#indexQueued;
  }

  /** Whether something waits for space. */
  get isStuck(): boolean {
    return this.#stuck !== undefined;
  }

  /** Takes a part. False: of a snapshot that is not newer than the newest; it changes nothing. */
  save(save: Save): boolean {
    if (save.index <= this.#indexQueued) {
      this.#queue.push({ save, to: undefined, turn: undefined });
      this.#goOn();
      return false;
    }
    if (save.offset === 0) {
      const isMore = !this.#unfinished.has(save.index);
      const hasRoom = !isMore || this.#unfinished.size < UNFINISHED_MAX;
      invariant(hasRoom, () => `at most ${UNFINISHED_MAX} snapshots are begun at a time`);
      this.#unfinished.set(save.index, { size: 0, checksum: 0, unsyncedBytes: 0 });
    }
    const to = this.#unfinished.get(save.index);
    const fits = to?.size === save.offset;
    invariant(to && fits, () => `a part of ${save.index} goes to ${to?.size}, got ${save.offset}`);
    to.size += save.bytes.length;
    to.checksum = crc32c(save.bytes, 0, save.bytes.length, to.checksum);
    const turn: Turn | undefined = save.last?.log === "discard" ? {} : undefined;
    if (save.last !== undefined) this.#indexQueued = save.index;
    this.#queue.push({ save, to, turn });
    if (turn !== undefined) this.#port.inOrder((done) => this.#takeTurn(turn, done));
    this.#goOn();
    return true;
  }

  /** Forgets the unfinished snapshot at `index`, if there is one. */
  forget(index: number): void {
    if (index <= this.#indexQueued || !this.#unfinished.delete(index)) return;
    this.#queue.push({ forgotten: index });
    this.#goOn();
  }

  /** Reads a part of a snapshot for `answer`. */
  load(index: number, offset: number, length: number, answer: (input: StoreInput) => void): void {
    const size = this.#sizes.get(index) ?? 0;
    const none = { kind: "loaded", index, offset, size } as const;
    if (!this.#sizes.has(index) || offset > size) return answer(none);
    const most = Math.min(length, size - offset);
    this.#files.read(snapshotFile(index), offset, most, (result) => {
      if (this.#isOver) return;
      // A newer one has taken its place meanwhile, perhaps; then its file shrinks.
      if (!this.#sizes.has(index)) return answer(none);
      if (result instanceof Uint8Array) return answer({ ...none, bytes: result });
      this.#port.failed(result);
    });
  }

  /** There may be space again. */
  retry(): void {
    const again = this.#stuck;
    this.#stuck = undefined;
    again?.();
  }

  abandon(): void {
    this.#isOver = true;
  }

  #goOn(): void {
    if (this.#isBusy || this.#isOver) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.#isBusy = true;
    if ("save" in next) return this.#write(next);
    this.#run([{ op: "remove", file: partFile(next.forgotten) }], () => {
      this.#isBusy = false;
      this.#goOn();
    });
  }

  #write(part: WaitingPart): void {
    const { save, to } = part;
    if (to === undefined) return this.#finish(save, false);
    const file = partFile(save.index);
    const operations: FileOperation[] = [];
    if (save.offset === 0) operations.push({ op: "create", file });
    if (save.bytes.length > 0) {
      operations.push({ op: "write", file, at: save.offset, bytes: save.bytes });
    }
    to.unsyncedBytes += save.bytes.length;
    if (to.unsyncedBytes >= UNSYNCED_BYTES_MAX || save.last !== undefined) {
      operations.push({ op: "sync", file });
      to.unsyncedBytes = 0;
    }
    this.#run(operations, () => this.#written(part));
  }

  #written({ save, to, turn }: WaitingPart): void {
    if (save.last === undefined || to === undefined) return this.#finish(save, false);
    if (turn === undefined) return this.#commit(save, to, this.#footer?.firstBatch ?? 0);
    // No append is under way during a turn: all batches so far are of the log that goes.
    const begin = (done: () => void): void => {
      this.#commit(save, to, this.#port.nextBatch(), done);
    };
    if (turn.done !== undefined) begin(turn.done);
    else turn.begin = begin;
  }

  #takeTurn(turn: Turn, done: () => void): void {
    turn.done = done;
    turn.begin?.(done);
  }

  #commit(save: Save, { size, checksum }: Unfinished, firstBatch: number, done?: () => void): void {
    const { index, last } = save;
    const wanted = last?.log === "keep" ? (last.logFrom ?? index + 1) : index + 1;
    // Records that were given up do not come back.
    const logFrom = Math.max(this.logFrom, wanted);
    const footer: SnapshotFooter = {
      index,
      size,
      checksum,
      firstBatch,
      logFrom,
      about: last?.about,
    };
    const file = partFile(index);
    const operations: FileOperation[] = [
      { op: "write", file, at: size, bytes: encodeSnapshotEnd(footer) },
      { op: "sync", file },
      { op: "rename", file, to: snapshotFile(index) },
      { op: "syncNames" },
    ];
    this.#run(operations, () => {
      this.#footer = footer;
      this.#sizes.set(index, size);
      this.#removeOld(last?.retain ?? []);
      this.#finish(save, true);
      done?.();
    });
  }

  /** Removes what the newest snapshot has made useless. */
  #removeOld(retain: readonly number[]): void {
    const { index } = this;
    const removals: FileOperation[] = [];
    for (const old of this.#sizes.keys()) {
      if (old === index || retain.includes(old)) continue;
      this.#sizes.delete(old);
      removals.push({ op: "remove", file: snapshotFile(old) });
    }
    for (const old of this.#unfinished.keys()) {
      if (old > index) continue;
      this.#unfinished.delete(old);
      if (old < index) removals.push({ op: "remove", file: partFile(old) });
    }
    if (removals.length > 0) this.#run(removals, () => {});
  }

  #finish(save: Save, isWhole: boolean): void {
    this.#isBusy = false;
    this.#port.saved(save, isWhole);
    this.#goOn();
  }

  #run(operations: readonly FileOperation[], then: () => void): void {
    this.#files.run(operations, (failure) => {
      if (this.#isOver) return;
      if (failure === undefined) {
        then();
        return this.#port.unstuck();
      }
      if (failure.isFull) this.#stuck = () => this.#run(operations, then);
      this.#port.failed(failure);
    });
  }
}
