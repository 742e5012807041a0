/**
 * One node of a group: the state machine that everything else in this room is a part of.
 *
 * @module
 */
import { earlier, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Election } from "./election.ts";
import { Follower } from "./follower.ts";
import { Leader } from "./leader.ts";
import type { Message, NodeId } from "./messages.ts";
import { RaftNode } from "./node.ts";
import { NUMBER_MAX } from "./params.ts";
import { Reads } from "./reads.ts";
import type {
  ChangeInput,
  DiskInput,
  ProposeInput,
  RaftEffect,
  RaftInput,
  RaftOptions,
  ReadInput,
  Refusal,
  SnapshotTakenInput,
  TransferInput,
} from "./types.ts";

/** Raft without clock, network and disk: see raft/types.ts for what goes in and what comes out. */
export class RaftCore implements Machine<RaftInput, RaftEffect> {
  /** The node's state: to be looked at, never changed. */
  readonly node: RaftNode;
  readonly #election: Election;
  readonly #follower: Follower;
  readonly #reads: Reads;
  #leader: Leader | undefined;
  #disk: DiskInput["state"] = "good";
  /** Whether an input came whose consequences are not drawn yet. */
  #isStale = false;

  constructor(options: RaftOptions) {
    this.node = new RaftNode(options, () => this.#reads.leaderChanged());
    this.#election = new Election(this.node, () => this.#lead());
    this.#follower = new Follower(this.node);
    this.#reads = new Reads(this.node);
  }

  handle(input: RaftInput | Wake, nowMs: Millis): void {
    this.node.advanceTo(nowMs);
    this.#isStale = true;
    switch (input.kind) {
      case "message":
        return this.#receive(input.from, input.message);
      case "propose":
        return this.#propose(input);
      case "read":
        return this.#read(input);
      case "change":
        return this.#change(input);
      case "transfer":
        return this.#transfer(input);
      case "snapshotTaken":
        return this.#snapshotTaken(input);
      case "applied":
        return this.node.appliedUpTo(input.index);
      case "stored":
        if (this.#disk === "failed") return;
        this.node.keeper.stored(input.token);
        return this.#election.stored();
      case "disk":
        return this.#diskChanged(input.state);
      case "wake":
        return this.#wake();
    }
  }

  poll(): RaftEffect | undefined {
    const effect = this.node.out.poll();
    if (effect !== undefined || !this.#isStale) return effect;
    this.#isStale = false;
    if (this.#disk !== "failed") this.#advance();
    return this.node.out.poll();
  }

  wakeAtMs(): Millis | undefined {
    if (this.#disk === "failed") return undefined;
    const reads = this.#reads.wakeAtMs;
    if (this.#leader !== undefined) return earlier(reads, this.#leader.wakeAtMs);
    return this.#disk === "full" ? reads : earlier(reads, this.node.tickAtMs);
  }

  /** Draws the consequences of the inputs: what to commit, store, send, answer and apply. */
  #advance(): void {
    const leader = this.#leader;
    leader?.advance();
    // The others' disks are further away than this node's.
    leader?.replication.replicate();
    this.node.keeper.flush();
    this.#reads.advance(leader?.replication);
    this.node.apply();
    if (leader?.isOut) {
      leader.replication.tellCommits();
      // The others need not wait until they miss this node.
      leader.transfer.ask(leader.transfer.mostComplete);
      this.#follow(this.node.term, 0);
    }
  }

  #wake(): void {
    const { node } = this;
    if (this.#disk === "failed") return;
    this.#reads.wake();
    const leader = this.#leader;
    if (leader === undefined) {
      if (this.#disk === "good" && node.isElectionDue) this.#election.timedOut();
      return;
    }
    leader.transfer.wake();
    if (node.nowMs < leader.replication.heartbeatAtMs) return;
    leader.membership.wake();
    if (leader.isAlone) return this.#follow(node.term, 0);
    leader.replication.beat();
    leader.transfer.askAgain();
  }

  #lead(): void {
    this.node.setRole("leader", this.node.id, false);
    this.#leader = new Leader(this.node);
    this.#leader.replication.beat();
    this.#follower.forgetIncoming();
  }

  /** Follows `leader` (0: nobody known) in `term`, this one or a later one. */
  #follow(term: number, leader: NodeId): void {
    const { node } = this;
    const isNewTerm = term > node.term;
    if (isNewTerm) node.setHard({ term, vote: 0 });
    const lead = this.#leader;
    this.#leader = undefined;
    node.setRole("follower", leader, isNewTerm);
    if (lead === undefined) return;
    node.fates.leadLost();
    lead.membership.leadLost();
    lead.transfer.leadLost();
    node.restartClock();
  }

  #receive(from: NodeId, message: Message): void {
    const { node } = this;
    if (this.#disk !== "good") return node.reject("disk full");
    // A term is never taken back, so that one out of range would be the group's end.
    if (!(message.term >= 0 && message.term < NUMBER_MAX) || from === node.id) {
      return node.reject("malformed");
    }
    if (message.term < node.term) return this.#receiveOld(from, message);
    if (message.term > node.term && !this.#catchUp(from, message)) return;
    this.#leader?.replication.heardFrom(from);
    switch (message.kind) {
      case "append":
      case "heartbeat":
      case "snapshot":
        return this.#receiveFromLeader(from, message);
      case "vote":
        return this.#election.asked(from, message);
      case "voted":
        return this.#election.voted(from, message);
      case "takeOver":
        if (from === node.leader && node.role === "follower") this.#election.stand(true);
        return;
      case "askRead":
        return this.#reads.asked(from, message.batch, this.#leader?.replication);
      case "readAt":
        if (this.#leader === undefined) this.#reads.readAt(message);
        return;
      default:
        return this.#receiveAnswer(from, message);
    }
  }

  /** A message of an earlier term: tells its sender this one, if it may not know it. */
  #receiveOld(from: NodeId, message: Message): void {
    const { node } = this;
    const { kind } = message;
    if (kind === "vote") {
      const answer = { kind: "voted", term: node.term, pre: message.pre, granted: false } as const;
      node.keeper.send(from, answer);
    } else if (kind === "append" || kind === "heartbeat" || kind === "snapshot") {
      node.keeper.send(from, { kind: "heard", term: node.term, round: 0 });
    }
  }

  /** A message of a later term: moves there, unless it is no reason to. Whether to read on. */
  #catchUp(from: NodeId, message: Message): boolean {
    const { node } = this;
    const { kind, term } = message;
    if (kind === "vote") {
      if (message.pre) return true;
      // A node that is not heard of, or was removed, must not depose a leader that lives (4.2.3).
      if (!message.transfer && node.hasLivingLeader) return false;
    }
    if (kind === "voted" && message.pre && message.granted) return true;
    const isLeaders = kind === "append" || kind === "heartbeat" || kind === "snapshot";
    this.#follow(term, isLeaders ? from : 0);
    return true;
  }

  #receiveFromLeader(
    from: NodeId,
    message: Message & { kind: "append" | "heartbeat" | "snapshot" },
  ): void {
    const { node } = this;
    if (node.role === "leader" || (node.leader !== 0 && node.leader !== from)) {
      return node.reject("second leader");
    }
    if (node.leader !== from) this.#follow(node.term, from);
    node.leaderHeardMs = node.clockMs;
    node.restartClock();
    if (message.kind === "append") this.#follower.append(from, message);
    else if (message.kind === "heartbeat") this.#follower.heartbeat(from, message);
    else this.#follower.snapshot(from, message);
  }

  #receiveAnswer(
    from: NodeId,
    message: Message & { kind: "appended" | "refused" | "heard" | "chunked" },
  ): void {
    const replication = this.#leader?.replication;
    if (replication === undefined) return;
    if (message.kind === "appended") replication.appended(from, message);
    else if (message.kind === "refused") replication.refused(from, message);
    else if (message.kind === "heard") replication.heard(from, message.round);
    else replication.chunked(from, message);
  }

  /** Why nothing can be asked of this node now; undefined when it leads. */
  #whyNot(): Refusal | undefined {
    if (this.#disk === "failed") return "stopped";
    if (this.#disk === "full") return "disk full";
    return this.#leader === undefined ? "not leader" : undefined;
  }

  #propose(input: ProposeInput): void {
    const why = this.#whyNot();
    if (why === undefined) return this.#leader!.propose(input);
    const { leader } = this.node;
    this.node.out.push({ kind: "proposed", id: input.id, isAccepted: false, why, leader });
  }

  #read({ id, lease }: ReadInput): void {
    const why = this.#whyNot();
    if (why !== undefined && why !== "not leader") {
      this.node.out.push({ kind: "read", id, index: -1, why });
      return;
    }
    const leader = this.#leader;
    this.#reads.read(id, lease, leader?.replication, leader?.leaseMs ?? -Infinity);
  }

  #change(input: ChangeInput): void {
    const why = this.#whyNot();
    if (why === undefined) return this.#leader!.membership.begin(input);
    this.node.out.push({ kind: "changed", id: input.id, outcome: "refused", why });
  }

  #transfer(input: TransferInput): void {
    const why = this.#whyNot();
    if (why === undefined) return this.#leader!.transfer.begin(input);
    this.node.out.push({ kind: "transferred", id: input.id, isDone: false, why });
  }

  #snapshotTaken(input: SnapshotTakenInput): void {
    this.node.takeSnapshot(input, this.#leader?.replication.sendingIndexes ?? []);
  }

  #diskChanged(state: DiskInput["state"]): void {
    const { node } = this;
    if (state === this.#disk || this.#disk === "failed") return;
    const leader = this.#leader;
    // Somebody with room on the disk can lead at once.
    if (leader !== undefined && state !== "good") {
      leader.transfer.ask(leader.transfer.mostComplete);
    }
    this.#disk = state;
    if (state === "good") return node.restartClock();
    this.#follow(node.term, 0);
    this.#reads.refuseAll(state === "full" ? "disk full" : "stopped");
    if (state !== "failed") return;
    node.out.dropHeld();
    node.out.push({ kind: "stop" });
  }
}
