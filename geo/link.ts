/**
 * What one actor knows of another that it exchanges entries with: what is to be sent, what was sent
 * and is not acknowledged, and when the next message may go.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { TreeNode } from "./hash_tree.ts";
import type { Entry } from "./entry.ts";
import type { Hash } from "./entry_hash.ts";
import type { NodeHashes } from "./envelope.ts";
import {
  AWAY_MS,
  DIGEST_MS,
  DIRTY_MAX,
  PACE_MS,
  RESEND_MS,
  RESEND_MS_MAX,
  UNACKED_MAX,
} from "./limits.ts";

/** Nodes that wait to be compared; what is more is found by the next comparison. */
const NODES_MAX = 8192;

interface Batch {
  readonly sentMs: Millis;
  readonly entries: readonly Entry[];
}

/** Another actor, as this one sees it. */
export interface Neighbour {
  /** `HOST:PORT` of its server. */
  readonly server: string;
  readonly index: number;
  /** On the same server. */
  readonly isLocal: boolean;
  /** Whether this side begins comparisons. */
  readonly isInitiator: boolean;
}

/** See the module. */
export class Link implements Neighbour {
  readonly server: string;
  readonly index: number;
  readonly isLocal: boolean;
  readonly isInitiator: boolean;
  /** The life of its server; 0: not known yet. */
  life = 0;
  /** Entries to be sent; some may have been replaced since. */
  readonly dirty: Set<Entry> = new Set();
  readonly acksDue: number[] = [];
  readonly rows: TreeNode[] = [];
  readonly items: TreeNode[] = [];
  readonly wants: NodeHashes[] = [];
  /** What the neighbour calls this server, to be told back to it; "": nothing. */
  calledAs = "";
  /** The states were never compared since one of the two is new, or the list ran over. */
  isFresh = true;
  /** States that differed when last looked at, and since when. */
  mismatch: { readonly theirs: Hash; readonly mine: Hash; readonly sinceMs: Millis } | undefined;
  comparedMs: Millis = -Infinity;
  heardMs: Millis = -Infinity;
  /** Measured time to it and back, smoothed, what it waits before it answers included. */
  roundTripMs: Millis | undefined;
  digestAtMs: Millis;
  readonly #paceMs: Millis;
  readonly #unacked = new Map<number, Batch>();
  #sentMs: Millis = -Infinity;
  #seq = 0;
  #resends = 0;

  constructor(
    { server, index, isLocal, isInitiator }: Neighbour,
    nowMs: Millis,
    paceMs: Millis = PACE_MS,
  ) {
    this.server = server;
    this.index = index;
    this.isLocal = isLocal;
    this.isInitiator = isInitiator;
    this.digestAtMs = nowMs;
    this.#paceMs = paceMs;
  }

  isAway(nowMs: Millis): boolean {
    return nowMs - this.heardMs > AWAY_MS;
  }

  get isQuiet(): boolean {
    return this.dirty.size === 0 && this.#unacked.size === 0;
  }

  get unacked(): number {
    return this.#unacked.size;
  }

  /** An entry is to be sent; `isCurrent` says which of the list were not replaced. */
  add(entry: Entry, isCurrent: (entry: Entry) => boolean): void {
    this.dirty.add(entry);
    if (this.dirty.size <= DIRTY_MAX) return;
    for (const one of this.dirty) if (!isCurrent(one)) this.dirty.delete(one);
    if (this.dirty.size <= DIRTY_MAX / 2) return;
    this.dirty.clear();
    this.isFresh = true;
  }

  /** An entry was found that the neighbour lacks; where too many wait, the next comparison will. */
  push(entry: Entry): void {
    if (this.dirty.size < DIRTY_MAX) this.dirty.add(entry);
    else this.isFresh = true;
  }

  /** Whether there is room for what a comparison finds. */
  get hasRoom(): boolean {
    return this.dirty.size <= DIRTY_MAX / 2;
  }

  /** A batch was received: it is acknowledged with the next message. */
  received(seq: number): void {
    if (this.acksDue.length < UNACKED_MAX && !this.acksDue.includes(seq)) this.acksDue.push(seq);
  }

  acked(seq: number, nowMs: Millis): void {
    const batch = this.#unacked.get(seq);
    if (batch === undefined) return;
    this.#unacked.delete(seq);
    this.#resends = 0;
    const tookMs = nowMs - batch.sentMs;
    this.roundTripMs =
      this.roundTripMs === undefined ? tookMs : 0.8 * this.roundTripMs + 0.2 * tookMs;
  }

  /** The number of a batch that is sent now. */
  sendBatch(entries: readonly Entry[], nowMs: Millis): number {
    this.#unacked.set(++this.#seq, { sentMs: nowMs, entries });
    return this.#seq;
  }

  /** Whether more batches may be under way, to a neighbour that is there. */
  mayBatch(nowMs: Millis): boolean {
    return this.dirty.size > 0 && this.#unacked.size < UNACKED_MAX && !this.isAway(nowMs);
  }

  /** It is told something now: the next message waits. */
  sent(nowMs: Millis): void {
    this.#sentMs = nowMs;
    if (this.digestAtMs <= nowMs) this.digestAtMs = this.#nextDigestMs(nowMs);
  }

  /** Something came from it. */
  heard(nowMs: Millis): void {
    if (this.isAway(nowMs) && this.isInitiator) this.digestAtMs = nowMs;
    this.heardMs = nowMs;
  }

  /** Another life runs there: it knows nothing of what was sent. */
  begin(life: number): void {
    this.life = life;
    this.isFresh = true;
    this.mismatch = undefined;
    this.acksDue.length = 0;
    for (const { entries } of this.#unacked.values())
      for (const one of entries) this.dirty.add(one);
    this.#unacked.clear();
    this.forgetNodes();
  }

  /** Nodes to be compared; dropped where too many wait. */
  queue(list: "rows" | "items", nodes: readonly TreeNode[]): void {
    const room = NODES_MAX - this[list].length;
    this[list].push(...nodes.slice(0, Math.max(0, room)));
  }

  forgetNodes(): void {
    this.rows.length = 0;
    this.items.length = 0;
    this.wants.length = 0;
  }

  /** Batches that were not acknowledged in time are to be sent again. */
  resend(nowMs: Millis): void {
    const limitMs = this.#resendMs();
    let isLate = false;
    for (const [seq, { sentMs, entries }] of this.#unacked) {
      if (nowMs < sentMs + limitMs) continue;
      this.#unacked.delete(seq);
      for (const entry of entries) this.dirty.add(entry);
      isLate = true;
    }
    if (isLate) this.#resends++;
  }

  /** When something is to be done for it, `nowMs` at the earliest. */
  wakeAtMs(nowMs: Millis): Millis {
    const hasNews =
      this.mayBatch(nowMs) ||
      this.acksDue.length > 0 ||
      this.rows.length + this.items.length + this.wants.length > 0;
    const dueMs = hasNews ? nowMs : Math.max(nowMs, this.digestAtMs);
    const sendMs = Math.max(dueMs, this.#sentMs + this.#paceMs);
    const [first] = this.#unacked.values();
    return first === undefined ? sendMs : Math.min(sendMs, first.sentMs + this.#resendMs());
  }

  /** Whether a message may and should go now. */
  mustSend(nowMs: Millis): boolean {
    if (nowMs < this.#sentMs + this.#paceMs) return false;
    if (nowMs >= this.digestAtMs || this.mayBatch(nowMs)) return true;
    return this.acksDue.length + this.rows.length + this.items.length + this.wants.length > 0;
  }

  #resendMs(): Millis {
    const onceMs = Math.max(RESEND_MS, 3 * (this.roundTripMs ?? 0));
    return Math.min(RESEND_MS_MAX, onceMs * 2 ** Math.min(10, this.#resends));
  }

  #nextDigestMs(nowMs: Millis): Millis {
    // One that answers only looks for a neighbour that has gone silent.
    if (this.isInitiator || this.isAway(nowMs)) return nowMs + DIGEST_MS;
    return Math.max(nowMs, this.heardMs + AWAY_MS) + DIGEST_MS;
  }
}
