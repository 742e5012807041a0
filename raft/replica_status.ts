/**
 * How a node stands, for people and programs.
 *
 * @module
 */
import { NO_CONFIG } from "./config.ts";
import type { Identity } from "./identity.ts";
import type { Links } from "./links.ts";
import type { RaftNode } from "./node.ts";
import type { ReplicaStatus } from "./replica_types.ts";

/** See the module. */
export function statusOf(
  identity: Identity,
  node: RaftNode | undefined,
  links: Links,
  sessions: number,
): ReplicaStatus {
  const leader = node?.leader ?? 0;
  const places = [...identity.book].map(([id, { address }]) => [id, address] as const);
  return {
    node: identity.node,
    cluster: identity.cluster,
    isReady: node !== undefined && !node.isBlank,
    role: node?.role ?? "follower",
    term: node?.term ?? 0,
    leader,
    leaderAddress: identity.book.get(leader)?.address ?? "",
    commit: node?.commit ?? 0,
    applied: node?.applied ?? 0,
    lastIndex: node?.log.lastIndex ?? 0,
    snapshotIndex: node?.snapshot.index ?? 0,
    logBytes: node?.log.bytes ?? 0,
    members: node?.config ?? NO_CONFIG,
    addresses: Object.fromEntries(places),
    connected: links.connected,
    sessions,
    rejected: { ...links.rejected, ...node?.rejected },
  };
}
