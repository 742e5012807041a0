/**
 * How a server stands, as plain data for `server.ts status`.
 *
 * @module
 */
import type { Replica, ReplicaStatus } from "../raft/mod.ts";
import type { ServerNode } from "./node.ts";

/** What a server says of itself. What only a leader knows is missing at others. */
export interface ServerReport {
  /** Whether it leads, and serves miners and clients. */
  readonly leads: boolean;
  /** Of one that keeps its jobs in memory: undefined. */
  readonly cluster?: Pick<
    ReplicaStatus,
    | "node"
    | "isReady"
    | "role"
    | "term"
    | "leader"
    | "leaderAddress"
    | "commit"
    | "applied"
    | "members"
    | "addresses"
    | "connected"
  >;
  /** Where it keeps its jobs, how long its log is, and why it cannot write just now, if so. */
  readonly disk?: {
    readonly directory: string;
    readonly logBytes: number;
    readonly snapshotIndex: number;
    readonly trouble: string;
  };
  /** Jobs at work, and answers that are kept. */
  readonly jobs: number;
  readonly answers: number;
  readonly miners: number;
  readonly clients: number;
  /** Nonces a second of all miners. */
  readonly fleetRate: number;
}

/** See the module. */
export function reportOf(
  node: ServerNode,
  replica: Replica | undefined,
  directory: string | undefined,
): ServerReport {
  const { miners, clients, fleetRate, tables } = node.snapshot();
  const { records = 0, answers = 0 } = tables;
  const served = {
    leads: node.leads,
    jobs: records,
    answers,
    miners: miners.length,
    clients,
    fleetRate: Math.round(fleetRate),
  };
  if (replica === undefined || directory === undefined) return served;
  const status = replica.status();
  const { isReady, role, term, leader, leaderAddress, commit, applied } = status;
  const { members, addresses, connected, logBytes, snapshotIndex } = status;
  return {
    ...served,
    cluster: {
      node: status.node,
      isReady,
      role,
      term,
      leader,
      leaderAddress,
      commit,
      applied,
      members,
      addresses,
      connected,
    },
    disk: { directory, logBytes, snapshotIndex, trouble: node.core.trouble },
  };
}
