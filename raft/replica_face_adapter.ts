/**
 * What `openReplica` takes, and what it gives.
 *
 * @module
 */
import type { StateMachine } from "../base/state_machine.ts";
import type { LspServer } from "../lsp/mod.ts";
import type { Files } from "../run/disk_files.ts";
import type { Config, NodeId } from "./messages.ts";
import type { RaftParams } from "./params.ts";
import type { ReplicaAnswer, ReplicaStatus } from "./replica_types.ts";
import type { Role } from "./types.ts";

/** What a node is opened with. */
export interface OpenReplicaOptions {
  /** What is replicated, a word of small letters; nodes of another group are refused. */
  readonly group: string;
  readonly machine: StateMachine;
  /** This node's number, from 1 on; 1 if left out. */
  readonly node?: NodeId;
  /** Made if need be, and this node's alone. If left out, memory does, until the process ends. */
  readonly directory?: string | undefined;
  /** Stands between the directory's log and its files: tests put faults there. */
  readonly between?: ((files: Files) => Files) | undefined;
  /** The first members and where they are (`HOST:PORT`); if left out, this node alone. */
  readonly members?: ReadonlyMap<NodeId, string> | undefined;
  /** Found the cluster although not every member has said that its directory is empty. */
  readonly bootstrap?: boolean;
  /** With an empty directory: be taken into the cluster of the node at this address. */
  readonly join?: string | undefined;
  /** Go on alone, as a new cluster, with what the directory holds: when a majority is lost. */
  readonly forceNewCluster?: boolean;
  /**
   * A listener that the caller reads, for miners and clients, say: it hands what `takes` says is a
   * node's to this one. If left out, the node listens by itself at `host` and `port`.
   */
  readonly listener?: LspServer;
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0, and if left out: a free one. */
  readonly port?: number;
  /** Where others reach this node, if it is not where it listens. */
  readonly advertise?: string | undefined;
  /** Version of the messages on the listener; 0 if left out. */
  readonly appVersion?: number;
  readonly params?: Partial<RaftParams>;
  /** A snapshot is taken when so many bytes of commands came since the last; 16 MiB if left out. */
  readonly snapshotBytes?: number;
  /** A session is ended when the leader heard nothing of it for so long; an hour if left out. */
  readonly sessionIdleMs?: number;
  /** Told one line for people at a time. */
  readonly log?: (text: string, level: "info" | "warn") => void;
  /** Role, term or known leader changed. */
  readonly onRole?: (role: Role, term: number, leader: NodeId) => void;
  /** The disk is full: what could not be done, and where; "": there is space again. */
  readonly onDisk?: (trouble: string) => void;
  /** The configuration in force changed. */
  readonly onMembers?: (config: Config) => void;
  /** The state has come to an index. */
  readonly onApplied?: (index: number) => void;
}

/** A node that runs. */
export interface Replica extends AsyncDisposable {
  readonly node: NodeId;
  /** Where it listens, and where others reach it. */
  readonly port: number;
  readonly address: string;
  /** Resolves when the node was closed; rejects, with one line, if its disk ended it. */
  readonly closed: Promise<void>;
  /**
   * Replicates a command and gives the state machine's answer to it. Rejects with a
   * {@link ReplicaError}; after `unknown` the command may have been carried out, so that one that
   * must not be carried out twice goes through a session.
   */
  submit(command: Uint8Array): Promise<Uint8Array>;
  /**
   * Replicates a command in the form that it has in the log (`plainCommand`, `requestCommand`,
   * `openCommand`, `endCommand`), and calls `then` with what becomes of it, once: for programs
   * that have so many under way that a promise each would be felt.
   */
  propose(command: Uint8Array, then: (answer: ReplicaAnswer) => void): void;
  /** Opens a session, through which a command sent again is carried out once. */
  openSession(): Promise<number>;
  /**
   * Replicates request `number` (from 1 on) of a session, and gives the answer, that of the first
   * time if it is sent again. `lowest`: the least number whose answer is still waited for. Rejects
   * as `submit`, or with a {@link SessionError}.
   */
  request(
    session: number,
    number: number,
    lowest: number,
    command: Uint8Array,
  ): Promise<Uint8Array>;
  /** Ends sessions. */
  endSessions(sessions: readonly number[]): Promise<void>;
  /**
   * Resolves when the state machine here has everything that was committed before this was called:
   * read it at once then. On any node. `lease`: by the leader's lease, if `leaseClockRatio` is set.
   */
  read(options?: { readonly lease?: boolean }): Promise<void>;
  /** Makes these the members; new voters catch up first. On the leader. */
  change(voters: readonly NodeId[], learners?: readonly NodeId[]): Promise<void>;
  /** Hands the lead over, to a voter or to the one with most of the log. On the leader. */
  transfer(to?: NodeId): Promise<void>;
  /** Takes a snapshot of the state now. */
  snapshot(): void;
  /** How the node stands, all of it; `leader` costs less. */
  status(): ReplicaStatus;
  /** Who leads, 0 when nobody is known to, and where that node is, "" when that is not known. */
  readonly leader: { readonly node: NodeId; readonly address: string };
  /** Takes a message of the shared listener if it is a node's; false: it is the caller's own. */
  takes(connId: number, payload: Uint8Array): boolean;
  /** A connection of the shared listener is no more. */
  gone(connId: number): void;
  /** Hands the lead over if this node has it, then ends in good order. */
  close(): Promise<void>;
}
