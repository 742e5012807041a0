/**
 * What a node of a cluster is told, and what it asks for: Raft, its disk, its connections and a
 * program's state machine in one.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import type { StateMachine } from "../base/state_machine.ts";
import type { StoredState, StoreEffect, StoreInput } from "../base/store.ts";
import type { Channel } from "./greeting.ts";
import type { Config, NodeId } from "./messages.ts";
import type { RaftParams } from "./params.ts";
import type { SessionAnswer } from "./sessions.ts";
import type { Refusal, Role } from "./types.ts";

/** What a replica is made of. */
export interface ReplicaOptions {
  readonly node: NodeId;
  /** What is replicated, a word: nodes of another group are refused. */
  readonly group: string;
  /** Where others reach this node, `HOST:PORT`. */
  readonly address: string;
  /** The first members and where they are, this node included. Only this node: a cluster of one. */
  readonly members: ReadonlyMap<NodeId, string>;
  /** Found the cluster now, although not every member has said that its directory is empty. */
  readonly bootstrap?: boolean;
  /** With an empty directory: ask the cluster of the node at this address to be taken in. */
  readonly join?: string | undefined;
  /** Go on alone, as a new cluster, with what this directory holds: the last way out. */
  readonly forceNewCluster?: boolean;
  readonly machine: StateMachine;
  readonly params: RaftParams;
  /** A snapshot is taken when so many bytes of commands came after the one before. */
  readonly snapshotBytes: number;
  /** A session of which the leader has heard nothing for so long is ended. */
  readonly sessionIdleMs: Millis;
  /** What the disk held; `fresh` draws names that no other node draws. */
  readonly stored: StoredState;
  /** 8 bytes each, in hexadecimal: of this directory, and of a cluster if one is founded. */
  readonly fresh: { readonly disk: string; readonly cluster: string };
  readonly random: Random;
  readonly nowMs: Millis;
  /** Bytes written to a connection and not acknowledged; 0 when it is gone. */
  readonly queuedBytes: (conn: number) => number;
}

/** Something to be replicated; `id` comes back in the answer. */
export interface Request {
  readonly id: number;
  /** By `plainCommand`, `openCommand`, `requestCommand` or `endCommand`. */
  readonly command: Uint8Array;
}

/** Everything that a replica is told, beside `wake` and what its disk says. */
export type ReplicaInput =
  | { readonly kind: "submit"; readonly requests: readonly Request[] }
  /** Answered when the state machine may be read, on any node. */
  | { readonly kind: "read"; readonly id: number; readonly lease: boolean }
  | {
      readonly kind: "change";
      readonly id: number;
      readonly voters: readonly NodeId[];
      readonly learners: readonly NodeId[];
    }
  /** Hand the lead over; to 0: to the node that has most of the log. */
  | { readonly kind: "transfer"; readonly id: number; readonly to: NodeId }
  /** Take a snapshot now, whatever `snapshotBytes` is. */
  | { readonly kind: "snapshot" }
  /** A connection that was dialled is made. */
  | { readonly kind: "opened"; readonly conn: number }
  /** Payloads have come; the number of a connection that came in is even, and never comes again. */
  | {
      readonly kind: "received";
      readonly messages: readonly { readonly conn: number; readonly payload: Uint8Array }[];
    }
  /** A connection is no more, or could not be made. */
  | { readonly kind: "gone"; readonly conn: number }
  /** All connections are to be ended, in peace. */
  | { readonly kind: "leave" }
  | StoreInput;

/** Why something that was asked for did not come about. */
export type ReplicaRefusal =
  | Refusal
  /** The cluster is not founded yet, or this node is not in it yet. */
  | "not ready"
  /** Another command took its place in the log: it was not carried out, and will not be. */
  | "lost"
  /** The lead went while it was under way: it may have been carried out, or may yet be. */
  | "unknown";

/** What became of something that was asked for. */
export type ReplicaAnswer =
  | { readonly isOk: true; readonly index: number; readonly answer: SessionAnswer | undefined }
  | { readonly isOk: false; readonly why: ReplicaRefusal };

/** Everything that a replica asks for, or tells. */
export type ReplicaEffect =
  | StoreEffect
  /** Connect, and say `opened` or `gone`. Numbers of these connections are odd. */
  | {
      readonly kind: "dial";
      readonly conn: number;
      readonly address: string;
      readonly channel: Channel;
    }
  | { readonly kind: "write"; readonly conn: number; readonly payload: Uint8Array }
  /** End a connection: behind what was written, or at once. Nothing is told of it any more. */
  | { readonly kind: "drop"; readonly conn: number; readonly isFlushed: boolean }
  | { readonly kind: "answer"; readonly id: number; readonly answer: ReplicaAnswer }
  | {
      readonly kind: "role";
      readonly role: Role;
      readonly term: number;
      readonly leader: NodeId;
    }
  | { readonly kind: "members"; readonly config: Config }
  /** The state has come to this index, by commands or by a snapshot. */
  | { readonly kind: "applied"; readonly index: number }
  /** The disk is full: what could not be done, and where; "": there is space again. */
  | { readonly kind: "disk"; readonly trouble: string }
  /** One line for people. */
  | { readonly kind: "log"; readonly text: string; readonly level: "info" | "warn" }
  /** This node cannot go on: end the process, with this line. */
  | { readonly kind: "stop"; readonly reason: string };

/** How a node stands, as plain data. */
export interface ReplicaStatus {
  readonly node: NodeId;
  readonly cluster: string;
  /** Whether it takes part; before, it waits for its cluster. */
  readonly isReady: boolean;
  readonly role: Role;
  readonly term: number;
  /** 0 when none is known; and where it is, "" when that is not known. */
  readonly leader: NodeId;
  readonly leaderAddress: string;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly logBytes: number;
  readonly members: Config;
  readonly addresses: Readonly<Record<NodeId, string>>;
  /** Nodes that there is a connection with. */
  readonly connected: readonly NodeId[];
  readonly sessions: number;
  /** Messages that were refused, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Whether an effect is the disk's affair. */
export function isDiskEffect(effect: ReplicaEffect): effect is StoreEffect {
  const { kind } = effect;
  return kind === "store" || kind === "save" || kind === "forget" || kind === "load";
}
