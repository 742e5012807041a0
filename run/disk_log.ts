/**
 * A log and its snapshots on files, as a state machine: takes what a core asks of its disk, and has
 * it written and synced by {@link Files}. One append is under way at a time; what arrives meanwhile
 * goes into the next one, together. docs/storage.md tells what is promised and why that holds.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import {
  META_BYTES_MAX,
  PART_BYTES_MAX,
  RECORD_BYTES_MAX,
  STORE_BYTES_MAX,
  type Load,
  type Save,
  type Store,
  type StoreEffect,
  type StoreInput,
} from "../base/store.ts";
import type { FileFailure, Files } from "./disk_files.ts";
import { aligned, BATCH_HEADER_BYTES, encodeBatch, itemBytes } from "./disk_batches.ts";
import { type SnapshotFooter } from "./disk_format.ts";
import type { Recovered } from "./disk_recovery.ts";
import { type SegmentOptions, Segments } from "./disk_segments.ts";
import { Snapshots } from "./disk_snapshots.ts";

/** Bytes up to which stores that wait are appended together. */
const BATCH_BYTES_MAX = 4 << 20;
/** Bytes that the buffer for appends begins with. */
const SCRATCH_BYTES = 64 << 10;
/** How often a full disk is tried again. */
export const FULL_RETRY_MS: number = 500;

/** What waits in the log's queue: stores, and what must happen between two of them. */
type Waiting =
  | { readonly store: Store; readonly bytes: number; readonly next: number }
  | { readonly step: (done: () => void) => void };

/** An append that is under way, or that a full disk holds up. */
interface Append {
  readonly bytes: Uint8Array;
  /** The highest token in it; undefined for the seal. */
  readonly token: number | undefined;
  readonly next: number;
  readonly lastIndex: number;
  readonly meta: Uint8Array | undefined;
}

/** See the module. */
export class DiskLog {
  readonly #files: Files;
  readonly #segments: Segments;
  readonly #snapshots: Snapshots;
  readonly #queue = new Queue<Waiting>();
  #tell: (input: StoreInput) => void = () => {};
  #scratch = new Uint8Array(SCRATCH_BYTES);
  /** Sequence number of the next batch. */
  #batch: number;
  /** The newest metadata that is durable, and the index behind the last record that is. */
  #meta: Uint8Array | undefined;
  #next: number;
  /** The same index when everything that waits is done. */
  #nextQueued: number;
  #lastToken = -Infinity;
  #append: Append | undefined;
  /** Whether the append, a rotation or a step is under way. */
  #isBusy = false;
  #isStepping = false;
  #isTurnPlanned = false;
  readonly #isPrompt: boolean;
  #isFull = false;
  #isRetryPlanned = false;
  #state: "new" | "open" | "closing" | "over" = "new";
  readonly #closed: (() => void)[] = [];

  constructor(
    files: Files,
    recovered: Recovered,
    snapshot: SnapshotFooter | undefined,
    options: SegmentOptions & { readonly isPrompt: boolean },
  ) {
    this.#files = files;
    this.#isPrompt = options.isPrompt;
    this.#batch = recovered.nextBatch;
    this.#meta = recovered.meta;
    this.#next = this.#nextQueued = recovered.records.next;
    const failed = (failure: FileFailure): void => this.#handleFailure(failure);
    this.#segments = new Segments(files, recovered.segments, recovered.position, options, {
      failed,
      ready: () => this.#noteProgress(),
    });
    this.#snapshots = new Snapshots(files, snapshot, {
      failed,
      inOrder: (step) => this.#enqueue({ step }),
      nextBatch: () => this.#batch,
      saved: (save, isWhole) => this.#saved(save, isWhole),
      unstuck: () => this.#noteProgress(),
    });
  }

  /** Bytes of the log's segments; of the last one those in use. */
  get usedBytes(): number {
    return this.#segments.usedBytes;
  }

  get segmentCount(): number {
    return this.#segments.count;
  }

  /** From now on `tell` is told what becomes of what `handle` is given. */
  start(tell: (input: StoreInput) => void): void {
    invariant(this.#state === "new", "a log is started once");
    this.#state = "open";
    this.#tell = tell;
    this.#segments.dropHead(this.#snapshots.logFrom);
    this.#segments.prepare();
  }

  /** Takes what the core asks of its disk; see base/store.ts for what it must keep to. */
  handle(effect: StoreEffect): void {
    invariant(this.#state !== "new", "a log is started before it is used");
    if (this.#state !== "open") return;
    switch (effect.kind) {
      case "store":
        return this.#store(effect);
      case "save":
        return this.#save(effect);
      case "forget":
        return this.#snapshots.forget(effect.index);
      case "load":
        return this.#load(effect);
    }
  }

  /**
   * Takes nothing more. `done` is called when everything that waits is durable, or cannot become
   * so: the disk is full or has failed.
   */
  close(done: () => void): void {
    if (this.#state === "over") return done();
    this.#state = "closing";
    this.#closed.push(done);
    this.#goOn();
  }

  /** Lets go at once: what is under way may or may not become durable, and nobody is told. */
  abandon(): void {
    this.#state = "over";
    this.#segments.abandon();
    this.#snapshots.abandon();
  }

  // ---- what the core asks for

  #store(store: Store): void {
    const { token, log } = store;
    const bytes = itemBytes(store);
    const wrong = this.#whyNot(store, bytes);
    invariant(wrong === undefined, wrong ?? "");
    this.#lastToken = token;
    if (log !== undefined) this.#nextQueued = log.at + log.records.length;
    this.#enqueue({ store, bytes, next: this.#nextQueued });
  }

  /** What a store breaks of the rules in base/store.ts; no text is made unless it is needed. */
  #whyNot({ token, log, meta }: Store, bytes: number): string | undefined {
    if (token <= this.#lastToken) return `tokens rise, got ${token} after ${this.#lastToken}`;
    if (bytes > STORE_BYTES_MAX) return `a store has at most ${STORE_BYTES_MAX} bytes`;
    if (meta !== undefined && meta.length > META_BYTES_MAX) {
      return `metadata has at most ${META_BYTES_MAX} bytes`;
    }
    if (log === undefined) return undefined;
    const low = this.#snapshots.indexQueued + 1;
    const high = this.#nextQueued;
    if (log.at < low || log.at > high) {
      return `records go to an index of ${low}..${high}, got ${log.at}`;
    }
    for (const { length } of log.records) {
      if (length > RECORD_BYTES_MAX) return `a record has at most ${RECORD_BYTES_MAX} bytes`;
    }
    return undefined;
  }

  #save(save: Save): void {
    const { index, last } = save;
    invariant(
      save.bytes.length <= PART_BYTES_MAX,
      () => `a part has at most ${PART_BYTES_MAX} bytes`,
    );
    const aboutBytes = last?.about?.length ?? 0;
    invariant(
      aboutBytes <= META_BYTES_MAX,
      `what is said of it has at most ${META_BYTES_MAX} bytes`,
    );
    const logFrom = last?.logFrom ?? index + 1;
    const isFitting = logFrom >= 1 && logFrom <= index + 1;
    invariant(isFitting, () => `the log of ${index} is kept from 1..${index + 1}, got ${logFrom}`);
    const isNew = this.#snapshots.save(save);
    if (!isNew || last === undefined) return;
    const isInLog = index < this.#nextQueued;
    invariant(
      last.log === "discard" || isInLog,
      () => `record ${index} is in the log that is kept`,
    );
    // Stores that come behind the last part count on what it makes of the log.
    if (last.log === "discard") this.#nextQueued = index + 1;
  }

  #load({ index, offset, bytesMax }: Load): void {
    this.#snapshots.load(index, offset, Math.min(bytesMax, PART_BYTES_MAX), (input) => {
      if (this.#state !== "over") this.#tell(input);
    });
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting);
    if (this.#isTurnPlanned || this.#isBusy) return;
    if (this.#isPrompt) return this.#goOn();
    this.#isTurnPlanned = true;
    this.#files.endOfTurn(() => {
      this.#isTurnPlanned = false;
      this.#goOn();
    });
  }

  // ---- appending

  /** Does the next thing that waits, if nothing is under way. */
  #goOn(): void {
    if (this.#isBusy || this.#state === "over") return;
    if (this.#append !== undefined) return this.#write(this.#append);
    const first = this.#queue.at(0);
    if (first === undefined) return this.#idle();
    if ("step" in first) return this.#doStep(first.step);
    const need = aligned(BATCH_HEADER_BYTES + first.bytes);
    if (need <= this.#segments.room) return this.#write(this.#gather());
    const begin = { firstBatch: this.#batch, next: this.#next, meta: this.#meta };
    this.#isBusy = this.#segments.rotate(need, begin, (failure) => {
      this.#isBusy = false;
      if (failure !== undefined) return this.#handleFailure(failure);
      this.#segments.dropHead(this.#snapshots.logFrom);
      this.#goOn();
    });
    if (!this.#isBusy && this.#segments.isStuck && this.#state === "closing") this.#end();
  }

  #doStep(step: (done: () => void) => void): void {
    this.#queue.shift();
    this.#isBusy = this.#isStepping = true;
    step(() => {
      this.#next = this.#snapshots.index + 1;
      this.#isBusy = this.#isStepping = false;
      this.#goOn();
    });
  }

  /** Encodes as many of the stores that wait as go together into the segment. */
  #gather(): Append {
    const bytesMax = Math.min(this.#segments.room, BATCH_BYTES_MAX);
    const stores: Store[] = [];
    let bytes = BATCH_HEADER_BYTES;
    let next = this.#next;
    let lastIndex = 0;
    let meta = this.#meta;
    for (let head = this.#queue.at(0); head && "store" in head; head = this.#queue.at(0)) {
      if (stores.length > 0 && aligned(bytes + head.bytes) > bytesMax) break;
      this.#queue.shift();
      bytes += head.bytes;
      stores.push(head.store);
      meta = head.store.meta ?? meta;
      next = head.next;
      if (head.store.log !== undefined) lastIndex = Math.max(lastIndex, next - 1);
    }
    const token = stores.at(-1)?.token;
    return { bytes: this.#encode(stores, bytes), token, next, lastIndex, meta };
  }

  #encode(stores: readonly Store[], bytes: number): Uint8Array {
    const most = aligned(bytes);
    if (this.#scratch.length < most || this.#scratch.length > BATCH_BYTES_MAX) {
      this.#scratch = new Uint8Array(Math.max(SCRATCH_BYTES, most));
    }
    const { salt } = this.#segments.active.header;
    return this.#scratch.subarray(0, encodeBatch(this.#scratch, stores, this.#batch, salt));
  }

  #write(append: Append): void {
    this.#append = append;
    this.#isBusy = true;
    const { bytes } = append;
    const { position: at, active } = this.#segments;
    const { file } = active;
    const write = { op: "write", file, at, bytes } as const;
    const sync = { op: "sync", file, isOfWrite: true } as const;
    this.#files.run([write, sync], (failure) => {
      if (this.#state === "over") return;
      this.#isBusy = false;
      // What found no space is written again, at the same place, when there may be some.
      if (failure !== undefined) return this.#handleFailure(failure);
      this.#append = undefined;
      this.#batch++;
      this.#next = append.next;
      this.#meta = append.meta;
      this.#segments.advance(bytes.length, append.lastIndex);
      if (append.token === undefined) return this.#end();
      this.#tell({ kind: "stored", token: append.token });
      this.#noteProgress();
    });
  }

  /** Nothing waits: a log that is being closed gets its seal. */
  #idle(): void {
    if (this.#state !== "closing") return;
    if (this.#segments.room < BATCH_HEADER_BYTES) return this.#end();
    const bytes = this.#encode([], BATCH_HEADER_BYTES);
    this.#write({ bytes, token: undefined, next: this.#next, lastIndex: 0, meta: this.#meta });
  }

  #end(): void {
    this.abandon();
    for (const done of this.#closed) done();
  }

  #saved({ token, last }: Save, isWhole: boolean): void {
    if (isWhole && last?.log === "discard") this.#segments.voidAll();
    if (isWhole) this.#segments.dropHead(this.#snapshots.logFrom);
    this.#tell({ kind: "saved", token });
  }

  // ---- trouble

  #handleFailure({ op, isFull, text }: FileFailure): void {
    // After a failed sync nobody knows what is on the disk, whatever the reason was.
    if (!isFull || op === "sync" || op === "syncNames") return this.#fail(text);
    // There is room for what waits, unless that is what found none.
    const isHeldUp = (this.#append !== undefined && !this.#isBusy) || this.#isStepping;
    if (this.#state === "closing") return isHeldUp ? this.#end() : this.#goOn();
    if (!this.#isRetryPlanned) {
      this.#isRetryPlanned = true;
      this.#files.later(FULL_RETRY_MS, () => this.#retry());
    }
    if (this.#isFull) return;
    this.#isFull = true;
    this.#tell({ kind: "disk", state: "full", reason: text });
  }

  #fail(text: string): void {
    this.abandon();
    this.#tell({ kind: "disk", state: "failed", reason: text });
    for (const done of this.#closed) done();
  }

  #retry(): void {
    this.#isRetryPlanned = false;
    if (this.#state === "over") return;
    this.#segments.retry();
    this.#snapshots.retry();
    this.#goOn();
  }

  /** Something has been written: tells that there is space again once nothing lacks any. */
  #noteProgress(): void {
    const isStuck = this.#append !== undefined || this.#segments.isStuck || this.#snapshots.isStuck;
    if (this.#isFull && !isStuck && this.#state === "open") {
      this.#isFull = false;
      this.#tell({ kind: "disk", state: "ready", reason: "there is space again" });
    }
    this.#goOn();
  }
}
