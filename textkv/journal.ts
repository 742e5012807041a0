/**
 * What makes lists outlive their server: a record for every change, and a snapshot now and then.
 * A record is the line that changed something, as it was sent, without its end.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { StoredState, StoreEffect, StoreInput } from "../base/store.ts";
import type { Limits } from "./limits.ts";
import type { Lists } from "./lists.ts";
import { Request } from "./request.ts";
import { type Part, SnapshotReader, SnapshotWriter } from "./snapshot.ts";

/** The form of the records, in the metadata. */
const RECORDS = "textkv records 1";
/** What a record takes beside its line. */
const RECORD_BYTES = 16;
/** Bytes of a part of a snapshot that is loaded. */
const LOAD_BYTES = 1 << 20;

/** The log of one server, as its core sees it. Indexes are those of the log. */
export class Journal {
  /** Everything up to this index is durable. */
  durable: number;
  /** Whether the lists are as the disk had them. */
  isRestored = false;
  readonly #lists: Lists;
  readonly #state: StoredState;
  readonly #push: (effect: StoreEffect) => void;
  readonly #limits: Limits;
  /** Index of the next record. */
  #next: number;
  #pending: Buffer[] = [];
  /** Bytes of records that are not durable, and of those after the last snapshot. */
  #unsavedBytes = 0;
  #logBytes = 0;
  /** Records that were asked to be stored and are not durable: how far, how many bytes. */
  readonly #underWay: { readonly index: number; readonly bytes: number }[] = [];
  #reader: SnapshotReader | undefined;
  #saving: Saving | undefined;
  #saveToken = 0;

  /** Goes on where `state` ends; `push` takes what is asked of the disk. */
  constructor(
    lists: Lists,
    state: StoredState,
    limits: Limits,
    push: (effect: StoreEffect) => void,
  ) {
    this.#lists = lists;
    this.#state = state;
    this.#limits = limits;
    this.#push = push;
    this.#next = state.records.next;
    this.durable = this.#next - 1;
  }

  /** Whether no more should be changed until more is durable. */
  get isBehind(): boolean {
    return this.#unsavedBytes > this.#limits.unsavedBytesMax;
  }

  /** The index that the next change gets. */
  get next(): number {
    return this.#next;
  }

  /** Fills the lists. Throws an Error of one line if the disk holds what is not known here. */
  restore(): void {
    const { meta, snapshot } = this.#state;
    const form = meta === undefined ? RECORDS : Buffer.from(meta).toString("latin1");
    if (form !== RECORDS) throw new Error(`it has "${form}", this program knows "${RECORDS}"`);
    if (snapshot === undefined) return this.#replay();
    this.#reader = new SnapshotReader(this.#lists);
    if (snapshot.bytes === undefined) return this.#load(0);
    this.#reader.read(snapshot.bytes);
    this.#finishReading();
  }

  /** Takes what a disk tells, but for `disk`. */
  handle(input: Exclude<StoreInput, { kind: "disk" }>): void {
    if (input.kind === "stored") this.#stored(input.token);
    else if (input.kind === "saved") {
      if (input.token === this.#saveToken) this.#saveNext();
    } else this.#loaded(input);
  }

  /** The line in `bytes` from `from` to before `to` changed something. */
  note(bytes: Buffer, from: number, to: number): void {
    const record = Buffer.from(bytes.subarray(from, to));
    this.#pending.push(record);
    this.#unsavedBytes += record.length + RECORD_BYTES;
    this.#next++;
  }

  /** Asks to store what was noted. To be called when a turn is over. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const records = this.#pending;
    const at = this.#next - records.length;
    const index = this.#next - 1;
    const bytes = records.reduce((sum, record) => sum + record.length + RECORD_BYTES, 0);
    const isFirst = at === 1 && this.#state.meta === undefined;
    const meta = isFirst ? { meta: Buffer.from(RECORDS, "latin1") } : {};
    this.#pending = [];
    this.#underWay.push({ index, bytes });
    this.#logBytes += bytes;
    this.#push({ kind: "store", token: index, log: { at, records }, ...meta });
    const isDue = this.#logBytes >= Math.max(this.#limits.snapshotLogBytes, this.#lists.bytes);
    if (isDue && this.#saving === undefined) this.#beginSaving(index);
  }

  #stored(index: number): void {
    this.durable = Math.max(this.durable, index);
    while (this.#underWay.length > 0 && this.#underWay[0]!.index <= index) {
      this.#unsavedBytes -= this.#underWay.shift()!.bytes;
    }
    const saving = this.#saving;
    if (saving?.held !== undefined && saving.needs <= this.durable) this.#save(saving, saving.held);
  }

  // ---- snapshots

  #beginSaving(index: number): void {
    this.#logBytes = 0;
    const writer = new SnapshotWriter(this.#lists, this.#limits.snapshotPartBytes);
    this.#saving = { index, writer, offset: 0, needs: Infinity, held: undefined };
    this.#saveNext();
  }

  /** A part was taken: the next one, if the last one was not it. */
  #saveNext(): void {
    const saving = this.#saving;
    if (saving === undefined) return;
    if (saving.needs < Infinity) {
      this.#saving = undefined;
      return;
    }
    const part = saving.writer.next();
    if (!part.isLast) return this.#save(saving, part);
    // It may hold what is not durable yet: whole, it must not be there before that is.
    saving.needs = this.#next - 1;
    if (saving.needs <= this.durable) this.#save(saving, part);
    else saving.held = part;
  }

  #save(saving: Saving, { bytes, isLast }: Part): void {
    const { index, offset } = saving;
    saving.held = undefined;
    saving.offset += bytes.length;
    const end = isLast ? ({ last: { log: "keep" } } as const) : {};
    this.#push({ kind: "save", token: ++this.#saveToken, index, offset, bytes, ...end });
  }

  // ---- restoring

  #load(offset: number): void {
    const { index } = this.#state.snapshot!;
    this.#push({ kind: "load", index, offset, bytesMax: LOAD_BYTES });
  }

  #loaded({ bytes, offset, size }: Extract<StoreInput, { kind: "loaded" }>): void {
    invariant(bytes !== undefined, "the snapshot that was there at the start is still there");
    this.#reader!.read(bytes);
    if (offset + bytes.length < size) this.#load(offset + bytes.length);
    else this.#finishReading();
  }

  #finishReading(): void {
    this.#reader!.end();
    this.#reader = undefined;
    this.#replay();
  }

  #replay(): void {
    const { records, snapshot } = this.#state;
    const request = new Request();
    for (let i = Math.max(records.first, (snapshot?.index ?? 0) + 1); i < records.next; i++) {
      const { buffer, byteOffset, length } = records.at(i);
      const record = Buffer.from(buffer, byteOffset, length);
      this.#logBytes += record.length + RECORD_BYTES;
      const why = request.read(record, 0, record.length, Infinity);
      if (why !== undefined) throw new Error(`its record ${i} is no request (${why})`);
      const { verb, key, old, value } = request;
      // The snapshot has it already: this list was younger than the moment at which it began.
      if ((this.#lists.get(key)?.changedAt ?? 0) >= i) continue;
      if (verb === "Put") this.#lists.put(key, value, i);
      else if (verb === "Update") this.#lists.update(key, old, value, i);
      else this.#lists.delete(key, i);
    }
    this.isRestored = true;
  }
}

/** A snapshot that is being saved. */
interface Saving {
  readonly index: number;
  readonly writer: SnapshotWriter;
  offset: number;
  /** When the last part was made: what has to be durable before it is saved. */
  needs: number;
  held: Part | undefined;
}
