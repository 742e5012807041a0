/**
 * Sees all nodes at once, and throws at the first thing that Raft promises not to happen.
 *
 * @module
 */
import {
  type Config,
  type Entry,
  type FateEffect,
  type Message,
  type NodeId,
  quorumValue,
  type RaftNode,
} from "../../raft/mod.ts";
import { demand } from "../engine/trace.ts";
import { digestAfter } from "./state.ts";

/** What the oracle asks of the world. */
export interface OracleWorld {
  /** The term of the entry that a node's disk holds at `index`, whether the node runs or not. */
  durableTermAt(id: NodeId, index: number): number | undefined;
}

/** A committed entry. */
interface Committed {
  readonly entry: Entry;
  /** The term in which it was first seen to be committed. */
  readonly inTerm: number;
}

/** What is known of an entry by its index and term. */
interface Known {
  readonly entry: Entry;
  readonly prevTerm: number;
}

/** What was last seen of a living node. */
interface Seen {
  term: number;
  commit: number;
  leadTerm: number;
  lastIndex: number;
}

/** The global truth, as far as it has come to light. */
export class RaftOracle {
  readonly #world: OracleWorld;
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #known = new Map<string, Known>();
  /** By index; nothing at 0. */
  readonly committed: Committed[] = [];
  /** The state's digest after each index. */
  readonly #digests: number[] = [1];
  readonly #lost = new Set<string>();
  readonly #seen = new Map<NodeId, Seen>();
  elections = 0;
  /** The latest configuration that is known to be committed. */
  config: Config;

  constructor(world: OracleWorld, config: Config) {
    this.#world = world;
    this.config = config;
    this.committed.push({
      entry: { index: 0, term: 0, kind: "empty", data: new Uint8Array(0), config: undefined },
      inTerm: 0,
    });
  }

  /** The last index that was ever committed. */
  get lastCommitted(): number {
    return this.committed.length - 1;
  }

  /** A node begins a life. */
  started(node: RaftNode): void {
    const { term, commit } = node;
    this.#seen.set(node.id, { term, commit, leadTerm: 0, lastIndex: 0 });
  }

  /** Something happened to a node: terms, commit index and a leader's log only grow. */
  looked(node: RaftNode): void {
    const seen = this.#seen.get(node.id)!;
    const { term, commit, log } = node;
    const who = `node ${node.id}`;
    demand(term >= seen.term, () => `${who}: the term fell from ${seen.term} to ${term}`);
    demand(commit >= seen.commit, () => `${who}: commit fell from ${seen.commit} to ${commit}`);
    demand(commit <= log.lastIndex, () => `${who}: committed ${commit} beyond its log`);
    demand(node.applied <= commit, () => `${who}: applied ${node.applied} beyond ${commit}`);
    if (node.role === "leader") {
      const isSame = seen.leadTerm === term;
      demand(!isSame || log.lastIndex >= seen.lastIndex, () => `${who}: leader's log got shorter`);
      seen.leadTerm = term;
      seen.lastIndex = log.lastIndex;
    }
    const isOwn = node.role !== "leader" || commit === seen.commit || log.termAt(commit) === term;
    demand(isOwn, () => `${who} leads ${term} and committed ${commit} of another term by count`);
    if (commit > seen.commit) this.#committed(node, seen.commit);
    seen.term = term;
    seen.commit = commit;
    for (const [why, count] of Object.entries(node.rejected)) {
      // All nodes are honest; but one that lost its disk holds less than its leader believes.
      const isExpected = why === "disk full" || (why === "beyond log" && node.isBlank);
      demand(count === 0 || isExpected, () => `${who} rejected a message: ${why}`);
    }
    const { held } = node.out;
    demand(held <= node.params.heldMax + 1, () => `${who}: ${held} effects are held`);
  }

  /** A node says that it leads. */
  leads(node: RaftNode): void {
    const { id, term, log } = node;
    const other = this.#leaders.get(term);
    demand(other === undefined || other === id, () => `${other} and ${id} lead term ${term}`);
    if (other === undefined) this.elections++;
    this.#leaders.set(term, id);
    for (let index = this.lastCommitted; index > log.baseIndex; index--) {
      const { entry, inTerm } = this.committed[index]!;
      // What was committed by a later leader, this one's voters may not have had.
      if (inTerm >= term) continue;
      demand(
        log.termAt(index) === entry.term,
        () => `node ${id} leads term ${term} without the committed entry ${index}`,
      );
      return;
    }
  }

  /** Entries are in a node's log: two of the same index and term are the same, and follow alike. */
  inLog(id: NodeId, prevTerm: number, entries: readonly Entry[]): void {
    let before = prevTerm;
    for (const entry of entries) {
      const key = `${entry.index} ${entry.term}`;
      const known = this.#known.get(key);
      if (known === undefined) this.#known.set(key, { entry, prevTerm: before });
      else {
        demand(
          isSameEntry(known.entry, entry) && known.prevTerm === before,
          () => `node ${id} has another entry ${entry.index} of term ${entry.term}`,
        );
      }
      before = entry.term;
    }
  }

  /** A node sends a message: of votes, at most one a term. */
  sent(from: NodeId, to: NodeId, message: Message): void {
    if (message.kind === "append") this.inLog(from, message.prevTerm, message.entries);
    if (message.kind === "vote" && !message.pre) this.#voted(from, from, message.term);
    if (message.kind !== "voted" || message.pre || !message.granted) return;
    this.#voted(from, to, message.term);
  }

  /** A node's state has come from `before` to the entry's index by it. */
  applied(id: NodeId, before: number, entry: Entry): void {
    const { index } = entry;
    demand(index === before + 1, () => `node ${id} applied ${index} after ${before}`);
    const truth = this.committed[index]?.entry;
    demand(
      truth !== undefined && isSameEntry(truth, entry),
      () => `node ${id} applied ${index} of term ${entry.term}, committed is ${truth?.term}`,
    );
  }

  /** The digest that every state has after `index`. */
  stateIs(id: NodeId, index: number, digest: number): void {
    demand(index <= this.lastCommitted, () => `node ${id} has a state of uncommitted ${index}`);
    for (let i = this.#digests.length; i <= index; i++) {
      this.#digests.push(digestAfter(this.#digests[i - 1]!, this.committed[i]!.entry));
    }
    demand(this.#digests[index] === digest, () => `node ${id} has a wrong state at ${index}`);
  }

  /** A proposer was told. */
  told({ fate, term, first, last }: FateEffect): void {
    for (let index = first; index <= last; index++) {
      const truth = this.committed[index]?.entry.term;
      const what = `entry ${index} of term ${term}`;
      if (fate === "committed") {
        demand(truth === term, () => `${what} was told committed, but it is ${truth}`);
      } else if (fate === "lost") {
        demand(truth !== term, () => `${what} was told lost, but it is committed`);
        this.#lost.add(`${index} ${term}`);
      }
    }
  }

  /** A read was answered that was asked for when `least` was committed. */
  readAnswered(id: NodeId, index: number, applied: number, least: number): void {
    demand(index >= least, () => `node ${id} read at ${index}, but ${least} was committed before`);
    demand(applied >= index, () => `node ${id} read at ${index} from a state at ${applied}`);
  }

  #voted(voter: NodeId, candidate: NodeId, term: number): void {
    const key = `${voter} ${term}`;
    const other = this.#votes.get(key) ?? candidate;
    demand(
      other === candidate,
      () => `node ${voter} voted for ${other} and ${candidate} in ${term}`,
    );
    this.#votes.set(key, candidate);
  }

  #committed(node: RaftNode, before: number): void {
    const { log, id } = node;
    for (let index = Math.max(before, log.baseIndex) + 1; index <= node.commit; index++) {
      const entry = log.entryAt(index);
      const truth = this.committed[index];
      if (truth !== undefined) {
        demand(
          isSameEntry(truth.entry, entry),
          () => `node ${id} committed ${index} of ${entry.term}, not of ${truth.entry.term}`,
        );
        continue;
      }
      demand(index === this.committed.length, () => `node ${id} committed ${index} with a gap`);
      const isLost = this.#lost.has(`${index} ${entry.term}`);
      demand(!isLost, () => `entry ${index} of term ${entry.term} is committed and was told lost`);
      this.#durable(node, index, entry.term);
      this.committed.push({ entry, inTerm: node.term });
      if (entry.config !== undefined) this.config = entry.config;
    }
  }

  /** What is committed is on the disks of a quorum. */
  #durable(node: RaftNode, index: number, term: number): void {
    const holds = (id: NodeId): number => (this.#world.durableTermAt(id, index) === term ? 1 : 0);
    // It was counted in the configuration of then; a step of a change may have followed at once.
    const configs = [node.log.configs.at(index), node.config];
    const isSafe = configs.some((config) => quorumValue(config, holds) === 1);
    demand(isSafe, () => `node ${node.id} committed ${index}, which no quorum's disks hold`);
  }
}

/** Whether two entries are one: the same value where nodes share it, or all of it alike. */
function isSameEntry(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  const isAlike = a.index === b.index && a.term === b.term && a.kind === b.kind;
  const { length } = a.data;
  if (!isAlike || length !== b.data.length) return false;
  for (let i = 0; i < length; i++) if (a.data[i] !== b.data[i]) return false;
  return JSON.stringify(a.config) === JSON.stringify(b.config);
}
