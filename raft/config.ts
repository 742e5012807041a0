/**
 * Configurations: who is in one, how one leads to the next, and which was in force when.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Config, Entry, NodeId } from "./messages.ts";

/** The configuration of a node that belongs to no group. */
export const NO_CONFIG: Config = { voters: [], outgoing: [], learners: [] };

/** Whether `id` has a say in what is committed and who leads. */
export function isVoter(config: Config, id: NodeId): boolean {
  return config.voters.includes(id) || config.outgoing.includes(id);
}

/** Whether `id` is sent the log. */
export function isMember(config: Config, id: NodeId): boolean {
  return isVoter(config, id) || config.learners.includes(id);
}

/** Everybody who is sent the log, each once. */
export function membersOf(config: Config): NodeId[] {
  return [...new Set([...config.voters, ...config.outgoing, ...config.learners])];
}

/** Whether two majorities are needed. */
export function isJoint(config: Config): boolean {
  return config.outgoing.length > 0;
}

function sameNodes(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** Whether the same nodes vote. */
export function sameVoters(config: Config, voters: readonly NodeId[]): boolean {
  return sameNodes(config.voters, voters);
}

/** Whether `voters` and `learners` can be the members of a group of at most `membersMax`. */
export function isPossible(
  voters: readonly NodeId[],
  learners: readonly NodeId[],
  membersMax: number,
): boolean {
  const all = [...voters, ...learners];
  if (voters.length === 0 || all.length > membersMax) return false;
  const areNumbers = all.every((id) => Number.isSafeInteger(id) && id >= 1);
  return areNumbers && new Set(all).size === all.length;
}

/** The configuration in which both the old voters and the new ones decide. */
export function jointConfig(
  from: Config,
  voters: readonly NodeId[],
  learners: readonly NodeId[],
): Config {
  return { voters, outgoing: from.voters, learners };
}

/** The configuration behind a joint one. */
export function withoutOutgoing({ voters, learners }: Config): Config {
  return { voters, outgoing: [], learners };
}

/** The configuration in force at an index and from it on. */
export interface ConfigAt {
  readonly index: number;
  readonly config: Config;
}

/** The configurations of a log, of which the last is in force, committed or not. */
export class ConfigHistory {
  readonly #known: ConfigAt[];

  constructor(start: ConfigAt) {
    this.#known = [start];
  }

  get latest(): ConfigAt {
    return this.#known.at(-1)!;
  }

  /** The one in force at `index`, which is not before the start. */
  at(index: number): Config {
    const found = this.#known.findLast((known) => known.index <= index);
    invariant(found, () => `no configuration is known at ${index}`);
    return found.config;
  }

  /** An entry was added to the log. */
  append(entry: Entry): void {
    if (entry.config !== undefined && entry.index > this.latest.index) {
      this.#known.push({ index: entry.index, config: entry.config });
    }
  }

  /** The log ends before `index` now: what came with the entries from there on goes with them. */
  truncate(index: number): void {
    while (this.latest.index >= index) {
      invariant(this.#known.length > 1, () => `the first configuration is not before ${index}`);
      this.#known.pop();
    }
  }

  /** What was in force before `index` is not asked for any more. */
  forgetBefore(index: number): void {
    while (this.#known.length > 1 && this.#known[1]!.index <= index) this.#known.shift();
  }

  /** All of the log is replaced by a snapshot. */
  reset(start: ConfigAt): void {
    this.#known.length = 0;
    this.#known.push(start);
  }
}
