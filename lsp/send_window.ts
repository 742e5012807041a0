/**
 * What one end has written and the other has not acknowledged: the window rule, acknowledgements,
 * and the back-off of each message (docs/lsp.md, sections 4 and 5). Both wires use it.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import type { Budget } from "./budget.ts";
import { Cutter } from "./fragments.ts";
import { DATA_OVERHEAD_BYTES, FRAGMENT_OVERHEAD_BYTES, Marks } from "./frame.ts";
import { type FullParams, MESSAGE_OVERHEAD_BYTES } from "./params.ts";

/** What became of a message so far. `lost`: sent, believed lost, waiting to be sent again. */
export type OutboundState = "queued" | "sent" | "lost" | "acked";

/** One written message, or one piece of a large one. */
export interface Outbound {
  readonly seq: number;
  readonly payload: Uint8Array;
  /** Which piece it is, and how many bytes of the message follow it. */
  readonly marks: Marks;
  readonly remaining: number;
  /** Bytes of payload written on the connection up to and including this message. */
  readonly endOffset: number;
  state: OutboundState;
  /** Times it was sent. */
  sends: number;
  /** When it was last sent. */
  sentAtMs: Millis;
  /** Number of the datagram that last carried it (cbor wire). */
  datagram: number;
  /** `interval` and `wait` of docs/lsp.md, section 5, in epochs. */
  backOff: number;
  wait: number;
}

/** What a message takes of a path: its cbor frame (and a share of a datagram, left out here). */
export function frameBytes(entry: Outbound): number {
  const isWhole = entry.marks === Marks.whole;
  return (isWhole ? DATA_OVERHEAD_BYTES : FRAGMENT_OVERHEAD_BYTES) + entry.payload.length;
}

/** The sending half of a connection. */
export class SendWindow {
  /** Payload bytes written and not acknowledged. */
  queuedBytes = 0;
  /** Bytes of Data frames under way: sent, neither acknowledged nor believed lost. */
  inFlightBytes = 0;
  /** Messages under way. */
  inFlightCount = 0;
  /** Messages sent at least once and not acknowledged. */
  unackedCount = 0;
  /** Messages written and not wholly acknowledged. */
  queuedMessages = 0;
  /** Bytes acknowledged since the start, and one for each message or piece. */
  settledBytes = 0;
  /** The highest sequence number sent; ISN when nothing was. */
  highestSent: number;

  readonly #params: FullParams;
  readonly #budget: Budget;
  /** Written, and not looked at yet. */
  readonly #cutter: Cutter;
  /** From the oldest that is not acknowledged on; those before `head` are gone. */
  #entries: Outbound[] = [];
  #head = 0;
  /** Index in `entries` of the first that was never sent. */
  #fresh = 0;
  #nextSeq: number;
  /** Payload bytes up to the last message in `entries`. */
  #cutBytes = 0;
  /** Payload bytes up to the last message before `head`. */
  #doneBytes = 0;
  /** Payload bytes up to the last message all of which is before `head`. */
  #freedBytes = 0;
  /** Bytes in memory: payload, and what each message takes beside it. */
  #pinned = 0;
  /** What the peer lets us send: a sequence number, and an offset in payload bytes. */
  #grantedSeq = Infinity;
  #grantedOffset = Infinity;

  /** Messages larger than `wholeBytes` are cut into pieces. */
  constructor(isn: number, params: FullParams, budget: Budget, wholeBytes: number) {
    this.#params = params;
    this.#budget = budget;
    this.#cutter = new Cutter(wholeBytes);
    this.#nextSeq = isn + 1;
    this.highestSent = isn;
  }

  /** Whether everything written is acknowledged. */
  get isEmpty(): boolean {
    return this.#head === this.#entries.length && this.#cutter.isEmpty;
  }

  /** Bytes in memory: payload, and what each message takes beside it. */
  get pinnedBytes(): number {
    return this.#pinned;
  }

  /** Appends a message; the bytes are kept, not copied. */
  push(payload: Uint8Array): void {
    this.queuedBytes += payload.length;
    this.queuedMessages++;
    this.#pin(payload.length + MESSAGE_OVERHEAD_BYTES);
    this.#cutter.push(payload);
  }

  /** What is not cut yet will be, to pieces that take no more than a message of `wholeBytes`. */
  cutTo(wholeBytes: number): void {
    this.#cutter.cutTo(wholeBytes);
  }

  /** Forgets everything: nobody acknowledges any more. */
  drop(): void {
    this.#pin(-this.#pinned);
    this.queuedMessages =
      this.queuedBytes =
      this.inFlightBytes =
      this.inFlightCount =
      this.unackedCount =
        0;
    this.#cutter.clear();
    this.#fresh = this.#head;
    this.#rebase([]);
  }

  /** The next message to send for the first time, if W, M and the peer's grant allow it. */
  peekFresh(): Outbound | undefined {
    const entry = this.#entries[this.#fresh] ?? this.#cut();
    if (entry === undefined) return undefined;
    const { windowSize, maxUnackedMessages } = this.#params;
    if (entry.seq > this.#entries[this.#head]!.seq + windowSize - 1) return undefined;
    if (this.unackedCount >= maxUnackedMessages) return undefined;
    if (entry.seq > this.#grantedSeq || entry.endOffset > this.#grantedOffset) return undefined;
    return entry;
  }

  /** Notes that `entry`, which `peekFresh` gave or which was sent before, went out. */
  markSent(entry: Outbound, nowMs: Millis, datagram = 0): void {
    if (entry.state === "queued") {
      invariant(entry === this.#entries[this.#fresh], "messages are first sent in order");
      this.#fresh++;
      this.unackedCount++;
      this.highestSent = entry.seq;
    }
    if (entry.state !== "sent") {
      this.inFlightBytes += frameBytes(entry);
      this.inFlightCount++;
    }
    entry.state = "sent";
    entry.sends++;
    entry.sentAtMs = nowMs;
    entry.datagram = datagram;
  }

  /** Notes that `entry` is believed lost. */
  markLost(entry: Outbound): void {
    invariant(entry.state === "sent", "only what was sent can be lost");
    entry.state = "lost";
    this.inFlightBytes -= frameBytes(entry);
    this.inFlightCount--;
  }

  /** Acknowledges exactly `seq`; false when it is unknown, never sent or acknowledged before. */
  ackOne(seq: number): boolean {
    return this.ackRange(seq, seq) > 0;
  }

  /** Acknowledges all up to `seq`; the number of messages that this removed. */
  ackThrough(seq: number): number {
    const first = this.#entries[this.#head]?.seq;
    return first === undefined ? 0 : this.ackRange(first, seq);
  }

  /** Acknowledges `first..last`; the number of messages that this removed. */
  ackRange(first: number, last: number): number {
    const head = this.#head;
    const base = this.#entries[head]?.seq;
    if (base === undefined) return 0;
    const from = Math.max(head, head + first - base);
    const to = Math.min(this.#fresh - 1, head + last - base);
    let removed = 0;
    for (let i = from; i <= to; i++) if (this.#settle(this.#entries[i]!)) removed++;
    if (removed > 0) this.#dropSettled();
    return removed;
  }

  /**
   * The peer takes `messages` more messages and `bytes` more bytes after `cumulative`. Ignored when
   * stale; a grant once given is never taken back.
   */
  grant(cumulative: number, messages: number, bytes: number): void {
    if (cumulative !== (this.#entries[this.#head]?.seq ?? this.#nextSeq) - 1) return;
    const before = this.#grantedSeq === Infinity;
    const seq = cumulative + messages;
    const offset = this.#doneBytes + bytes;
    this.#grantedSeq = before ? seq : Math.max(this.#grantedSeq, seq);
    this.#grantedOffset = before ? offset : Math.max(this.#grantedOffset, offset);
  }

  /**
   * One tick of every message's back-off (docs/lsp.md, section 5). Calls `resend` with those that
   * are due and were last sent at `sentBeforeMs` or earlier; the others are left alone.
   */
  tick(sentBeforeMs: Millis, resend: (entry: Outbound) => void): void {
    for (let i = this.#head; i < this.#fresh; i++) {
      const entry = this.#entries[i]!;
      if (entry.state !== "sent" || entry.sentAtMs > sentBeforeMs) continue;
      if (entry.wait > 0) {
        entry.wait--;
        continue;
      }
      const doubled = entry.backOff === 0 ? 1 : 2 * entry.backOff;
      entry.backOff = Math.min(doubled, this.#params.maxBackOffInterval);
      entry.wait = entry.backOff;
      resend(entry);
    }
  }

  /** Calls `visit` with the messages under way, oldest first, until it answers false. */
  eachSent(visit: (entry: Outbound) => boolean): void {
    for (let i = this.#head; i < this.#fresh; i++) {
      const entry = this.#entries[i]!;
      if (entry.state === "sent" && !visit(entry)) return;
    }
  }

  #settle(entry: Outbound): boolean {
    if (entry.state === "acked") return false;
    if (entry.state === "sent") {
      this.inFlightBytes -= frameBytes(entry);
      this.inFlightCount--;
    }
    entry.state = "acked";
    this.unackedCount--;
    this.settledBytes += entry.payload.length + 1;
    this.queuedBytes -= entry.payload.length;
    return true;
  }

  /** The memory of `bytes` more bytes is in use; a message's is until all of it is acknowledged. */
  #pin(bytes: number): void {
    this.#pinned += bytes;
    this.#budget.queuedBytes += bytes;
  }

  /** Gives the next message, or piece, its number: only now, so that few of many pieces exist. */
  #cut(): Outbound | undefined {
    const piece = this.#cutter.next();
    if (piece === undefined) return undefined;
    this.#cutBytes += piece.bytes.length;
    const entry: Outbound = {
      seq: this.#nextSeq++,
      payload: piece.bytes,
      marks: piece.marks,
      remaining: piece.remaining,
      endOffset: this.#cutBytes,
      state: "queued",
      sends: 0,
      sentAtMs: 0,
      datagram: 0,
      backOff: 0,
      wait: 0,
    };
    this.#entries.push(entry);
    return entry;
  }

  #dropSettled(): void {
    const entries = this.#entries;
    while (this.#head < this.#fresh && entries[this.#head]!.state === "acked") {
      const { endOffset, marks } = entries[this.#head]!;
      if (marks === Marks.whole || marks === Marks.last) {
        this.#pin(this.#freedBytes - endOffset - MESSAGE_OVERHEAD_BYTES);
        this.queuedMessages--;
        this.#freedBytes = endOffset;
      }
      this.#doneBytes = endOffset;
      this.#head++;
    }
    if (this.#head === entries.length) this.#rebase([]);
    else if (this.#head >= 256 && this.#head * 2 >= entries.length) {
      this.#rebase(entries.slice(this.#head));
    }
  }

  #rebase(entries: Outbound[]): void {
    this.#fresh -= this.#head;
    this.#head = 0;
    this.#entries = entries;
  }
}
