/**
 * How a node stands for election, and how it votes (Raft paper, 5.2 and 5.4.1; thesis, 9.6).
 *
 * @module
 */
import type { NodeId, VotedMessage, VoteMessage } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import { voteResult } from "./quorum.ts";

/** One node's candidacies and votes. */
export class Election {
  readonly #node: RaftNode;
  /** Called when this node has won its term. */
  readonly #onWon: () => void;
  /** Whether this candidacy only asks what would be. */
  #isPre = false;
  /** The answers, one a node; a vote once given stays given. */
  readonly #votes = new Map<NodeId, boolean>();
  /** The step that makes this node's vote for itself durable. */
  #ownVoteToken = 0;

  constructor(node: RaftNode, onWon: () => void) {
    this.#node = node;
    this.#onWon = onWon;
  }

  /** The time-out has run off: asks whether there would be votes for this node. */
  timedOut(): void {
    const node = this.#node;
    node.restartClock();
    if (!node.canStand) {
      node.setRole("follower", 0, false);
      return;
    }
    this.#isPre = true;
    this.#votes.clear();
    node.setRole("candidate", 0, false);
    this.#ask(false);
    this.#count(node.id, true);
  }

  /** Stands for the next term at once. */
  stand(isTransfer: boolean): void {
    const node = this.#node;
    if (!node.canStand) return;
    node.restartClock();
    this.#isPre = false;
    this.#votes.clear();
    node.setHard({ term: node.term + 1, vote: node.id });
    node.setRole("candidate", 0, true);
    this.#ownVoteToken = node.keeper.token;
    this.#ask(isTransfer);
  }

  /** A step is durable: perhaps the one with this node's vote for itself. */
  stored(): void {
    const node = this.#node;
    if (node.role !== "candidate" || this.#isPre || this.#votes.has(node.id)) return;
    if (node.keeper.isDurable(this.#ownVoteToken)) this.#count(node.id, true);
  }

  /** An answer came. */
  voted(from: NodeId, { term, pre, granted }: VotedMessage): void {
    const node = this.#node;
    if (node.role !== "candidate" || pre !== this.#isPre) return;
    const askedTerm = pre ? node.term + 1 : node.term;
    if (granted ? term !== askedTerm : term !== node.term) return;
    this.#count(from, granted);
  }

  /** Somebody asks for this node's vote, in this term, or in a later one with a pre-vote. */
  asked(from: NodeId, message: VoteMessage): void {
    const node = this.#node;
    const { term, pre, transfer } = message;
    const isNew = term > node.term;
    const isFree = isNew || node.vote === from || (node.vote === 0 && node.leader === 0);
    const isPatient = !transfer && node.hasLivingLeader;
    const isComplete = node.log.isUpToDate(message.lastIndex, message.lastTerm);
    const granted = isFree && !isPatient && isComplete && !node.isBlank;
    if (granted && !pre) {
      if (node.vote !== from) node.setHard({ term: node.term, vote: from });
      node.restartClock();
    }
    const answer: VotedMessage = { kind: "voted", term: granted ? term : node.term, pre, granted };
    // Whatever is said of a term or a vote must outlive a crash.
    node.keeper.send(from, answer);
  }

  #ask(transfer: boolean): void {
    const node = this.#node;
    const { lastIndex, lastTerm } = node.log;
    const pre = this.#isPre;
    const term = pre ? node.term + 1 : node.term;
    for (const to of new Set([...node.config.voters, ...node.config.outgoing])) {
      if (to === node.id) continue;
      node.keeper.send(to, { kind: "vote", term, pre, transfer, lastIndex, lastTerm });
    }
  }

  #count(id: NodeId, isGranted: boolean): void {
    const node = this.#node;
    if (this.#votes.get(id) !== true) this.#votes.set(id, isGranted);
    const result = voteResult(node.config, (voter) => this.#votes.get(voter));
    if (result === "pending") return;
    if (result === "lost") node.setRole("follower", 0, false);
    else if (this.#isPre) this.stand(false);
    else this.#onWon();
  }
}
