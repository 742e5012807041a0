/**
 * The memory that the pool's threads share: which searches are open, how far each is claimed, which
 * thread works on which block. Threads claim blocks in ascending order and flow from one search to
 * the next without asking anybody.
 *
 * A lock guards all of it, held for microseconds some fifty times a second and thread. Workers wait
 * for it; the main thread, which serves the socket, only ever tries and comes back later.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Candidate } from "../work/candidate.ts";
import {
  ALL_CLAIMED,
  bestOf,
  CLOSED,
  CURSOR,
  FINISHED,
  fold,
  HAS_BEST,
  HAS_TARGET,
  hasUnclaimed,
  ID,
  IS_HEADER,
  IS_HIT,
  LAST,
  LOWER,
  OPEN,
  ORDER,
  read256,
  SLOT_WORDS,
  STATE,
  SUBJECT_BYTES,
  TARGET,
  UPPER,
  write256,
} from "./pool_slot.ts";
import type { Search } from "./types.ts";

/** Searches that can be open at once, including dropped ones that a thread is still busy with. */
export const SLOTS = 8;
/** Longest subject in bytes: a message in UTF-8, or a block header. */
export const SUBJECT_CAPACITY: number = 1 << 16;

// Header, 32-bit words: the lock's holder (0: free, else worker + 1, the main thread: threads + 1),
// a count that changes when there is new work, whether the pool is closing, whether a dead worker's
// block may be waiting for somebody, and which kernel to use (0: the one begun with).
const LOCK = 0;
const WORK = 1;
const CLOSING = 2;
const ORPHANS = 3;
const KERNEL = 4;
const HEADER_BYTES = 32;

// A worker's 64-bit words: its block in work. `AT_SLOT` is the slot + 1, or 0 for none; an orphaned
// block belongs to a worker that died, and the next claim takes it.
const AT_SLOT = 0;
const START = 1;
const END = 2;
const ORPHANED = 3;
const SEARCHED = 4;
const WORKER_WORDS = 8;

/** A block to search, claimed by one worker. */
export interface Block {
  readonly slot: number;
  readonly id: number;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target: bigint | undefined;
}

/** The bytes that nonces are hashed with. */
export interface SubjectBytes {
  readonly bytes: Uint8Array;
  /** They are a block header, not a message. */
  readonly isHeader: boolean;
}

/** How far an open search is. */
export interface SearchState {
  /** All in [lower, next - 1] is searched; at most the upper end. */
  readonly next: bigint;
  readonly best: Candidate | undefined;
  /** Whether anything of it was claimed yet. */
  readonly begun: boolean;
  /** All is searched, or the lowest hit is known. */
  readonly finished: boolean;
}

/** A view of the shared memory for one thread: a worker, or the main one (`self` = `threads`). */
export class PoolControl {
  readonly memory: SharedArrayBuffer;
  readonly threads: number;
  readonly #self: number;
  readonly #header: Int32Array;
  readonly #slots: BigUint64Array[] = [];
  readonly #workers: BigUint64Array[] = [];
  readonly #subjects: Uint8Array[] = [];

  constructor(memory: SharedArrayBuffer, threads: number, self: number) {
    this.memory = memory;
    this.threads = threads;
    this.#self = self;
    this.#header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    let at = HEADER_BYTES;
    for (let slot = 0; slot < SLOTS; slot++, at += SLOT_WORDS * 8) {
      this.#slots.push(new BigUint64Array(memory, at, SLOT_WORDS));
    }
    for (let worker = 0; worker < threads; worker++, at += WORKER_WORDS * 8) {
      this.#workers.push(new BigUint64Array(memory, at, WORKER_WORDS));
    }
    for (let slot = 0; slot < SLOTS; slot++, at += SUBJECT_CAPACITY) {
      this.#subjects.push(new Uint8Array(memory, at, SUBJECT_CAPACITY));
    }
  }

  /** Fresh memory for a pool of `threads`, seen by its main thread. */
  static create(threads: number): PoolControl {
    const words = SLOTS * SLOT_WORDS + threads * WORKER_WORDS;
    const bytes = HEADER_BYTES + words * 8 + SLOTS * SUBJECT_CAPACITY;
    return new PoolControl(new SharedArrayBuffer(bytes), threads, threads);
  }

  // ---- the lock

  /** Takes the lock if it is free. */
  tryLock(): boolean {
    return Atomics.compareExchange(this.#header, LOCK, 0, this.#self + 1) === 0;
  }

  /** Takes the lock, waiting for it: for workers only. */
  lock(): void {
    while (!this.tryLock()) {
      const holder = Atomics.load(this.#header, LOCK);
      if (holder !== 0) Atomics.wait(this.#header, LOCK, holder, 1);
    }
  }

  unlock(): void {
    const was = Atomics.exchange(this.#header, LOCK, 0);
    invariant(was === this.#self + 1, "only the holder opens the pool's lock");
    Atomics.notify(this.#header, LOCK, 1);
  }

  /** Takes over the lock of a worker that died with it. Whether it had it. */
  seizeLock(dead: number): boolean {
    return Atomics.compareExchange(this.#header, LOCK, dead + 1, this.#self + 1) === dead + 1;
  }

  // ---- waiting for work

  /** Changes whenever there may be new work. */
  workCount(): number {
    return Atomics.load(this.#header, WORK);
  }

  /** Sleeps until the count is not `seen` any more: for workers only. */
  awaitWork(seen: number): void {
    Atomics.wait(this.#header, WORK, seen);
  }

  announceWork(): void {
    Atomics.add(this.#header, WORK, 1);
    Atomics.notify(this.#header, WORK);
  }

  get closing(): boolean {
    return Atomics.load(this.#header, CLOSING) !== 0;
  }

  announceClosing(): void {
    Atomics.store(this.#header, CLOSING, 1);
    this.announceWork();
  }

  /** Number of the kernel that the threads shall use from their next block on; 0: no wish. */
  get kernel(): number {
    return Atomics.load(this.#header, KERNEL);
  }

  set kernel(number: number) {
    Atomics.store(this.#header, KERNEL, number);
  }

  // ---- for workers, under the lock

  /** The next block for this worker, of about `wanted` nonces; `undefined` if there is none. */
  claim(wanted: number): Block | undefined {
    const mine = this.#workers[this.#self]!;
    // A worker that follows on one that died may find that one's block; it is its own now.
    const left = mine[AT_SLOT] !== 0n || this.#adoptOrphan(mine);
    if (left && this.#isWanted(mine)) {
      mine[ORPHANED] = 0n;
      return this.#blockOf(mine);
    }
    mine[AT_SLOT] = mine[ORPHANED] = 0n;
    let from: BigUint64Array | undefined;
    for (const slot of this.#slots) {
      if (slot[STATE] !== OPEN || !hasUnclaimed(slot)) continue;
      if (from === undefined || slot[ORDER]! < from[ORDER]!) from = slot;
    }
    if (from === undefined) return undefined;
    // The block is written down before it is claimed, so that it cannot get lost on the way.
    mine[START] = from[CURSOR]!;
    mine[END] = this.#endOfBlock(from, wanted);
    mine[AT_SLOT] = BigInt(this.#slots.indexOf(from) + 1);
    if (mine[END] === from[LAST]) from[ALL_CLAIMED] = 1n;
    else from[CURSOR] = mine[END]! + 1n;
    return this.#blockOf(mine);
  }

  /** Moves a dead worker's block that is still wanted into `mine`; whether there was one. */
  #adoptOrphan(mine: BigUint64Array): boolean {
    if (this.#header[ORPHANS] === 0) return false;
    const orphan = this.#workers.find(
      (worker) => worker[ORPHANED] === 1n && this.#isWanted(worker),
    );
    if (orphan === undefined) {
      this.#header[ORPHANS] = 0;
      return false;
    }
    for (const field of [START, END, AT_SLOT]) mine[field] = orphan[field]!;
    orphan[AT_SLOT] = orphan[ORPHANED] = 0n;
    return true;
  }

  #isWanted(worker: BigUint64Array): boolean {
    const slot = this.#slots[Number(worker[AT_SLOT]!) - 1];
    return slot !== undefined && slot[STATE] === OPEN && worker[START]! <= slot[LAST]!;
  }

  #blockOf(worker: BigUint64Array): Block {
    const index = Number(worker[AT_SLOT]!) - 1;
    const slot = this.#slots[index]!;
    const target = slot[HAS_TARGET] === 1n ? read256(slot, TARGET) : undefined;
    return {
      slot: index,
      id: Number(slot[ID]!),
      lower: worker[START]!,
      upper: worker[END]!,
      target,
    };
  }

  /** Near a search's end blocks get smaller, so that all threads come to its end together. */
  #endOfBlock(slot: BigUint64Array, wanted: number): bigint {
    const left = slot[LAST]! - slot[CURSOR]!;
    const share = left / BigInt(2 * this.threads);
    const least = BigInt(Math.ceil(wanted / 16));
    const count = [BigInt(wanted), share > least ? share : least].reduce((a, b) => (a < b ? a : b));
    return count > left ? slot[LAST]! : slot[CURSOR]! + count - 1n;
  }

  /** Hands in this worker's block. Whether the main thread should have a look. */
  complete(best: Candidate): boolean {
    const mine = this.#workers[this.#self]!;
    const index = Number(mine[AT_SLOT]!) - 1;
    const slot = this.#slots[index]!;
    if (slot[STATE] === OPEN) fold(slot, best);
    mine[SEARCHED]! += mine[END]! - mine[START]! + 1n;
    mine[AT_SLOT] = 0n;
    if (slot[STATE] !== OPEN) return this.#inWork(index).length === 0;
    return this.#finishIfDone(index);
  }

  #finishIfDone(index: number): boolean {
    const slot = this.#slots[index]!;
    if (hasUnclaimed(slot) || this.#inWork(index).some((w) => w[START]! <= slot[LAST]!))
      return false;
    slot[STATE] = FINISHED;
    return true;
  }

  /** What a block that this worker has claimed is hashed with; no lock needed. */
  subjectOf(block: Block): SubjectBytes {
    const slot = this.#slots[block.slot]!;
    const bytes = this.#subjects[block.slot]!.slice(0, Number(slot[SUBJECT_BYTES]!));
    return { bytes, isHeader: slot[IS_HEADER] === 1n };
  }

  /** The workers' blocks that belong to a slot, orphaned ones too. */
  #inWork(slot: number): BigUint64Array[] {
    return this.#workers.filter((worker) => worker[AT_SLOT] === BigInt(slot + 1));
  }

  // ---- for the main thread, under the lock

  /** Opens a search behind those opened before; its slot, or `undefined` when all are taken. */
  open(search: Search, order: number): number | undefined {
    const { subject } = search;
    const isHeader = typeof subject !== "string";
    const bytes = isHeader ? subject : new TextEncoder().encode(subject);
    invariant(bytes.length <= SUBJECT_CAPACITY, "a subject fits into its slot");
    invariant(search.lower <= search.upper, "a search has at least one nonce");
    const index = this.#slots.findIndex((slot, at) => {
      return slot[STATE] === CLOSED && this.#inWork(at).length === 0;
    });
    const slot = this.#slots[index];
    if (slot === undefined) return undefined;
    this.#subjects[index]!.set(bytes);
    slot.fill(0n);
    slot[ID] = BigInt(search.id);
    slot[LOWER] = slot[CURSOR] = search.lower;
    slot[UPPER] = slot[LAST] = search.upper;
    slot[HAS_TARGET] = search.target === undefined ? 0n : 1n;
    write256(slot, TARGET, search.target ?? 0n);
    slot[ORDER] = BigInt(order);
    slot[SUBJECT_BYTES] = BigInt(bytes.length);
    slot[IS_HEADER] = isHeader ? 1n : 0n;
    slot[STATE] = OPEN;
    return index;
  }

  stateOf(index: number): SearchState {
    const slot = this.#slots[index]!;
    const begun = slot[ALL_CLAIMED] === 1n || slot[CURSOR]! > slot[LOWER]!;
    // Above a hit nothing is searched for sure: there, `LAST` comes before the cursor.
    let next =
      slot[ALL_CLAIMED] === 1n || slot[CURSOR]! > slot[LAST]! ? slot[LAST]! : slot[CURSOR]!;
    for (const worker of this.#inWork(index)) if (worker[START]! < next) next = worker[START]!;
    return { next, best: bestOf(slot), begun, finished: slot[STATE] === FINISHED };
  }

  /** Ends the search at `upper`, or at the end of what is claimed if that lies behind it. */
  shrink(index: number, upper: bigint): bigint {
    const slot = this.#slots[index]!;
    // With a hit known all claims end there, and the range has no smaller end than that to offer.
    if (slot[STATE] !== OPEN || slot[ALL_CLAIMED] === 1n || slot[IS_HIT] === 1n)
      return slot[UPPER]!;
    const claimed = slot[CURSOR]! > slot[LOWER]! ? slot[CURSOR]! - 1n : slot[LOWER]!;
    const end = upper > claimed ? upper : claimed;
    if (end >= slot[UPPER]!) return slot[UPPER]!;
    slot[UPPER] = slot[LAST] = end;
    if (slot[CURSOR]! > end) slot[ALL_CLAIMED] = 1n;
    this.#finishIfDone(index);
    return end;
  }

  /** Closes a search: nothing of it is claimed any more, and what threads still find is dropped. */
  close(index: number): void {
    this.#slots[index]![STATE] = CLOSED;
    for (const worker of this.#inWork(index)) {
      if (worker[ORPHANED] === 1n) worker[AT_SLOT] = worker[ORPHANED] = 0n;
    }
  }

  /** Leaves the block of a worker that died to the others. */
  orphan(dead: number): void {
    const worker = this.#workers[dead]!;
    if (!this.#isWanted(worker)) return this.forget(dead);
    worker[ORPHANED] = 1n;
    this.#header[ORPHANS] = 1;
  }

  /** Forgets what a dead worker had in hand, where it may be half written. */
  forget(dead: number): void {
    this.#workers[dead]!.fill(0n, 0, SEARCHED);
  }

  /** Begins an open search anew at `next`, with what is known of the part before it. */
  restart(index: number, next: bigint, best: Candidate | undefined): void {
    const slot = this.#slots[index]!;
    slot[CURSOR] = next;
    slot[ALL_CLAIMED] = slot[IS_HIT] = 0n;
    slot[LAST] = slot[UPPER]!;
    slot[STATE] = OPEN;
    slot[HAS_BEST] = 0n;
    if (best !== undefined) fold(slot, best);
  }

  /** Nonces searched by all threads since the pool began; no lock needed. */
  searched(): bigint {
    return this.#workers.reduce((sum, worker) => sum + Atomics.load(worker, SEARCHED), 0n);
  }
}
