/**
 * What one end has received: messages and pieces ahead of their turn are kept, in bounds, and
 * handed on in order, once each (docs/lsp.md, section 4). Both wires use it.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import type { Budget, Reservation } from "./budget.ts";
import { Reassembly } from "./fragments.ts";
import { Marks, type Piece } from "./frame.ts";
import { IN_ORDER_RESERVE_BYTES, type LspLimits } from "./params.ts";

/** What became of a received message or piece. Only `new` and `duplicate` are acknowledged. */
export type Arrival = "new" | "duplicate" | "dropped" | "breach";

/** The receiving half of a connection. */
export class ReceiveBuffer {
  /** The next sequence number that will be handed on. */
  expected: number;
  /** Bytes of payload handed on since the start, read or not. */
  handedOnBytes = 0;
  /** Bytes and messages handed on and not read yet. */
  unreadBytes = 0;
  unreadCount = 0;
  /** Bytes kept ahead of their turn. */
  heldBytes = 0;
  /** True once nobody wants to read: what arrives is acknowledged and forgotten. */
  discarding = false;
  /** How the peer broke the protocol, once it did; from then on nothing more is taken. */
  breach: string | undefined;

  readonly #limits: LspLimits;
  readonly #budget: Budget;
  readonly #deliver: (payload: Uint8Array) => void;
  readonly #onRoom: () => void;
  #held: Map<number, Uint8Array | Piece> | undefined;
  /** First and last sequence number of each run that is held, ascending, with gaps between. */
  readonly #runs: number[] = [];
  #reassembly: Reassembly | undefined;
  /** Large messages that were not read: which one, counting all messages, and its reservation. */
  #large: Queue<{ readonly ordinal: number; readonly reservation: Reservation }> | undefined;
  #delivered = 0;

  /** `onRoom` is told when a piece that was dropped for want of memory would be taken now. */
  constructor(
    isn: number,
    limits: LspLimits,
    budget: Budget,
    deliver: (payload: Uint8Array) => void,
    onRoom: () => void = () => {},
  ) {
    this.expected = isn + 1;
    this.#limits = limits;
    this.#budget = budget;
    this.#deliver = deliver;
    this.#onRoom = onRoom;
  }

  /** How many messages and pieces beyond `expected - 1` are taken now. */
  get creditMessages(): number {
    const { maxReorder, maxUnreadMessages } = this.#limits;
    return Math.max(0, Math.min(maxReorder, maxUnreadMessages - this.unreadCount));
  }

  /** How many bytes beyond `expected - 1` are taken now. */
  get creditBytes(): number {
    const { unreadBytes } = this;
    const reassembly = this.#reassembly;
    const { maxUnreadBytes, maxUnreadBytesTotal } = this.#limits;
    if (reassembly?.isWaiting) return 0;
    const own = Math.max(0, maxUnreadBytes - unreadBytes - (reassembly?.borrowedBytes ?? 0));
    // The pieces of a message that has its room need none of what the others share.
    if (reassembly?.isPartial) return own;
    const total = maxUnreadBytesTotal - this.#budget.bytes + this.heldBytes;
    return Math.max(0, Math.min(own, total));
  }

  /** How many runs of messages are held beyond a gap. */
  get runCount(): number {
    return this.#runs.length / 2;
  }

  /** Bytes of a message whose end has not come yet. */
  get partialBytes(): number {
    return this.#reassembly?.filledBytes ?? 0;
  }

  /** Whether others want the memory of a message that only its sender keeps from ending. */
  get keepsOthersWaiting(): boolean {
    if (!this.#budget.isContended || !this.#reassembly?.hasReservation) return false;
    return this.creditBytes > 0 && this.creditMessages > 0;
  }

  /**
   * Takes message `seq`, or a piece. A message's bytes must stay unchanged from now on; a piece's
   * are copied.
   */
  accept(seq: number, bytes: Uint8Array, marks: Marks = Marks.whole, remaining = 0): Arrival {
    if (this.breach !== undefined) return "breach";
    if (seq < this.expected || this.#held?.has(seq)) return "duplicate";
    const item = marks === Marks.whole ? bytes : { bytes, marks, remaining };
    if (seq > this.expected) return this.#hold(seq, item);
    if (!this.discarding) {
      if (this.#findBreach(item)) return "breach";
      if (!this.#takesNext(item)) return "dropped";
    }
    this.#handOn(item);
    this.#releaseHeld();
    return this.breach === undefined ? "new" : "breach";
  }

  /** The application read a message of `bytes` bytes. */
  noteRead(bytes: number): void {
    const ordinal = this.#delivered - this.unreadCount + 1;
    this.unreadCount--;
    this.unreadBytes -= bytes;
    const large = this.#large?.at(0);
    if (large?.ordinal !== ordinal) this.#budget.bytes -= bytes;
    else {
      this.#large!.shift();
      this.#budget.release(large.reservation);
    }
  }

  /** Forgets what is held, and from now on whatever arrives. */
  discard(): void {
    this.discarding = true;
    this.#budget.bytes -= this.heldBytes;
    this.heldBytes = 0;
    this.#held?.forEach((_, seq) => this.#held!.set(seq, empty));
    this.#reassembly?.drop();
  }

  /** Forgets what is held ahead of its turn: after the connection's end its turn never comes. */
  dropHeld(): void {
    this.#budget.bytes -= this.heldBytes;
    this.heldBytes = 0;
    this.#held = undefined;
    this.#runs.length = 0;
    this.#reassembly?.drop();
  }

  /** Writes up to `most` runs, the lowest, as pairs of first and last into `into`; their number. */
  writeRuns(into: Float64Array, most: number): number {
    const count = Math.min(most, this.runCount);
    for (let i = 0; i < 2 * count; i++) into[i] = this.#runs[i]!;
    return count;
  }

  #hold(seq: number, item: Uint8Array | Piece): Arrival {
    if (seq > this.expected + this.creditMessages - 1) return "dropped";
    if (this.discarding) item = empty;
    const length = lengthOf(item);
    // The expected message must find room whatever is held: so keep a payload's worth free.
    if (!this.#hasRoom(length, IN_ORDER_RESERVE_BYTES, 2)) return "dropped";
    this.#held ??= new Map();
    const kept = item instanceof Uint8Array ? item : { ...item, bytes: new Uint8Array(item.bytes) };
    this.#held.set(seq, kept);
    this.heldBytes += length;
    this.#budget.bytes += length;
    this.#addToRuns(seq);
    return "new";
  }

  /** Whether `item`, whose turn it is, breaks the protocol. */
  #findBreach(item: Uint8Array | Piece): boolean {
    if (!(item instanceof Uint8Array)) {
      this.#reassembly ??= new Reassembly(this.#budget, this.#limits.maxMessageBytes, this.#onRoom);
      this.breach = this.#reassembly.breach(item);
    } else if (this.#reassembly?.isPartial) this.breach = "a message inside another";
    return this.breach !== undefined;
  }

  /** Whether `item`, whose turn it is, finds room; if so, the room is its own. */
  #takesNext(item: Uint8Array | Piece): boolean {
    const reassembly = this.#reassembly;
    if (this.unreadCount >= this.#limits.maxUnreadMessages) return false;
    if (item instanceof Uint8Array) {
      if (!this.#hasRoom(item.length, 0, 1)) return false;
      this.#budget.bytes += item.length;
      return true;
    }
    const { length } = item.bytes;
    // What has begun must be able to end; what has not must wait until enough was read.
    if (!reassembly!.isPartial && !this.#hasOwnRoom(length)) return false;
    return reassembly!.makeRoom(item, length, false);
  }

  #hasRoom(bytes: number, reserve: number, share: number): boolean {
    if (!this.#hasOwnRoom(bytes + reserve)) return false;
    return this.#budget.bytes + bytes <= this.#limits.maxUnreadBytesTotal / share;
  }

  #hasOwnRoom(bytes: number): boolean {
    const kept = this.unreadBytes + this.heldBytes + (this.#reassembly?.borrowedBytes ?? 0);
    return kept + bytes <= this.#limits.maxUnreadBytes;
  }

  #handOn(item: Uint8Array | Piece): void {
    this.expected++;
    this.handedOnBytes += lengthOf(item);
    if (this.discarding) return;
    if (item instanceof Uint8Array) return this.#handOver(item);
    const whole = this.#reassembly!.add(item);
    if (whole === undefined) return;
    this.#large ??= new Queue();
    this.#large.push({ ordinal: this.#delivered + 1, reservation: whole.reservation });
    this.#handOver(whole.payload);
  }

  #handOver(payload: Uint8Array): void {
    this.#delivered++;
    this.unreadCount++;
    this.unreadBytes += payload.length;
    this.#deliver(payload);
  }

  #releaseHeld(): void {
    const held = this.#held;
    const runs = this.#runs;
    if (held === undefined || runs[0] !== this.expected) return;
    const last = runs[1]!;
    runs.splice(0, 2);
    let runBytes = 0;
    for (let seq = this.expected; seq <= last; seq++) runBytes += lengthOf(held.get(seq)!);
    for (let seq = this.expected; seq <= last; seq++) {
      const item = held.get(seq)!;
      const length = lengthOf(item);
      if (!this.discarding && this.#findBreach(item)) return;
      held.delete(seq);
      this.heldBytes -= length;
      if (!(item instanceof Uint8Array)) {
        // Its bytes move from what is held to the message; all of the run, so that it grows once.
        this.#budget.bytes -= length;
        this.#reassembly!.makeRoom(item, runBytes, true);
      }
      runBytes -= length;
      this.#handOn(item);
    }
    if (held.size === 0) this.#held = undefined;
  }

  /** Most messages extend the last run; so the search starts there. */
  #addToRuns(seq: number): void {
    const runs = this.#runs;
    let at = runs.length;
    while (at > 0 && runs[at - 2]! > seq) at -= 2;
    const joinsLower = at > 0 && runs[at - 1] === seq - 1;
    const joinsUpper = at < runs.length && runs[at] === seq + 1;
    if (joinsLower && joinsUpper) runs.splice(at - 1, 2);
    else if (joinsLower) runs[at - 1] = seq;
    else if (joinsUpper) runs[at] = seq;
    else runs.splice(at, 0, seq, seq);
  }
}

function lengthOf(item: Uint8Array | Piece): number {
  return item instanceof Uint8Array ? item.length : item.bytes.length;
}

const empty = new Uint8Array(0);
