/**
 * How a leader brings its log to its peers (Raft paper, 5.3 and 7; thesis, 10.2).
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { membersOf } from "./config.ts";
import { weightOf } from "./log.ts";
import type {
  AppendedMessage,
  AppendMessage,
  ChunkedMessage,
  NodeId,
  RefusedMessage,
} from "./messages.ts";
import type { RaftNode } from "./node.ts";
import { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";

/** Rounds of heartbeats whose time of sending is remembered. */
const ROUNDS_REMEMBERED = 64;
/** So many answers that say nothing new mean that a piece of a snapshot was lost. */
const REPEATS = 3;
/** A timer is late by so much; what it kept from leaving follows at once. */
const PACE_SLACK_MS = 2;
const NO_BYTES = new Uint8Array(0);

/** The sending end of replication, for one term. */
export class Replication {
  readonly #node: RaftNode;
  readonly peers: Map<NodeId, Progress> = new Map();
  /** Peers that are members no more, and the entry that said so: they are told, then forgotten. */
  readonly #leaving = new Map<NodeId, { readonly index: number; readonly untilMs: Millis }>();
  #round = 0;
  readonly #roundSentMs: Float64Array = new Float64Array(ROUNDS_REMEMBERED);
  #heartbeatAtMs: Millis;
  /** When peers that no append has told of a commit are told by a message of its own. */
  #tellAtMs: Millis = Infinity;
  /** When a piece of a snapshot is due that waited for its turn. */
  #paceAtMs: Millis = Infinity;
  /** The end of the log at the last look, and when it last grew. */
  #lastIndex = 0;
  #grewAtMs: Millis = -Infinity;
  /** The last append, and the end of the log then: the next peer is nearly always sent the same. */
  #lastAppend: { readonly message: AppendMessage; readonly lastIndex: number } | undefined;
  /** Whether the last beat wanted no answers. */
  #wasCalm = false;
  readonly #matchOf = (id: NodeId): number =>
    id === this.#node.id ? this.#node.keeper.stableIndex : (this.peers.get(id)?.match ?? 0);

  constructor(node: RaftNode) {
    this.#node = node;
    this.#heartbeatAtMs = node.nowMs;
    this.membersChanged();
  }

  /** The newest round of heartbeats. */
  get round(): number {
    return this.#round;
  }

  get heartbeatAtMs(): Millis {
    return this.#heartbeatAtMs;
  }

  /** When there is something to do though nothing comes. */
  get wakeAtMs(): Millis {
    return Math.min(this.#heartbeatAtMs, this.#tellAtMs, this.#paceAtMs);
  }

  /** The newest round that a quorum has answered. */
  get confirmedRound(): number {
    const roundOf = (id: NodeId): number =>
      id === this.#node.id ? this.#round : (this.peers.get(id)?.round ?? 0);
    return quorumValue(this.#node.config, roundOf);
  }

  /** Since when, at the latest, a quorum has taken this node for its leader. */
  get quorumSentMs(): Millis {
    const { config, id: self, nowMs } = this.#node;
    return quorumValue(config, (id) =>
      id === self ? nowMs : (this.peers.get(id)?.roundSentMs ?? -Infinity),
    );
  }

  /** When a quorum was last heard of, by the clock for time-outs. */
  get quorumHeardMs(): Millis {
    const { config, id: self, clockMs } = this.#node;
    return quorumValue(config, (id) =>
      id === self ? clockMs : (this.peers.get(id)?.heardMs ?? -Infinity),
    );
  }

  /** Indexes of snapshots that are being sent. */
  get sendingIndexes(): number[] {
    const indexes = new Set<number>();
    for (const { sending } of this.peers.values()) if (sending) indexes.add(sending.meta.index);
    return [...indexes];
  }

  /** Another configuration is in force. */
  membersChanged(): void {
    const node = this.#node;
    const { index, config } = node.log.configs.latest;
    const members = membersOf(config);
    for (const id of members) {
      this.#leaving.delete(id);
      if (id === node.id || this.peers.has(id)) continue;
      this.peers.set(id, new Progress(id, node.log.lastIndex, node));
    }
    for (const id of this.peers.keys()) {
      if (members.includes(id) || this.#leaving.has(id)) continue;
      this.#leaving.set(id, { index, untilMs: node.nowMs + node.params.quorumMs });
    }
  }

  /** Begins a new round: who answers it took this node for the leader after now. */
  beginRound(): void {
    const node = this.#node;
    const round = ++this.#round;
    this.#roundSentMs[round % ROUNDS_REMEMBERED] = node.nowMs;
    for (const peer of this.peers.values()) this.#heartbeat(peer, round);
  }

  /** It is time to beat, and to ask again where an answer is missing. */
  beat(): void {
    const { nowMs, params } = this.#node;
    this.#heartbeatAtMs = nowMs + params.heartbeatMs;
    // Where all have answered the last beat, this one need not be answered: that would be news of
    // one beat more, and costs as much as all else that an idle node does.
    const isCalm = !this.#wasCalm && params.leaseClockRatio === 0 && this.#haveAllAnswered;
    this.#wasCalm = isCalm;
    if (isCalm) for (const peer of this.peers.values()) this.#heartbeat(peer, 0);
    else this.beginRound();
    for (const [id, { untilMs }] of this.#leaving) if (untilMs <= nowMs) this.#forget(id);
    for (const peer of this.peers.values()) {
      if (peer.state === "replicate" && peer.isSilent(nowMs, params.resendMs)) {
        peer.probe(peer.match + 1);
      }
      const { askedMs } = peer;
      const patienceMs = peer.state === "snapshot" ? params.resendMs : params.heartbeatMs;
      if (askedMs !== undefined && nowMs - askedMs >= patienceMs) peer.askAgain();
    }
  }

  /** Any sign of life in this term. */
  heardFrom(id: NodeId): void {
    const peer = this.peers.get(id);
    if (peer !== undefined) peer.heardMs = this.#node.clockMs;
  }

  /** A peer answered a round. */
  heard(from: NodeId, round: number): void {
    const peer = this.peers.get(from);
    if (peer === undefined || round <= peer.round || round > this.#round) return;
    peer.round = round;
    if (this.#round - round >= ROUNDS_REMEMBERED) return;
    peer.roundSentMs = this.#roundSentMs[round % ROUNDS_REMEMBERED]!;
  }

  /** A peer's log agrees durably up to an index. */
  appended(from: NodeId, { index }: AppendedMessage): void {
    const node = this.#node;
    const peer = this.peers.get(from);
    if (peer === undefined) return;
    if (index > node.log.lastIndex) return node.reject("malformed");
    peer.acknowledged(index, node.nowMs);
  }

  /** A peer's log does not agree where an append said. */
  refused(from: NodeId, message: RefusedMessage): void {
    const node = this.#node;
    const peer = this.peers.get(from);
    if (peer === undefined || peer.state === "snapshot") return;
    const { prevIndex, conflictTerm, conflictIndex, lastIndex } = message;
    // What is acknowledged is not taken back by a late refusal, nor by a disk that was lost.
    peer.isBlank = message.blank;
    if (prevIndex > node.log.lastIndex || (prevIndex <= peer.match && peer.match > 0)) return;
    if (message.blank) return this.#startSnapshot(peer);
    if (peer.state === "probe" && prevIndex !== peer.next - 1) return;
    let next = lastIndex + 1;
    if (conflictTerm > 0) {
      const mine = node.log.lastOfTermsUpTo(conflictTerm);
      next = node.log.termAt(mine) === conflictTerm ? mine + 1 : conflictIndex;
    }
    peer.probe(Math.max(1, Math.min(next, prevIndex)));
  }

  /** A peer says how much of a snapshot it has. */
  chunked(from: NodeId, { index, offset }: ChunkedMessage): void {
    const peer = this.peers.get(from);
    const sending = peer?.sending;
    if (peer === undefined || sending?.meta.index !== index) return;
    if (offset < 0 || offset > sending.meta.size) return this.#node.reject("malformed");
    if (offset === sending.offset) {
      // The same answer twice must not send the same piece twice, which would be answered twice.
      const isMissing = !sending.isProbing && ++sending.repeats === REPEATS;
      if (isMissing) peer.askAgain();
      return;
    }
    // An answer that came late is no reason to go back; a peer that forgot all, asked again, is.
    if (offset < sending.offset && !sending.isProbing) return;
    sending.next = sending.isProbing ? offset : Math.max(offset, sending.next);
    sending.offset = offset;
    sending.isProbing = false;
    sending.repeats = 0;
    peer.askedMs = sending.next > offset ? this.#node.nowMs : undefined;
  }

  /** Commits what a quorum has, if it is of this term (Raft paper, 5.4.2). */
  advance(): void {
    const node = this.#node;
    const index = quorumValue(node.config, this.#matchOf);
    if (index > node.commit && node.log.termAt(index) === node.term) node.commitUpTo(index);
  }

  /**
   * Sends every peer what it may be sent. What was committed goes along with the next append; where
   * none follows soon, it is told alone.
   */
  replicate(): void {
    const { nowMs, params, log } = this.#node;
    if (log.lastIndex !== this.#lastIndex) this.#grewAtMs = nowMs;
    this.#lastIndex = log.lastIndex;
    this.#paceAtMs = Infinity;
    const isDue = nowMs >= this.#tellAtMs;
    let tellAtMs = Infinity;
    for (const peer of this.peers.values()) {
      if (peer.state !== "snapshot") this.#sendAppends(peer);
      if (peer.state === "snapshot") this.#sendChunks(peer);
      const leaving = this.#leaving.get(peer.id);
      if (isDue || leaving !== undefined) this.#tellCommit(peer);
      else if (this.#hasUntold(peer)) tellAtMs = nowMs + params.commitDelayMs;
      if (leaving !== undefined && peer.commitTold >= leaving.index) this.#forget(peer.id);
    }
    // Where appends have told all, nobody need be woken.
    this.#tellAtMs = tellAtMs === Infinity ? Infinity : Math.min(tellAtMs, this.#tellAtMs);
  }

  /** Tells all peers now what is committed, where they do not know: nobody will do so later. */
  tellCommits(): void {
    for (const peer of this.peers.values()) this.#tellCommit(peer);
  }

  /** Tells a peer now what is committed, if it does not know: somebody waits for it there. */
  tellCommit(id: NodeId): void {
    const peer = this.peers.get(id);
    if (peer !== undefined) this.#tellCommit(peer);
  }

  get #haveAllAnswered(): boolean {
    for (const { round } of this.peers.values()) if (round < this.#round) return false;
    return true;
  }

  /** Whether a peer can be told of a commit that it was not told of. */
  #hasUntold(peer: Progress): boolean {
    return Math.min(this.#node.commit, peer.match) > peer.commitTold;
  }

  #tellCommit(peer: Progress): void {
    if (this.#hasUntold(peer)) this.#heartbeat(peer, 0);
  }

  #heartbeat(peer: Progress, round: number): void {
    const node = this.#node;
    const commit = Math.min(node.commit, peer.match);
    peer.commitTold = Math.max(commit, peer.commitTold);
    node.send(peer.id, { kind: "heartbeat", term: node.term, commit, round });
  }

  #sendAppends(peer: Progress): void {
    const { log } = this.#node;
    if (peer.state === "probe") {
      if (peer.askedMs !== undefined) return;
      if (peer.match >= log.lastIndex) return;
      if (peer.next - 1 < log.baseIndex) return this.#startSnapshot(peer);
      this.#append(peer);
      peer.askedMs = this.#node.nowMs;
      return;
    }
    while (peer.next <= log.lastIndex && !peer.window.isFull) {
      if (peer.next - 1 < log.baseIndex) return this.#startSnapshot(peer);
      this.#append(peer);
    }
  }

  #append(peer: Progress): void {
    const { params, commit, nowMs, clockMs, out } = this.#node;
    // Whether a peer that may be gone is there is asked without the weight of entries.
    const isSilent = clockMs - peer.heardMs > params.electionMs;
    const isBare = peer.state === "probe" && (isSilent || peer.isBlank);
    const message = this.#appendOf(peer.next - 1, isBare);
    const { entries } = message;
    if (peer.state === "replicate") {
      let bytes = 0;
      for (const entry of entries) bytes += weightOf(entry);
      if (peer.window.count === 0) peer.movedMs = nowMs;
      peer.next += entries.length;
      peer.window.add(peer.next - 1, bytes);
    }
    peer.commitTold = Math.max(peer.commitTold, Math.min(commit, peer.match));
    out.push({ kind: "send", to: peer.id, message });
  }

  /** The entries behind `prevIndex`, as many as go together, or none; made and encoded once. */
  #appendOf(prevIndex: number, isBare: boolean): AppendMessage {
    const { log, params, term, commit } = this.#node;
    const { lastIndex } = log;
    const prevTerm = log.termAt(prevIndex)!;
    if (isBare) return { kind: "append", term, prevIndex, prevTerm, commit, entries: [] };
    const last = this.#lastAppend;
    const isSame = last?.lastIndex === lastIndex && last.message.prevIndex === prevIndex;
    if (isSame && last.message.commit === commit) return last.message;
    const entries = log.slice(prevIndex + 1, lastIndex, params.appendBytesMax);
    const message = { kind: "append", term, prevIndex, prevTerm, commit, entries } as const;
    this.#lastAppend = { message, lastIndex };
    return message;
  }

  #startSnapshot(peer: Progress): void {
    const { config, snapshot } = this.#node;
    // A voter without a log has lost its disk, and with it its votes: it is not brought back.
    const isLost = peer.isBlank && [...config.voters, ...config.outgoing].includes(peer.id);
    if (!isLost) peer.sendSnapshot(snapshot);
  }

  #sendChunks(peer: Progress): void {
    const { nowMs, params } = this.#node;
    const sending = peer.sending!;
    if (sending.isProbing) {
      if (peer.askedMs !== undefined) return;
      this.#sendChunk(peer);
      peer.askedMs = nowMs;
      return;
    }
    const windowBytes = params.chunksInflightMax * params.chunkBytesMax;
    const { offset, meta } = sending;
    // A peer that is behind can wait a little longer; those whose commands it would slow cannot.
    const isBusy = nowMs - this.#grewAtMs < params.heartbeatMs;
    while (sending.next < meta.size && sending.next - offset < windowBytes) {
      if (isBusy && nowMs < sending.paceAtMs) {
        this.#paceAtMs = Math.min(this.#paceAtMs, sending.paceAtMs);
        return;
      }
      const from = Math.max(nowMs - PACE_SLACK_MS, sending.paceAtMs);
      sending.paceAtMs = from + params.chunkBytesMax / params.busyChunkBytesPerMs;
      this.#sendChunk(peer);
      peer.askedMs ??= nowMs;
    }
  }

  #sendChunk(peer: Progress): void {
    const { term, out, params } = this.#node;
    const sending = peer.sending!;
    const { meta, next: offset } = sending;
    sending.next = Math.min(meta.size, offset + params.chunkBytesMax);
    const message = { kind: "snapshot", term, meta, offset, data: NO_BYTES } as const;
    out.push({ kind: "sendChunk", to: peer.id, message });
  }

  #forget(id: NodeId): void {
    this.#leaving.delete(id);
    this.peers.delete(id);
  }
}
