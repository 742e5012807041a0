/**
 * Majorities of one configuration, or of both halves of a joint one (Raft thesis, 4.3).
 *
 * @module
 */
import type { Config, NodeId } from "./messages.ts";

/** How an election stands. */
export type VoteResult = "won" | "lost" | "pending";

/** Reused by every call: a configuration's values, sorted. */
const scratch: number[] = [];

/** The largest value that a majority of `voters` has reached; `nobody` when there are none. */
function majorityValue(
  voters: readonly NodeId[],
  valueOf: (id: NodeId) => number,
  nobody: number,
): number {
  const count = voters.length;
  if (count === 0) return nobody;
  for (let i = 0; i < count; i++) {
    const value = valueOf(voters[i]!);
    let place = i;
    for (; place > 0 && scratch[place - 1]! < value; place--) scratch[place] = scratch[place - 1]!;
    scratch[place] = value;
  }
  return scratch[count >> 1]!;
}

/**
 * The largest value that a quorum has reached, where `valueOf` says what each voter has: an index
 * it holds, a round it answered, a time it was heard. `-Infinity` without voters.
 */
export function quorumValue(config: Config, valueOf: (id: NodeId) => number): number {
  const incoming = majorityValue(config.voters, valueOf, -Infinity);
  return Math.min(incoming, majorityValue(config.outgoing, valueOf, Infinity));
}

/** Where an election stands; `voteOf` is undefined for who has not answered. */
export function voteResult(
  config: Config,
  voteOf: (id: NodeId) => boolean | undefined,
): VoteResult {
  const sure = quorumValue(config, (id) => (voteOf(id) === true ? 1 : 0));
  if (sure === 1) return "won";
  const possible = quorumValue(config, (id) => (voteOf(id) === false ? 0 : 1));
  return possible === 1 ? "pending" : "lost";
}
