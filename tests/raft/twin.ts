/**
 * The dumb twin of raft/quorum.ts: goes through every set of nodes there is and asks each whether
 * it may decide. Slow, and right to the eye.
 */
import type { Config, NodeId } from "../../raft/mod.ts";

/** Every subset of `nodes`. */
function subsets(nodes: readonly NodeId[]): NodeId[][] {
  if (nodes.length === 0) return [[]];
  const [first, ...rest] = nodes;
  return subsets(rest).flatMap((set) => [set, [first!, ...set]]);
}

/** Whether more than half of `voters` are in `set`. */
function isMajority(set: ReadonlySet<NodeId>, voters: readonly NodeId[]): boolean {
  return voters.filter((id) => set.has(id)).length * 2 > voters.length;
}

/** Every set of members that may decide alone. */
export function quorums(config: Config): ReadonlySet<NodeId>[] {
  const members = [...new Set([...config.voters, ...config.outgoing])];
  return subsets(members)
    .map((nodes) => new Set(nodes))
    .filter((set) => config.voters.length > 0 && isMajority(set, config.voters))
    .filter((set) => config.outgoing.length === 0 || isMajority(set, config.outgoing));
}

/** The largest of the values that all of some quorum have reached. */
export function twinValue(config: Config, values: ReadonlyMap<NodeId, number>): number {
  const reached = quorums(config).map((set) =>
    Math.min(...[...set].map((id) => values.get(id) ?? 0)),
  );
  return Math.max(...reached, -Infinity);
}

/** Won: some quorum said yes. Lost: each has one that said no. */
export function twinVote(config: Config, votes: ReadonlyMap<NodeId, boolean>): string {
  const all = quorums(config);
  if (all.some((set) => [...set].every((id) => votes.get(id) === true))) return "won";
  if (all.every((set) => [...set].some((id) => votes.get(id) === false))) return "lost";
  return "pending";
}
