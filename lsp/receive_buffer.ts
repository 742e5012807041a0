/**
 * What one end has received: messages ahead of their turn are kept, in bounds, and handed on in
 * order, once each (specification, section 4). Both wires use it.
 *
 * @module
 */
import { IN_ORDER_RESERVE_BYTES, type Limits } from "./params.ts";

/** Bytes of the endpoint as a whole, shared by all its connections. */
export interface Budget {
  /** Payload bytes held back or delivered and not read, over all connections. */
  bytes: number;
}

/** What became of a received message. Only `dropped` is not acknowledged. */
export type Arrival = "new" | "duplicate" | "dropped";

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

  private readonly limits: Limits;
  private readonly budget: Budget;
  private readonly deliver: (payload: Uint8Array) => void;
  private held: Map<number, Uint8Array> | undefined;
  /** First and last sequence number of each run that is held, ascending, with gaps between. */
  private readonly runs: number[] = [];

  constructor(isn: number, limits: Limits, budget: Budget, deliver: (payload: Uint8Array) => void) {
    this.expected = isn + 1;
    this.limits = limits;
    this.budget = budget;
    this.deliver = deliver;
  }

  /** How many messages beyond `expected - 1` are taken now. */
  get creditMessages(): number {
    const { maxReorder, maxUnreadMessages } = this.limits;
    return Math.max(0, Math.min(maxReorder, maxUnreadMessages - this.unreadCount));
  }

  /** How many bytes beyond `expected - 1` are taken now. */
  get creditBytes(): number {
    const { maxUnreadBytes, maxUnreadBytesTotal } = this.limits;
    const own = maxUnreadBytes - this.unreadBytes;
    const total = maxUnreadBytesTotal - this.budget.bytes + this.heldBytes;
    return Math.max(0, Math.min(own, total));
  }

  /** How many runs of messages are held beyond a gap. */
  get runCount(): number {
    return this.runs.length / 2;
  }

  /** Takes message `seq`; `payload` must stay unchanged from now on. */
  accept(seq: number, payload: Uint8Array): Arrival {
    if (seq < this.expected || this.held?.has(seq)) return "duplicate";
    if (seq > this.expected) return this.hold(seq, payload);
    if (!this.discarding) {
      if (this.unreadCount >= this.limits.maxUnreadMessages) return "dropped";
      if (!this.hasRoom(payload.length, 0, 1)) return "dropped";
      this.budget.bytes += payload.length;
    }
    this.handOn(payload);
    this.releaseHeld();
    return "new";
  }

  /** The application read a message of `bytes` bytes. */
  noteRead(bytes: number): void {
    this.unreadCount--;
    this.unreadBytes -= bytes;
    this.budget.bytes -= bytes;
  }

  /** Forgets what is held, and from now on whatever arrives. */
  discard(): void {
    this.discarding = true;
    this.budget.bytes -= this.heldBytes;
    this.heldBytes = 0;
    this.held?.forEach((_, seq) => this.held!.set(seq, empty));
  }

  /** Forgets what is held ahead of its turn: after the connection's end its turn never comes. */
  dropHeld(): void {
    this.budget.bytes -= this.heldBytes;
    this.heldBytes = 0;
    this.held = undefined;
    this.runs.length = 0;
  }

  /** Writes up to `most` runs, the lowest, as pairs of first and last into `into`; their number. */
  writeRuns(into: Float64Array, most: number): number {
    const count = Math.min(most, this.runCount);
    for (let i = 0; i < 2 * count; i++) into[i] = this.runs[i]!;
    return count;
  }

  private hold(seq: number, payload: Uint8Array): Arrival {
    if (seq > this.expected + this.creditMessages - 1) return "dropped";
    if (this.discarding) payload = empty;
    // The expected message must find room whatever is held: so keep a payload's worth free.
    if (!this.hasRoom(payload.length, IN_ORDER_RESERVE_BYTES, 2)) return "dropped";
    this.held ??= new Map();
    this.held.set(seq, payload);
    this.heldBytes += payload.length;
    this.budget.bytes += payload.length;
    this.addToRuns(seq);
    return "new";
  }

  private hasRoom(bytes: number, reserve: number, share: number): boolean {
    const { maxUnreadBytes, maxUnreadBytesTotal } = this.limits;
    if (this.unreadBytes + this.heldBytes + bytes + reserve > maxUnreadBytes) return false;
    return this.budget.bytes + bytes <= maxUnreadBytesTotal / share;
  }

  private handOn(payload: Uint8Array): void {
    this.expected++;
    this.handedOnBytes += payload.length;
    if (this.discarding) return;
    this.unreadCount++;
    this.unreadBytes += payload.length;
    this.deliver(payload);
  }

  private releaseHeld(): void {
    const { held, runs } = this;
    if (held === undefined || runs[0] !== this.expected) return;
    const last = runs[1]!;
    runs.splice(0, 2);
    for (let seq = this.expected; seq <= last; seq++) {
      const payload = held.get(seq)!;
      held.delete(seq);
      this.heldBytes -= payload.length;
      this.handOn(payload);
    }
    if (held.size === 0) this.held = undefined;
  }

  /** Most messages extend the last run; so the search starts there. */
  private addToRuns(seq: number): void {
    const { runs } = this;
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

const empty = new Uint8Array(0);
