/**
 * A change of members, as the leader carries it through (Raft thesis, 4.2.1 and 4.3): new voters
 * catch up as learners, then old and new voters decide together, then the new ones alone.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { isJoint, isPossible, jointConfig, sameVoters, withoutOutgoing } from "./config.ts";
import type { Config } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import type { Replication } from "./replication.ts";
import type { ChangeInput, Refusal } from "./types.ts";

/** A change that is under way. */
interface Change {
  readonly input: ChangeInput;
  readonly untilMs: Millis;
  /** The voters that catch up are to have this much of the log before the round ends. */
  roundIndex: number;
  roundStartMs: Millis;
}

/** Changes of members during one term of a leader. */
export class Membership {
  readonly #node: RaftNode;
  readonly #lead: Replication;
  /** Adds a configuration to the log. */
  readonly #add: (config: Config) => void;
  #change: Change | undefined;

  constructor(node: RaftNode, lead: Replication, add: (config: Config) => void) {
    this.#node = node;
    this.#lead = lead;
    this.#add = add;
  }

  get #isSettled(): boolean {
    const { log, commit, config, term } = this.#node;
    const isCurrent = log.termAt(commit) === term;
    return isCurrent && log.configs.latest.index <= commit && !isJoint(config);
  }

  /** Begins a change, or refuses it. */
  begin(input: ChangeInput): void {
    const node = this.#node;
    const { voters, learners, id } = input;
    if (this.#change !== undefined || !this.#isSettled) return this.#refuse(id, "changing");
    if (!isPossible(voters, learners, node.params.membersMax)) return this.#refuse(id, "invalid");
    const untilMs = node.nowMs + node.params.catchUpMs;
    const roundIndex = node.log.lastIndex;
    this.#change = { input, untilMs, roundIndex, roundStartMs: node.nowMs };
    const { config } = node;
    if (sameVoters(config, voters)) {
      this.#add({ voters, outgoing: [], learners });
      return;
    }
    const fresh = voters.filter((voter) => !config.voters.includes(voter));
    const missing = fresh.filter((voter) => !config.learners.includes(voter));
    if (missing.length === 0) return;
    this.#add({ ...config, learners: [...config.learners, ...missing] });
  }

  /** Takes the next step of what is under way, a joint configuration of an earlier leader too. */
  advance(): void {
    const node = this.#node;
    const { config, commit, log } = node;
    if (log.configs.latest.index > commit || log.termAt(commit) !== node.term) return;
    if (isJoint(config)) {
      this.#add(withoutOutgoing(config));
      return;
    }
    const change = this.#change;
    if (change === undefined) return;
    const { voters, learners, id } = change.input;
    const isThere =
      sameVoters(config, voters) &&
      config.learners.length === learners.length &&
      learners.every((learner) => config.learners.includes(learner));
    if (isThere) {
      this.#change = undefined;
      node.out.push({ kind: "changed", id, outcome: "done", why: undefined });
    } else if (this.#haveCaughtUp(change)) this.#add(jointConfig(config, voters, learners));
  }

  /** Gives up a change whose new voters do not catch up; they stay learners. */
  wake(): void {
    const change = this.#change;
    if (change === undefined || this.#node.nowMs < change.untilMs || !this.#isSettled) return;
    this.#change = undefined;
    this.#refuse(change.input.id, "timed out");
  }

  /** The lead is lost: what is under way is in other hands. */
  leadLost(): void {
    if (this.#change === undefined) return;
    const { id } = this.#change.input;
    this.#change = undefined;
    this.#node.out.push({ kind: "changed", id, outcome: "unknown", why: "not leader" });
  }

  /**
   * Whether every new voter has taken in, within an election time-out, all that there was at the
   * beginning of that time: then it will hold up commits no longer than that.
   */
  #haveCaughtUp(change: Change): boolean {
    const { nowMs, params, log, config, id } = this.#node;
    const fresh = change.input.voters.filter((voter) => !config.voters.includes(voter));
    for (const voter of fresh) {
      const match = voter === id ? log.lastIndex : (this.#lead.peers.get(voter)?.match ?? 0);
      if (match < change.roundIndex) return false;
    }
    if (nowMs - change.roundStartMs <= params.electionMs) return true;
    change.roundIndex = log.lastIndex;
    change.roundStartMs = nowMs;
    return false;
  }

  #refuse(id: number, why: Refusal): void {
    this.#node.out.push({ kind: "changed", id, outcome: "refused", why });
  }
}
