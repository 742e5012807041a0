/**
 * What a leader knows of one peer: how far its log agrees, what is under way to it, and whether it
 * is there at all.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { NodeId, SnapshotMeta } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import type { RaftParams } from "./params.ts";

/** Appends under way, oldest first: the last index of each and its bytes, in a ring. */
export class Window {
  readonly #lastIndexes: Float64Array;
  readonly #sizes: Float64Array;
  readonly #bytesMax: number;
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor({ inflightMax, inflightBytesMax }: RaftParams) {
    this.#lastIndexes = new Float64Array(inflightMax);
    this.#sizes = new Float64Array(inflightMax);
    this.#bytesMax = inflightBytesMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether nothing more may be sent. */
  get isFull(): boolean {
    return this.#count === this.#sizes.length || this.#bytes >= this.#bytesMax;
  }

  /** An append that ends at `lastIndex` was sent. */
  add(lastIndex: number, bytes: number): void {
    const place = (this.#start + this.#count) % this.#sizes.length;
    this.#lastIndexes[place] = lastIndex;
    this.#sizes[place] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Everything up to `index` is acknowledged. */
  free(index: number): void {
    while (this.#count > 0 && this.#lastIndexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#sizes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#count = 0;
    this.#bytes = 0;
  }
}

/** A snapshot on its way to a peer. */
export interface Sending {
  readonly meta: SnapshotMeta;
  /** The peer has everything before this. */
  offset: number;
  /** What is sent next; the pieces between are under way. */
  next: number;
  /** One piece alone is under way, and the peer's answer says where to go on. */
  isProbing: boolean;
  /** When the next piece may leave while commands come in. */
  paceAtMs: Millis;
  /** Answers in a row that said nothing new: a piece is missing, and others came behind it. */
  repeats: number;
}

/**
 * - `probe`: it is not known where the logs agree; one append at a time, then an answer.
 * - `replicate`: they agree up to `match`; appends follow each other without waiting.
 * - `snapshot`: what the peer needs is compacted; it is sent a snapshot in pieces.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** One peer, as its leader sees it. */
export class Progress {
  readonly id: NodeId;
  readonly window: Window;
  state: ProgressState = "probe";
  /** The peer has acknowledged this much of the log, durably; it is never taken back. */
  match = 0;
  /** The next entry to send, always behind `match`. */
  next: number;
  /** The commit index that it was told. */
  commitTold = 0;
  /** The newest round of heartbeats that it answered. */
  round = 0;
  /** When that round was sent. */
  roundSentMs: Millis = -Infinity;
  /** When it was last heard of in this term, by the clock for time-outs. */
  heardMs: Millis;
  /** When the probe or chunk that is under way was sent; undefined when none is. */
  askedMs: Millis | undefined;
  /** When `match` last grew, or the window filled from empty. */
  movedMs: Millis;
  sending: Sending | undefined;
  /** It has no group's log, though the configuration counts on it. */
  isBlank = false;

  constructor(
    id: NodeId,
    lastIndex: number,
    { params, nowMs, clockMs }: Pick<RaftNode, "params" | "nowMs" | "clockMs">,
  ) {
    this.id = id;
    this.window = new Window(params);
    this.next = lastIndex + 1;
    this.heardMs = clockMs;
    this.movedMs = nowMs;
  }

  /** The logs agree up to `index`: from now on appends need not wait for each other. */
  acknowledged(index: number, nowMs: Millis): void {
    this.isBlank = false;
    if (index > this.match) {
      this.match = index;
      this.movedMs = nowMs;
    }
    this.window.free(index);
    if (this.state === "snapshot" && index < (this.sending?.meta.index ?? 0)) return;
    if (this.state !== "replicate") {
      this.state = "replicate";
      this.window.clear();
      this.next = this.match + 1;
      this.sending = undefined;
      this.askedMs = undefined;
    }
    this.next = Math.max(this.next, this.match + 1);
  }

  /** Asks again where the logs agree, at `next` or before; never behind what is acknowledged. */
  probe(next: number): void {
    this.state = "probe";
    this.next = Math.max(next, this.match + 1);
    this.window.clear();
    this.sending = undefined;
    this.askedMs = undefined;
  }

  /** Begins to send a snapshot. */
  sendSnapshot(meta: SnapshotMeta): void {
    this.state = "snapshot";
    this.window.clear();
    this.sending = { meta, offset: 0, next: 0, isProbing: true, repeats: 0, paceAtMs: 0 };
    this.askedMs = undefined;
  }

  /** Nothing has come of what was asked, or sent in pieces: it is asked again, from there. */
  askAgain(): void {
    this.askedMs = undefined;
    if (this.sending === undefined) return;
    this.sending.next = this.sending.offset;
    this.sending.isProbing = true;
    this.sending.repeats = 0;
  }

  /** Whether what is under way has been so for longer than `resendMs` without an answer. */
  isSilent(nowMs: Millis, resendMs: Millis): boolean {
    return this.window.count > 0 && nowMs - this.movedMs >= resendMs;
  }
}
