/**
 * Reads that see every write that ended before them, without an entry in the log (Raft thesis,
 * 6.4): the leader notes how far it has committed, makes sure that it still leads, and the state is
 * read when it has come that far.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import type { NodeId, ReadAtMessage } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import { quorumValue } from "./quorum.ts";
import type { Replication } from "./replication.ts";
import type { Refusal } from "./types.ts";

/** A read that the leader has to confirm; of its own, or a batch of a follower's. */
interface Unconfirmed {
  /** The follower; 0 for this node. */
  readonly from: NodeId;
  /** The read's id here, or the follower's number for its batch. */
  readonly id: number;
  /** What was committed when it came; -1 while nothing of the leader's term is. */
  index: number;
  /** The round that must be answered. */
  readonly round: number;
  readonly untilMs: Millis;
}

/** A read whose index is known, until that is applied. */
interface Unapplied {
  readonly id: number;
  readonly index: number;
  readonly untilMs: Millis;
}

/** A read on a follower, about which it must ask its leader. */
interface Unasked {
  readonly id: number;
  readonly untilMs: Millis;
}

/** All reads of one node, whatever its role. */
export class Reads {
  readonly #node: RaftNode;
  readonly #unconfirmed = new Queue<Unconfirmed>();
  readonly #unapplied = new Queue<Unapplied>();
  /** What the next question to the leader is for, and what the one under way is for. */
  #unasked: Unasked[] = [];
  #asked: Unasked[] = [];
  /** A batch's number begins anywhere, so that an answer to an earlier life's fits none. */
  #batch: number;
  /** When the last question was first asked, for how many reads, and when it is asked again. */
  #askedMs: Millis = -Infinity;
  #askedCount = 0;
  #askedAgainMs: Millis = 0;

  constructor(node: RaftNode) {
    this.#node = node;
    this.#batch = node.drawNumber();
  }

  get #count(): number {
    const mine = this.#unconfirmed.length + this.#unapplied.length;
    return mine + this.#unasked.length + this.#asked.length;
  }

  /** When the oldest read is given up, or asked about again. */
  get wakeAtMs(): Millis | undefined {
    const isAsking = this.#asked.length > 0;
    const held = this.#isHeld ? this.#askedMs + this.#node.params.readGapMs : undefined;
    const asked = isAsking ? this.#askedAgainMs : held;
    let first = earlier(asked, this.#asked[0]?.untilMs ?? this.#unasked[0]?.untilMs);
    first = earlier(first, this.#unconfirmed.at(0)?.untilMs);
    return earlier(first, this.#unapplied.at(0)?.untilMs);
  }

  /** A read of this node's; `lead` when it leads. */
  read(id: number, mayLease: boolean, lead: Replication | undefined, leaseMs: Millis): void {
    const node = this.#node;
    const untilMs = node.nowMs + node.params.patienceMs;
    if (this.#count >= node.params.readsMax) return this.#refuse(id, "overloaded");
    if (lead !== undefined) {
      const isLeased = mayLease && this.#isCurrent && node.nowMs < lead.quorumSentMs + leaseMs;
      if (isLeased) this.#unapplied.push({ id, index: node.commit, untilMs });
      else this.#confirm(0, id, lead);
    } else if (node.leader === 0) this.#refuse(id, "not leader");
    else this.#unasked.push({ id, untilMs });
  }

  /** A follower asks. */
  asked(from: NodeId, batch: number, lead: Replication | undefined): void {
    const { params, term, config, id: self, commit } = this.#node;
    // By asking it says that it has voted for nobody else since its reads began. Where it and this
    // node are a quorum, nobody else can lead: no round need confirm that.
    const isQuorum = quorumValue(config, (id) => (id === self || id === from ? 1 : 0)) === 1;
    if (lead !== undefined && isQuorum && this.#isCurrent) this.#answer(lead, from, batch, commit);
    else if (lead !== undefined && this.#count < params.readsMax) this.#confirm(from, batch, lead);
    else this.#node.send(from, { kind: "readAt", term, batch, index: 0 });
  }

  /** The leader answered. */
  readAt({ batch, index }: ReadAtMessage): void {
    if (batch !== this.#batch || this.#asked.length === 0) return;
    const reads = this.#asked;
    this.#asked = [];
    for (const { id, untilMs } of reads) {
      if (index === 0) this.#refuse(id, "not leader");
      else this.#unapplied.push({ id, index, untilMs });
    }
  }

  /** Who leads has changed: what was asked of the old leader is not answered any more. */
  leaderChanged(): void {
    for (let read = this.#unconfirmed.shift(); read; read = this.#unconfirmed.shift()) {
      if (read.from === 0) this.#refuse(read.id, "not leader");
    }
    for (const { id } of [...this.#asked, ...this.#unasked]) this.#refuse(id, "not leader");
    this.#asked = [];
    this.#unasked = [];
  }

  /** Moves on every read that can be. */
  advance(lead: Replication | undefined): void {
    if (lead !== undefined) this.#advanceConfirmed(lead);
    else this.#ask();
    const { applied } = this.#node;
    for (let read = this.#unapplied.at(0); read; read = this.#unapplied.at(0)) {
      if (read.index > applied) break;
      this.#unapplied.shift();
      this.#node.out.push({ kind: "read", id: read.id, index: read.index, why: undefined });
    }
  }

  /** Gives up what has taken too long. */
  wake(): void {
    const { nowMs } = this.#node;
    const late = <T extends { untilMs: Millis }>(queue: Queue<T>): T | undefined =>
      (queue.at(0)?.untilMs ?? Infinity) <= nowMs ? queue.shift() : undefined;
    for (let read = late(this.#unconfirmed); read; read = late(this.#unconfirmed)) {
      if (read.from === 0) this.#refuse(read.id, "timed out");
    }
    for (let read = late(this.#unapplied); read; read = late(this.#unapplied)) {
      this.#refuse(read.id, "timed out");
    }
    this.#asked = this.#withoutLate(this.#asked);
    this.#unasked = this.#withoutLate(this.#unasked);
  }

  /** Refuses all: the node takes no part any more, or not now. */
  refuseAll(why: Refusal): void {
    for (let read = this.#unapplied.shift(); read; read = this.#unapplied.shift()) {
      this.#refuse(read.id, why);
    }
    this.leaderChanged();
  }

  /** Whether something of the leader's own term is committed: only then it knows what is. */
  get #isCurrent(): boolean {
    const { log, commit, term } = this.#node;
    return log.termAt(commit) === term;
  }

  #confirm(from: NodeId, id: number, lead: Replication): void {
    const { nowMs, params, commit } = this.#node;
    const index = this.#isCurrent ? commit : -1;
    const untilMs = nowMs + params.patienceMs;
    this.#unconfirmed.push({ from, id, index, round: lead.round + 1, untilMs });
  }

  #advanceConfirmed(lead: Replication): void {
    const queue = this.#unconfirmed;
    const last = queue.at(queue.length - 1);
    if (last === undefined) return;
    let confirmed = lead.confirmedRound;
    // One round at a time: what comes meanwhile shares the next.
    if (last.round > lead.round && confirmed >= lead.round) {
      lead.beginRound();
      confirmed = lead.confirmedRound;
    }
    if (!this.#isCurrent) return;
    for (let read = queue.at(0); read && read.round <= confirmed; read = queue.at(0)) {
      queue.shift();
      const index = read.index === -1 ? this.#node.commit : read.index;
      if (read.from === 0) this.#unapplied.push({ id: read.id, index, untilMs: read.untilMs });
      else this.#answer(lead, read.from, read.id, index);
    }
  }

  #answer(lead: Replication, to: NodeId, batch: number, index: number): void {
    lead.tellCommit(to);
    this.#node.send(to, { kind: "readAt", term: this.#node.term, batch, index });
  }

  /**
   * Whether the next question should wait a little for more reads: fewer than the last one was for
   * have come yet. One caller alone, who waits for each answer, is never held up.
   */
  get #isHeld(): boolean {
    const { length } = this.#unasked;
    return length > 0 && length < this.#askedCount;
  }

  #ask(): void {
    const node = this.#node;
    if (this.#asked.length > 0 && node.nowMs < this.#askedAgainMs) return;
    if (this.#asked.length === 0) {
      const isEarly = node.nowMs < this.#askedMs + node.params.readGapMs;
      if (this.#unasked.length === 0 || (this.#isHeld && isEarly)) return;
      this.#askedMs = node.nowMs;
      this.#askedCount = this.#unasked.length;
      this.#asked = this.#unasked;
      this.#unasked = [];
      this.#batch++;
    }
    this.#askedAgainMs = node.nowMs + node.params.heartbeatMs;
    node.send(node.leader, { kind: "askRead", term: node.term, batch: this.#batch });
  }

  #withoutLate(reads: Unasked[]): Unasked[] {
    const { nowMs } = this.#node;
    if ((reads[0]?.untilMs ?? Infinity) > nowMs) return reads;
    for (const { id, untilMs } of reads) if (untilMs <= nowMs) this.#refuse(id, "timed out");
    return reads.filter(({ untilMs }) => untilMs > nowMs);
  }

  #refuse(id: number, why: Refusal): void {
    this.#node.out.push({ kind: "read", id, index: -1, why });
  }
}
