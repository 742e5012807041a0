/**
 * The disk of one simulated node, which outlives the node's crashes: steps that take their time,
 * are lost when the power goes before they are done, fail, or find no space.
 *
 * @module
 */
import { invariant, type Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import type {
  Config,
  Entry,
  HardState,
  Persisted,
  SnapshotMeta,
  StoreEffect,
} from "../../raft/mod.ts";
import type { Durable } from "../engine/computer.ts";
import type { Loop } from "../engine/loop.ts";

/** How a disk behaves. */
export interface DiskFaults {
  /** A step takes from `stepMs` up to `stepMs + jitterMs`. */
  readonly stepMs: Millis;
  readonly jitterMs: Millis;
}

/** What a disk tells the life of the node that uses it. */
export interface DiskUser {
  stored(token: number): void;
  disk(state: "good" | "full" | "failed"): void;
}

/** A plant: what a faulty disk or driver does wrong. */
export interface DiskPlant {
  /** A vote is said to be durable and is not. */
  readonly losesVotes: boolean;
  /** A crash tears the snapshot of a step from the change of the log that belongs to it. */
  readonly tears: boolean;
}

const NO_PLANT: DiskPlant = { losesVotes: false, tears: false };

/** Durable state, and the one step that is under way. */
export class SimDisk implements Durable {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #plant: DiskPlant;
  faults: DiskFaults = { stepMs: 1, jitterMs: 0 };
  /** Whether there is no space, and whether the next step fails. */
  isFull = false;
  failsNext = false;
  #hard: HardState = { term: 0, vote: 0 };
  #meta: SnapshotMeta;
  #base = { index: 0, term: 0 };
  #entries: Entry[] = [];
  /** Snapshots by index: durable, or given by the state machine and still to be stored. */
  #snapshots = new Map<number, Uint8Array>();
  /** A snapshot that is coming in. */
  #incoming: { readonly meta: SnapshotMeta; bytes: Uint8Array } | undefined;
  #user: DiskUser | undefined;
  #pending: StoreEffect | undefined;
  #saidFull = false;

  constructor(loop: Loop, random: Random, config: Config, plant: DiskPlant = NO_PLANT) {
    this.#loop = loop;
    this.#random = random;
    this.#plant = plant;
    this.#meta = { index: 0, term: 0, config, size: 0 };
    this.#snapshots.set(0, new Uint8Array(0));
  }

  /** The term of the durable entry at `index`; undefined when it is not durable. */
  termAt(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term;
    if (index === this.#meta.index) return this.#meta.term;
    return this.#entries[index - this.#base.index - 1]?.term;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  /** The weight of the log's entries. */
  get logBytes(): number {
    return this.#entries.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** A node starts: what it finds. */
  start(user: DiskUser): Persisted {
    this.#user = user;
    return {
      hard: this.#hard,
      snapshot: this.#meta,
      base: this.#base,
      entries: this.#entries.slice(),
    };
  }

  /** The durable snapshot's bytes. */
  get snapshotBytes(): Uint8Array {
    const bytes = this.#snapshots.get(this.#meta.index);
    invariant(bytes, "the disk holds its snapshot");
    return bytes;
  }

  /** Power is lost: the step under way has happened or not, and nobody was told. */
  cutPower(): void {
    this.crashProcess();
  }

  /** The node dies; there is no cache of the system's that would survive it. */
  crashProcess(): void {
    this.#user = undefined;
    this.#incoming = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    this.#saidFull = false;
    if (pending !== undefined && !this.isFull) {
      if (this.#plant.tears && pending.snapshot !== undefined) this.#tear(pending);
      else if (chance(this.#random, 0.4)) this.#perform(pending);
    }
    for (const index of this.#snapshots.keys()) {
      if (index !== this.#meta.index) this.#snapshots.delete(index);
    }
  }

  /** Everything on it is gone. */
  wipe(config: Config): void {
    this.#hard = { term: 0, vote: 0 };
    this.#meta = { index: 0, term: 0, config, size: 0 };
    this.#base = { index: 0, term: 0 };
    this.#entries = [];
    this.#snapshots = new Map([[0, new Uint8Array(0)]]);
  }

  /** A snapshot of the state machine, to be read from now on, and stored with the next step. */
  give(index: number, bytes: Uint8Array): void {
    this.#snapshots.set(index, bytes);
  }

  /** Bytes of a snapshot; undefined when it is gone. */
  read(index: number, offset: number, bytesMax: number): Uint8Array | undefined {
    return this.#snapshots.get(index)?.subarray(offset, offset + bytesMax);
  }

  /** Keeps a piece of a snapshot that comes in. */
  keepChunk(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    if (offset === 0) this.#incoming = { meta, bytes: new Uint8Array(meta.size) };
    invariant(this.#incoming?.meta.index === meta.index, "pieces of one snapshot at a time");
    this.#incoming.bytes.set(data, offset);
  }

  /** Begins a durable step. */
  store(effect: StoreEffect): void {
    invariant(this.#pending === undefined, "one step at a time");
    this.#pending = effect;
    const { snapshot } = effect;
    if (snapshot?.source === "received") {
      invariant(this.#incoming?.meta.index === snapshot.meta.index, "the snapshot has come");
      this.#snapshots.set(snapshot.meta.index, this.#incoming.bytes);
    }
    this.#plan(effect);
  }

  #plan(effect: StoreEffect): void {
    const { stepMs, jitterMs } = this.faults;
    this.#loop.after(stepMs + unitReal(this.#random) * jitterMs, () => this.#finish(effect));
  }

  #finish(effect: StoreEffect): void {
    if (this.#pending !== effect) return;
    if (this.failsNext) {
      this.failsNext = false;
      this.#user?.disk("failed");
      return;
    }
    if (this.isFull) {
      if (!this.#saidFull) this.#user?.disk("full");
      this.#saidFull = true;
      this.#loop.after(50, () => this.#finish(effect));
      return;
    }
    this.#pending = undefined;
    this.#perform(effect);
    const user = this.#user;
    user?.stored(effect.token);
    if (this.#saidFull) user?.disk("good");
    this.#saidFull = false;
  }

  #perform({ hard, entries, snapshot }: StoreEffect): void {
    if (snapshot !== undefined) {
      this.#meta = snapshot.meta;
      this.#rebase(snapshot.base, snapshot.source === "received");
      for (const index of this.#snapshots.keys()) {
        const isNeeded = index >= snapshot.meta.index || snapshot.keep.includes(index);
        if (!isNeeded) this.#snapshots.delete(index);
      }
    }
    if (hard !== undefined) this.#hard = this.#plant.losesVotes ? { ...hard, vote: 0 } : hard;
    this.#write(entries);
  }

  #write(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index <= this.lastIndex + 1, `the disk's log has a gap before ${first.index}`);
    this.#entries.length = first.index - this.#base.index - 1;
    for (const entry of entries) this.#entries.push(entry);
  }

  #rebase(base: { readonly index: number; readonly term: number }, isReset: boolean): void {
    const kept = isReset ? [] : this.#entries.slice(Math.max(0, base.index - this.#base.index));
    this.#entries = kept;
    this.#base = base;
  }

  /** One half of a step without the other: a new snapshot, or a log that begins behind it. */
  #tear(effect: StoreEffect): void {
    const { snapshot } = effect;
    if (snapshot === undefined) return;
    if (chance(this.#random, 0.5)) this.#meta = snapshot.meta;
    else this.#rebase(snapshot.base, snapshot.source === "received");
  }
}
