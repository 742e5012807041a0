/**
 * What Raft's core is told, and what it asks for.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import type { Config, Entry, HardState, Message, NodeId, SnapshotMeta } from "./messages.ts";
import type { RaftParams } from "./params.ts";

/** What a node's storage held when the node started. */
export interface Persisted {
  readonly hard: HardState;
  /**
   * The latest snapshot. A new group begins with one of index 0, term 0, size 0 and its first
   * members, the same on each of them; a node that will join a group has no voters.
   */
  readonly snapshot: SnapshotMeta;
  /** The entry before the first of `entries`, at most the snapshot's. */
  readonly base: { readonly index: number; readonly term: number };
  /** The log, without gaps, up to the snapshot's index at least, or empty. */
  readonly entries: readonly Entry[];
}

/** What a core is made of. */
export interface RaftOptions {
  readonly id: NodeId;
  readonly params: RaftParams;
  readonly persisted: Persisted;
  /** Draws the election time-outs. */
  readonly random: Random;
  readonly nowMs: Millis;
}

/** A message has come. */
export interface MessageInput {
  readonly kind: "message";
  readonly from: NodeId;
  readonly message: Message;
}

/** Replicate these commands, in this order and next to each other. */
export interface ProposeInput {
  readonly kind: "propose";
  /** Comes back in the answer. */
  readonly id: number;
  readonly commands: readonly Uint8Array[];
}

/** Say when the local state is recent enough for a read that was asked for before this. */
export interface ReadInput {
  readonly kind: "read";
  /** Comes back in the answer. */
  readonly id: number;
  /**
   * Whether the leader's lease will do: no messages, but right only while the clocks keep to
   * `leaseClockRatio`. Without one in force, and on followers, it is a read like any other.
   */
  readonly lease: boolean;
}

/** Make these the members. New voters catch up first, as learners. One change at a time. */
export interface ChangeInput {
  readonly kind: "change";
  /** Comes back in the answer. */
  readonly id: number;
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/** Hand the lead to this voter. */
export interface TransferInput {
  readonly kind: "transfer";
  /** Comes back in the answer. */
  readonly id: number;
  /** 0: the voter whose log is the most complete. */
  readonly to: NodeId;
}

/** The state machine gave a snapshot of its state after `index`; the storage holds the bytes. */
export interface SnapshotTakenInput {
  readonly kind: "snapshotTaken";
  readonly index: number;
  readonly size: number;
}

/** The state machine has applied everything up to `index`, or was restored at it. */
export interface AppliedInput {
  readonly kind: "applied";
  readonly index: number;
}

/** The store effect of this token is durable, and every one before it. */
export interface StoredInput {
  readonly kind: "stored";
  readonly token: number;
}

/**
 * How the disk fares. `full`: a step was not written for want of space; the storage tries again by
 * itself until it is, and only then says `stored` and `good`. `failed`: a write or a sync failed;
 * nothing that is pending will be said to be stored, and the core stops for good.
 */
export interface DiskInput {
  readonly kind: "disk";
  readonly state: "good" | "full" | "failed";
}

/** Everything the core is told, beside `wake`. */
export type RaftInput =
  | MessageInput
  | ProposeInput
  | ReadInput
  | ChangeInput
  | TransferInput
  | SnapshotTakenInput
  | AppliedInput
  | StoredInput
  | DiskInput;

/**
 * One durable step, all of it or nothing, in this order: the snapshot, the head of the log, the
 * hard state, the entries. Answered by `stored` with its token. At most one is asked for at a time;
 * what comes up meanwhile gathers in the next.
 */
export interface StoreEffect {
  readonly kind: "store";
  /** Counts up by one from 1. */
  readonly token: number;
  /** The new hard state, if it changed. */
  readonly hard: HardState | undefined;
  /** The log from the first of these on is replaced by these; empty: the log stays. */
  readonly entries: readonly Entry[];
  /** The new snapshot, if there is one. */
  readonly snapshot: StoredSnapshot | undefined;
}

/** A snapshot as a part of a durable step. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  /**
   * `taken` from the state machine here: the log is kept behind `base`. `received` in pieces: all
   * of the log goes, and with it the state.
   */
  readonly source: "taken" | "received";
  /** The log begins behind this entry from now on. */
  readonly base: { readonly index: number; readonly term: number };
  /** Indexes of older snapshots that are still being sent; all others may go. */
  readonly keep: readonly number[];
}

/** Send a message; it may be lost, but is never held up by the disk. */
export interface SendEffect {
  readonly kind: "send";
  readonly to: NodeId;
  readonly message: Message;
}

/**
 * Send this message with up to `chunkBytesMax` bytes of the snapshot `meta.index` from `offset` on
 * as its data. A driver that no longer holds that snapshot leaves it.
 */
export interface SendChunkEffect {
  readonly kind: "sendChunk";
  readonly to: NodeId;
  readonly message: Message & { readonly kind: "snapshot" };
}

/**
 * Keep these bytes of a snapshot that comes in. `offset` 0 begins a new one, and what was kept of
 * another goes. Need not be durable before the store effect that says `received`.
 */
export interface KeepChunkEffect {
  readonly kind: "keepChunk";
  readonly meta: SnapshotMeta;
  readonly offset: number;
  readonly data: Uint8Array;
}

/**
 * Apply these entries to the state machine, in order, then say `applied` with the last index.
 * They follow what was applied last without a gap. The next come when these are applied.
 */
export interface ApplyEffect {
  readonly kind: "apply";
  readonly entries: readonly Entry[];
}

/** Replace the state by the stored snapshot's, then say `applied` with its index. */
export interface RestoreEffect {
  readonly kind: "restore";
  readonly meta: SnapshotMeta;
}

/** Why something was not done. */
export type Refusal =
  /** This node does not lead; `leader` may know who does. */
  | "not leader"
  /** A limit is reached; try again later. */
  | "overloaded"
  /** A command is larger than `entryBytesMax`. */
  | "too large"
  /** The lead is being handed over. */
  | "transferring"
  /** A change of members is under way. */
  | "changing"
  /** What was asked for makes no sense: unknown or repeated nodes, no voter. */
  | "invalid"
  /** It took longer than `patienceMs` or `catchUpMs`. */
  | "timed out"
  /** The disk is full. */
  | "disk full"
  /** The node has stopped. */
  | "stopped";

/** The answer to a proposal, at once. Its fate, if it was accepted, comes later. */
export type ProposedEffect =
  | {
      readonly kind: "proposed";
      readonly id: number;
      readonly isAccepted: true;
      readonly term: number;
      /** The indexes of the commands, both included. */
      readonly first: number;
      readonly last: number;
    }
  | {
      readonly kind: "proposed";
      readonly id: number;
      readonly isAccepted: false;
      readonly why: Refusal;
      /** Who leads, perhaps; 0 when nobody is known to. */
      readonly leader: NodeId;
    };

/**
 * What became of proposals accepted here, those of one term with indexes first..last.
 *
 * - `committed`: they are in the log for good.
 * - `lost`: entries of another term are committed there. They are in no log and will be in none.
 * - `unknown`: the lead is lost. They may still commit. `committed` or `lost` follows if this node
 *   learns of it in its life; it does not when a snapshot takes the place of its log there.
 */
export interface FateEffect {
  readonly kind: "fate";
  readonly fate: "committed" | "lost" | "unknown";
  readonly term: number;
  readonly first: number;
  readonly last: number;
}

/**
 * The answer to a read: serve it now, from the local state as it is; or it was refused, and may be
 * asked for again.
 */
export interface ReadEffect {
  readonly kind: "read";
  readonly id: number;
  /** The state includes this index; -1 when the read is refused. */
  readonly index: number;
  readonly why: Refusal | undefined;
}

/** The answer to a change of members. `unknown`: the lead went; it may still come about. */
export interface ChangedEffect {
  readonly kind: "changed";
  readonly id: number;
  readonly outcome: "done" | "unknown" | "refused";
  readonly why: Refusal | undefined;
}

/** The answer to a transfer: the lead went, or it stays here. */
export interface TransferredEffect {
  readonly kind: "transferred";
  readonly id: number;
  readonly isDone: boolean;
  readonly why: Refusal | undefined;
}

/** What a node is. A learner and a node that was removed are followers that never stand. */
export type Role = "follower" | "candidate" | "leader";

/** Role, term or known leader changed. */
export interface RoleEffect {
  readonly kind: "role";
  readonly role: Role;
  readonly term: number;
  /** 0 when none is known. */
  readonly leader: NodeId;
}

/** The configuration in force changed, by its entry's coming or going. */
export interface MembersEffect {
  readonly kind: "members";
  readonly index: number;
  readonly config: Config;
}

/** The disk failed: end the process. No effect follows. */
export interface StopEffect {
  readonly kind: "stop";
}

/**
 * Everything the core asks for. The ordering contract of base/machine.ts: carried out in order,
 * one after the other is begun. What depends on the disk (votes, acknowledgements, `restore`) is
 * handed out only after `stored`; a leader's appends do not depend on it (Raft thesis, 10.2.1).
 */
export type RaftEffect =
  | StoreEffect
  | SendEffect
  | SendChunkEffect
  | KeepChunkEffect
  | ApplyEffect
  | RestoreEffect
  | ProposedEffect
  | FateEffect
  | ReadEffect
  | ChangedEffect
  | TransferredEffect
  | RoleEffect
  | MembersEffect
  | StopEffect;
