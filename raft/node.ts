/**
 * The state of one node that all parts of the core share, and the few things that all of them do
 * to it.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { integerBetween, type Random } from "../base/random.ts";
import { isVoter } from "./config.ts";
import { Fates } from "./fates.ts";
import { Keeper } from "./keeper.ts";
import { RaftLog } from "./log.ts";
import type { Config, Entry, HardState, Message, NodeId, SnapshotMeta } from "./messages.ts";
import type { RaftParams } from "./params.ts";
import type { RaftEffect, RaftOptions, Role, SnapshotTakenInput } from "./types.ts";

/** Ticks of the clock for time-outs in the least of these. */
const TICKS = 2;
/** Sums of times are as exact as this. */
const ROUNDING_MS = 1e-3;

/** Why a message was not taken. */
export type Rejection =
  /** Entries with gaps, falling terms, impossible numbers. */
  | "malformed"
  /** It contradicts what is committed here. */
  | "contradicts"
  /** Another node says that it leads this node's own term. */
  | "second leader"
  /** A commit index beyond the log. */
  | "beyond log"
  /** It came while the disk was full. */
  | "disk full";

/** State, and effects on their way out. */
export class RaftNode {
  readonly id: NodeId;
  readonly params: RaftParams;
  readonly log: RaftLog;
  readonly out: Outbox<RaftEffect> = new Outbox();
  readonly keeper: Keeper;
  readonly fates: Fates;
  readonly rejected: Record<Rejection, number> = {
    malformed: 0,
    contradicts: 0,
    "second leader": 0,
    "beyond log": 0,
    "disk full": 0,
  };
  nowMs: Millis;
  /**
   * What time-outs go by: of a time in which nobody called, though that was asked for, it counts a
   * tick. So a process that stood still believes nobody gone for what it could not hear. It never
   * runs ahead of `nowMs`, by which leases and all else goes.
   */
  clockMs: Millis;
  term: number;
  vote: NodeId;
  role: Role = "follower";
  /** Who leads the term; 0 when it is not known. */
  leader: NodeId = 0;
  /** When the leader of the term was last heard of, by `clockMs`. */
  leaderHeardMs: Millis;
  commit: number;
  /** Handed out to be applied. */
  handed: number;
  applied: number;
  /** Whether a snapshot has replaced the log and the state machine is not restored from it yet. */
  isRestoring = false;
  /** The latest snapshot. */
  snapshot: SnapshotMeta;
  /** When to stand for election, by `clockMs`; meaningless on a leader. */
  electionAtMs: Millis = 0;
  readonly #random: Random;
  /** Called when another node than before is taken for the leader, or none. */
  readonly #onLeaderGone: () => void;

  constructor({ id, params, persisted, random, nowMs }: RaftOptions, onLeaderGone: () => void) {
    invariant(Number.isSafeInteger(id) && id >= 1, () => `${id} is no number of a node`);
    this.id = id;
    this.params = params;
    this.#random = random;
    this.#onLeaderGone = onLeaderGone;
    this.nowMs = this.clockMs = nowMs;
    this.log = new RaftLog(persisted);
    this.term = persisted.hard.term;
    this.vote = persisted.hard.vote;
    invariant(this.log.lastTerm <= this.term, "the log is of a later term than the node");
    this.snapshot = persisted.snapshot;
    this.commit = this.handed = this.applied = persisted.snapshot.index;
    this.keeper = new Keeper(this.log, this.out, params.heldMax);
    this.fates = new Fates(this.log, this.out);
    // What it promised to a leader before a crash it does not know: it waits as if it had just now.
    this.leaderHeardMs = params.leaseClockRatio > 0 ? nowMs : -Infinity;
    this.restartClock();
    // There is nobody to wait for.
    const { voters, outgoing } = this.config;
    if (voters.length === 1 && voters[0] === id && outgoing.length === 0) this.electionAtMs = nowMs;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.log.configs.latest.config;
  }

  /** Whether this node belongs to no group: it must not vote, nor take part in any decision. */
  get isBlank(): boolean {
    return this.config.voters.length === 0;
  }

  /**
   * Whether this node may lead. One that was removed by an entry that may not be committed still
   * does: it may be the only one whose log lets it be elected, and so let that entry commit.
   */
  get canStand(): boolean {
    const { index, config } = this.log.configs.latest;
    if (isVoter(config, this.id)) return true;
    return index > this.commit && isVoter(this.log.configs.at(index - 1), this.id);
  }

  /** A number that no earlier life of this node has drawn, to all likelihood. */
  drawNumber(): number {
    return this.#random();
  }

  /** It is `nowMs` now. */
  advanceTo(nowMs: Millis): void {
    const passedMs = Math.max(0, nowMs - this.nowMs);
    this.nowMs += passedMs;
    this.clockMs += Math.min(passedMs, this.#tickMs);
  }

  /** When to call again a node that does not lead: after a tick at most, or that would be lost. */
  get tickAtMs(): Millis {
    return this.nowMs + Math.min(this.electionAtMs - this.clockMs, this.#tickMs);
  }

  /** Whether it is time to stand for election. */
  get isElectionDue(): boolean {
    return this.clockMs >= this.electionAtMs - ROUNDING_MS;
  }

  get #tickMs(): Millis {
    return this.params.electionMs / TICKS;
  }

  /** Waits for a leader for another random while. */
  restartClock(): void {
    const { electionMs } = this.params;
    this.electionAtMs = this.clockMs + integerBetween(this.#random, electionMs, 2 * electionMs);
  }

  /** Whether a leader was heard so recently that this node helps nobody to replace it. */
  get hasLivingLeader(): boolean {
    return this.role === "leader" || this.clockMs - this.leaderHeardMs < this.params.electionMs;
  }

  /** Moves to a later term, or votes in this one. */
  setHard({ term, vote }: HardState): void {
    invariant(term >= this.term, "terms run forward");
    this.term = term;
    this.vote = vote;
    this.keeper.keepHard({ term, vote });
  }

  /** Takes on a role, or learns who leads. */
  setRole(role: Role, leader: NodeId, isNewTerm: boolean): void {
    if (role === this.role && leader === this.leader && !isNewTerm) return;
    const isOther = leader !== this.leader || isNewTerm;
    this.role = role;
    this.leader = leader;
    if (isOther) this.#onLeaderGone();
    this.out.push({ kind: "role", role, term: this.term, leader });
  }

  send(to: NodeId, message: Message): void {
    this.out.push({ kind: "send", to, message });
  }

  /** Adds an entry to the end of the log. */
  append(entry: Entry): void {
    this.log.append(entry);
    this.keeper.keepFrom(entry.index);
    if (entry.config !== undefined) this.tellMembers();
  }

  tellMembers(): void {
    const { index, config } = this.log.configs.latest;
    this.out.push({ kind: "members", index, config });
  }

  /** Everything up to `index`, which is in the log, is committed. */
  commitUpTo(index: number): void {
    if (index <= this.commit) return;
    invariant(index <= this.log.lastIndex, () => `cannot commit ${index}, the log is shorter`);
    this.commit = index;
    this.fates.committed(index);
  }

  /** Hands out what is committed, if what was handed out before is applied. */
  apply(): void {
    if (this.handed >= this.commit || this.applied < this.handed) return;
    const { applyBytesMax } = this.params;
    const entries = this.log.slice(this.handed + 1, this.commit, applyBytesMax);
    this.handed += entries.length;
    this.out.push({ kind: "apply", entries });
  }

  /** The state machine has come this far. */
  appliedUpTo(index: number): void {
    invariant(index <= this.handed, () => `${index} was not handed out to be applied`);
    this.applied = Math.max(this.applied, index);
    if (this.applied === this.handed) this.isRestoring = false;
  }

  /** Takes the state machine's snapshot for the log up to it; one that is old changes nothing. */
  takeSnapshot({ index, size }: SnapshotTakenInput, sending: readonly number[]): void {
    const { log, params } = this;
    if (index <= this.snapshot.index) return;
    invariant(index <= this.applied, () => `a snapshot at ${index}, which is not applied`);
    const meta = { index, term: log.termAt(index)!, config: log.configs.at(index), size };
    this.snapshot = meta;
    // A peer that is a little late, or is sent a snapshot now, needs what follows; but not at the
    // price of a full log.
    const isTight = log.bytes >= params.logBytesMax / 2;
    const { trailingEntries, trailingBytes } = params;
    const kept = log.behindLast(index, trailingEntries, trailingBytes);
    const behind = isTight ? index : Math.min(kept, ...sending);
    log.compact(behind, index);
    const base = { index: log.baseIndex, term: log.baseTerm };
    this.keeper.keepSnapshot({ meta, source: "taken", base, keep: sending });
  }

  reject(why: Rejection): void {
    this.rejected[why]++;
  }
}
