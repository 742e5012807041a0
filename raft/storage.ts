/**
 * Raft's durable steps on a disk of this house (base/store.ts): which of the disk's effects make
 * one step, in which order, and when it is done. No I/O, so that the very same code runs on files,
 * in memory and in the simulator.
 *
 * The order is what makes each first part of a step a state that may be found after a crash: term
 * and vote, then records, then a snapshot that was taken here; or, of a snapshot that came from the
 * leader, that before the records (docs/storage.md).
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { SnapshotSteps } from "../base/state_machine.ts";
import {
  PART_BYTES_MAX,
  type StoredState,
  type StoreEffect as DiskEffect,
  type StoreInput,
} from "../base/store.ts";
import { CLUSTER_MEMBERS_MAX, decodeMeta, encodeMeta, type Identity } from "./identity.ts";
import type { Entry, HardState, SnapshotMeta } from "./messages.ts";
import { decodeRecord, encodeRecord } from "./records.ts";
import { encodeAbout, readAbout } from "./snapshot_about.ts";
import { Taking } from "./taking.ts";
import type { Persisted, StoredSnapshot, StoreEffect } from "./types.ts";

const NO_BYTES = new Uint8Array(0);
const START = { index: 0, term: 0 };
/** Bytes of a snapshot that come in and are not on the disk yet; above, pieces are dropped. */
export const INCOMING_BYTES_MAX: number = 8 << 20;

/** What a storage tells the node that it is of. */
export interface StorageEvents {
  /** What the disk is asked for. */
  readonly ask: (effect: DiskEffect) => void;
  /** The step of this token is durable. */
  readonly stored: (token: number) => void;
  /** What was made of the snapshot that is being taken is written: `takeOn` makes more. */
  readonly taking: () => void;
  /** The snapshot that was given is written, but for its end. */
  readonly given: (index: number, size: number) => void;
}

/** A part of a snapshot, or undefined when there is no such snapshot (any more). */
type Loaded = (bytes: Uint8Array | undefined) => void;

/** A part of a snapshot that is being read. */
interface Load {
  readonly index: number;
  readonly offset: number;
  readonly take: Loaded;
  bytes: Uint8Array | undefined;
  isDone: boolean;
}

/** What a directory held: who the node is, and what its core is given. */
export interface Recovered {
  readonly identity: Identity;
  readonly persisted: Persisted;
}

/** What a disk held; undefined: nothing. Throws an Error of one line on what makes no sense. */
export function recoverState({ meta, snapshot, records }: StoredState): Recovered | undefined {
  if (meta === undefined) return undefined;
  const { identity, hard } = decodeMeta(meta);
  const about = snapshot && readAbout(snapshot.about, snapshot.index, snapshot.size);
  const taken: SnapshotMeta = about?.meta ?? { ...START, config: identity.first, size: 0 };
  let base = { index: taken.index, term: taken.term };
  const entries: Entry[] = [];
  if (records.first <= taken.index && about?.base.index === records.first - 1) base = about.base;
  for (let index = records.first; index < records.next; index++) {
    const entry = decodeRecord(records.at(index), index, CLUSTER_MEMBERS_MAX);
    if (entry === undefined) throw new Error(`record ${index} of its log is malformed`);
    // Of a log that begins later than its snapshot says, the first entry stands for what is gone.
    if (index <= taken.index && entries.length === 0 && base.index !== index - 1) {
      base = { index, term: entry.term };
    } else if (index > base.index) entries.push(entry);
  }
  return { identity, persisted: { hard, snapshot: taken, base, entries } };
}

/** See the module. */
export class RaftStorage {
  readonly #events: StorageEvents;
  #identity: Identity;
  #hard: HardState;
  /** Of the disk's effects. */
  #token = 0;
  /** The index behind the last record that was asked to be stored. */
  #next: number;
  /** Of the newest snapshot that was asked for. */
  #snapshotIndex: number;
  /** The core's step that is under way, and the disk's tokens that it waits for; 0 for none. */
  #step: { readonly token: number; store: number; save: number } | undefined;
  #taking: Taking | undefined;
  #incoming: { readonly index: number; offset: number } | undefined;
  readonly #incomingBytes = new Map<number, number>();
  #unsavedBytes = 0;
  /** Who waits for parts of snapshots: they get them in the order in which they asked. */
  readonly #loads: Load[] = [];
  /** Loads of the snapshot that is being made durable. */
  readonly #later: (() => void)[] = [];
  /** Who waits for an identity to be durable. */
  readonly #identities: { readonly token: number; readonly kept: () => void }[] = [];

  constructor(identity: Identity, persisted: Persisted, events: StorageEvents) {
    this.#identity = identity;
    this.#events = events;
    this.#hard = persisted.hard;
    this.#snapshotIndex = persisted.snapshot.index;
    this.#next = (persisted.entries.at(-1)?.index ?? persisted.base.index) + 1;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Whether pieces of a snapshot come faster than the disk takes them. */
  get isFlooded(): boolean {
    return this.#unsavedBytes > INCOMING_BYTES_MAX;
  }

  /** Whether a snapshot of the state is being written: one at a time. */
  get isTaking(): boolean {
    return this.#taking !== undefined;
  }

  /** Keeps who this node is; `then` is called when that is durable. */
  keepIdentity(identity: Identity, then: () => void): void {
    // A node that joined may have got its first members by an empty snapshot.
    const first = identity.first.voters.length > 0 ? identity.first : this.#identity.first;
    this.#identity = { ...identity, first };
    const token = ++this.#token;
    this.#identities.push({ token, kept: then });
    this.#events.ask({ kind: "store", token, meta: this.#meta });
  }

  /** Replaces the whole log, which this directory alone survived with, and who it is. */
  keepAll(identity: Identity, hard: HardState, entry: Entry, then: () => void): void {
    this.#identity = identity;
    this.#hard = hard;
    const token = ++this.#token;
    this.#identities.push({ token, kept: then });
    const log = { at: entry.index, records: [encodeRecord(entry)] };
    this.#next = entry.index + 1;
    this.#events.ask({ kind: "store", token, meta: this.#meta, log });
  }

  /** Begins the core's next step. */
  store({ token, hard, entries, snapshot }: StoreEffect): void {
    invariant(this.#step === undefined, "the core asks for one step at a time");
    const step = { token, store: 0, save: 0 };
    this.#step = step;
    if (hard !== undefined) this.#hard = hard;
    const isStart = snapshot?.source === "received" && snapshot.meta.index === 0;
    if (isStart) this.#identity = { ...this.#identity, first: snapshot.meta.config };
    const hasMeta = hard !== undefined || isStart;
    if (snapshot === undefined || isStart) step.store = this.#append(entries, hasMeta);
    else if (snapshot.source === "taken" && !this.#hasGap(entries, snapshot)) {
      step.store = this.#append(entries, hasMeta);
      step.save = this.#endTaken(snapshot, "keep");
    } else {
      if (hasMeta) step.store = this.#append([], true);
      const isTaken = snapshot.source === "taken";
      step.save = isTaken ? this.#endTaken(snapshot, "discard") : this.#endReceived(snapshot);
      const behind = entries.filter(({ index }) => index > snapshot.meta.index);
      step.store = this.#append(behind, false) || step.store;
    }
    invariant(step.store + step.save > 0, "a step has something to store");
  }

  /** Keeps a piece of a snapshot that comes in. */
  keepChunk(meta: SnapshotMeta, offset: number, bytes: Uint8Array): void {
    const { index } = meta;
    if (index === 0) return;
    if (offset === 0) {
      if (this.#incoming !== undefined && this.#incoming.index !== index) {
        this.#events.ask({ kind: "forget", index: this.#incoming.index });
      }
      this.#incoming = { index, offset: 0 };
    }
    invariant(this.#incoming?.index === index, "pieces come of one snapshot at a time");
    this.#incoming.offset = offset + bytes.length;
    const token = ++this.#token;
    this.#incomingBytes.set(token, bytes.length);
    this.#unsavedBytes += bytes.length;
    this.#events.ask({ kind: "save", token, index, offset, bytes });
  }

  /**
   * Takes a snapshot of the state: makes and writes all of it but the end, which a step of the core
   * brings. Between steps of the snapshot it waits for `takeOn`.
   */
  give(index: number, steps: SnapshotSteps): void {
    invariant(this.#taking === undefined, "one snapshot is taken at a time");
    if (this.#incoming !== undefined && this.#incoming.index <= index) this.#forgetIncoming();
    this.#taking = new Taking(index, steps);
    this.takeOn();
  }

  /** Makes the next part of the snapshot that is being taken, unless one is under way. */
  takeOn(): void {
    if (this.#taking?.make()) this.#goOnTaking();
  }

  /** What was given is of no use to the core: a newer one has come. */
  dropTaken(): void {
    const taking = this.#taking;
    this.#taking = undefined;
    if (taking !== undefined) this.#events.ask({ kind: "forget", index: taking.index });
  }

  /** Reads up to `bytesMax` bytes of a snapshot. */
  load(index: number, offset: number, bytesMax: number, then: Loaded): void {
    if (index === 0) return then(NO_BYTES);
    if (this.#step !== undefined && this.#step.save > 0 && index === this.#snapshotIndex) {
      this.#later.push(() => this.load(index, offset, bytesMax, then));
      return;
    }
    this.#loads.push({ index, offset, take: then, bytes: undefined, isDone: false });
    this.#events.ask({ kind: "load", index, offset, bytesMax });
  }

  /** Reads a whole snapshot. */
  loadWhole({ index, size }: SnapshotMeta, then: (bytes: Uint8Array) => void): void {
    const whole = new Uint8Array(size);
    const next = (offset: number): void => {
      if (offset >= size) return then(whole);
      this.load(index, offset, Math.min(PART_BYTES_MAX, size - offset), (bytes) => {
        invariant(bytes && bytes.length > 0, () => `the disk holds snapshot ${index}`);
        whole.set(bytes, offset);
        next(offset + bytes.length);
      });
    };
    next(0);
  }

  /** The disk has answered; what it says of its own state is the node's affair. */
  answered(input: StoreInput): void {
    if (input.kind === "stored") this.#stored(input.token);
    else if (input.kind === "saved") this.#saved(input.token);
    else if (input.kind === "loaded") this.#loaded(input);
  }

  get #meta(): Uint8Array {
    return encodeMeta({ identity: this.#identity, hard: this.#hard });
  }

  /** Whether the disk's log would have a gap: what is missing, a quorum held before this disk. */
  #hasGap(entries: readonly Entry[], { meta }: StoredSnapshot): boolean {
    const next = entries[0]?.index ?? this.#next;
    return next > this.#next || Math.max(this.#next, lastOf(entries) + 1) <= meta.index;
  }

  /** Asks for records to be appended, or metadata, or both; its token, or 0 when there is none. */
  #append(entries: readonly Entry[], hasMeta: boolean): number {
    const first = entries[0];
    if (first === undefined && !hasMeta) return 0;
    const token = ++this.#token;
    const meta = hasMeta ? { meta: this.#meta } : {};
    if (first === undefined) this.#events.ask({ kind: "store", token, ...meta });
    else {
      this.#next = lastOf(entries) + 1;
      const log = { at: first.index, records: entries.map(encodeRecord) };
      this.#events.ask({ kind: "store", token, log, ...meta });
    }
    return token;
  }

  #endTaken(snapshot: StoredSnapshot, log: "keep" | "discard"): number {
    const { meta, base, keep } = snapshot;
    const { index, size } = meta;
    const taking = this.#taking;
    invariant(taking?.index === index && taking.offset === size, "the snapshot was given");
    this.#taking = undefined;
    const isKept = log === "keep";
    const about = encodeAbout(meta, isKept ? base : meta);
    const end = { log, about, retain: keep, ...(isKept && { logFrom: base.index + 1 }) };
    if (!isKept) this.#next = index + 1;
    return this.#end(index, size, end);
  }

  #endReceived({ meta, keep }: StoredSnapshot): number {
    const { index, size } = meta;
    invariant(
      this.#incoming?.index === index && this.#incoming.offset === size,
      "the snapshot has come",
    );
    this.#incoming = undefined;
    this.dropTaken();
    this.#next = index + 1;
    return this.#end(index, size, { log: "discard", about: encodeAbout(meta, meta), retain: keep });
  }

  #end(
    index: number,
    offset: number,
    last: NonNullable<(DiskEffect & { kind: "save" })["last"]>,
  ): number {
    const token = ++this.#token;
    this.#snapshotIndex = index;
    this.#events.ask({ kind: "save", token, index, offset, bytes: NO_BYTES, last });
    return token;
  }

  #forgetIncoming(): void {
    this.#events.ask({ kind: "forget", index: this.#incoming!.index });
    this.#incoming = undefined;
  }

  #goOnTaking(): void {
    const taking = this.#taking!;
    const { index, offset, isOver } = taking;
    if (isOver) return this.#events.given(index, offset);
    const bytes = taking.part();
    if (bytes === undefined) return this.#events.taking();
    taking.token = ++this.#token;
    this.#events.ask({ kind: "save", token: taking.token, index, offset, bytes });
  }

  #stored(token: number): void {
    while ((this.#identities[0]?.token ?? Infinity) <= token) this.#identities.shift()!.kept();
    const step = this.#step;
    if (step !== undefined && step.store > 0 && step.store <= token) step.store = 0;
    this.#endStep();
  }

  #saved(token: number): void {
    const incoming = this.#incomingBytes.get(token);
    if (incoming !== undefined) {
      this.#incomingBytes.delete(token);
      this.#unsavedBytes -= incoming;
    }
    if (this.#taking?.token === token) {
      this.#taking.token = 0;
      return this.#goOnTaking();
    }
    if (this.#step?.save === token) this.#step.save = 0;
    this.#endStep();
  }

  #endStep(): void {
    const step = this.#step;
    if (step === undefined || step.store > 0 || step.save > 0) return;
    this.#step = undefined;
    this.#events.stored(step.token);
    for (const load of this.#later.splice(0)) load();
  }

  #loaded({ index, offset, bytes }: StoreInput & { kind: "loaded" }): void {
    const load = this.#loads.find((one) => {
      return !one.isDone && one.index === index && one.offset === offset;
    });
    if (load === undefined) return;
    load.isDone = true;
    load.bytes = bytes;
    // A disk may read a later part sooner.
    while (this.#loads[0]?.isDone) {
      const { take, bytes: first } = this.#loads.shift()!;
      take(first);
    }
  }
}

function lastOf(entries: readonly Entry[]): number {
  return entries.at(-1)?.index ?? 0;
}
