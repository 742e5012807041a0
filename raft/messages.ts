/**
 * What the nodes of one group say to each other, and what they keep: entries, configurations,
 * snapshots. Plain values that nobody changes once they exist, so that they are shared, not copied.
 *
 * @module
 */

/** A node's number in its group: a whole number from 1 on, never used again for another disk. */
export type NodeId = number;

/**
 * Who belongs to the group (Raft thesis, 4.3). While `outgoing` is not empty the configuration is
 * joint: an election and a commit need a majority of `voters` and one of `outgoing`.
 */
export interface Config {
  /** Whose majority decides. Empty only on a node that belongs to no group yet. */
  readonly voters: readonly NodeId[];
  /** The voters of the configuration that is being left; empty when none is. */
  readonly outgoing: readonly NodeId[];
  /** Nodes that are sent the log and decide nothing. One in `outgoing` becomes a learner then. */
  readonly learners: readonly NodeId[];
}

/** What an entry of the log is for. */
export type EntryKind =
  /** The first entry of a leader's term: it lets older entries commit (Raft paper, 5.4.2). */
  | "empty"
  /** A command for the state machine. */
  | "command"
  /** The configuration that is in force from the moment this entry is in a node's log. */
  | "config";

/** One entry of the log. Two entries of the same index and term are the same entry. */
export interface Entry {
  /** Its place in the log, from 1 on. */
  readonly index: number;
  /** The term of the leader that made it. */
  readonly term: number;
  readonly kind: EntryKind;
  /** The command; empty for other kinds. */
  readonly data: Uint8Array;
  /** Set for `config` alone. */
  readonly config: Config | undefined;
}

/** What must survive a crash before anything that follows from it is said (Raft paper, fig. 2). */
export interface HardState {
  /** The latest term this node has seen; 0 before the first. */
  readonly term: number;
  /** Whom it voted for in that term; 0 for nobody. */
  readonly vote: NodeId;
}

/** What a snapshot stands for; its bytes are the storage's. */
export interface SnapshotMeta {
  /** The last entry that the state includes; 0 for the state before any entry. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The configuration in force at that entry. */
  readonly config: Config;
  /** Bytes of the state. */
  readonly size: number;
}

/** Entries behind `prevIndex`, from the leader. Never a heartbeat. */
export interface AppendMessage {
  readonly kind: "append";
  readonly term: number;
  readonly prevIndex: number;
  readonly prevTerm: number;
  /** How far the leader has committed; the receiver takes no more of it than it holds. */
  readonly commit: number;
  /** Of consecutive indexes; none in a probe of an idle leader. */
  readonly entries: readonly Entry[];
}

/** The receiver's log agrees with the leader's up to `index`, durably. */
export interface AppendedMessage {
  readonly kind: "appended";
  readonly term: number;
  readonly index: number;
}

/** The receiver's log does not agree at `prevIndex`, and where it might (Raft paper, 5.3). */
export interface RefusedMessage {
  readonly kind: "refused";
  readonly term: number;
  /** Of the append that is refused. */
  readonly prevIndex: number;
  /** The term of the receiver's entry at `prevIndex`; 0 when its log is shorter. */
  readonly conflictTerm: number;
  /** The first index of that term in the receiver's log; 0 when its log is shorter. */
  readonly conflictIndex: number;
  /** The last index of the receiver's log. */
  readonly lastIndex: number;
  /** The receiver belongs to no group yet, or lost its disk: it needs a snapshot, if anything. */
  readonly blank: boolean;
}

/** "I lead this term." Sent at a steady beat and at the start of a round of reads. */
export interface HeartbeatMessage {
  readonly kind: "heartbeat";
  readonly term: number;
  /** At most what the receiver has acknowledged, so that it may be believed as it stands. */
  readonly commit: number;
  /** Rounds are numbered from 1 in each term. */
  readonly round: number;
}

/** The answer to a heartbeat, or to any message of an earlier term (then `round` is 0). */
export interface HeardMessage {
  readonly kind: "heard";
  readonly term: number;
  readonly round: number;
}

/** Asks for a vote, or whether there would be one (`pre`; Raft thesis, 9.6). */
export interface VoteMessage {
  readonly kind: "vote";
  /** The term that is stood for; in a pre-vote the one after the sender's. */
  readonly term: number;
  readonly pre: boolean;
  /** The leader has asked the sender to take over: a living leader is no reason to refuse. */
  readonly transfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/** The answer to a vote. */
export interface VotedMessage {
  readonly kind: "voted";
  /** The term that was asked about when granted, else the voter's own. */
  readonly term: number;
  readonly pre: boolean;
  readonly granted: boolean;
}

/** The leader asks the receiver, whose log is complete, to stand for election at once. */
export interface TakeOverMessage {
  readonly kind: "takeOver";
  readonly term: number;
}

/** A piece of a snapshot. The core leaves `data` empty; the driver puts the bytes in. */
export interface SnapshotMessage {
  readonly kind: "snapshot";
  readonly term: number;
  readonly meta: SnapshotMeta;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** How far a snapshot has come: the receiver wants the bytes from `offset` on. */
export interface ChunkedMessage {
  readonly kind: "chunked";
  readonly term: number;
  /** The index of the snapshot. */
  readonly index: number;
  readonly offset: number;
}

/** A follower asks how far it must have applied to serve reads that came before this. */
export interface AskReadMessage {
  readonly kind: "askRead";
  readonly term: number;
  /** The follower's own number for its batch of reads. */
  readonly batch: number;
}

/** The answer to {@link AskReadMessage}. */
export interface ReadAtMessage {
  readonly kind: "readAt";
  readonly term: number;
  readonly batch: number;
  /** The index; 0 when the node that was asked cannot say. */
  readonly index: number;
}

/** Everything that nodes send each other. Each may be lost, late, reordered or come twice. */
export type Message =
  | AppendMessage
  | AppendedMessage
  | RefusedMessage
  | HeartbeatMessage
  | HeardMessage
  | VoteMessage
  | VotedMessage
  | TakeOverMessage
  | SnapshotMessage
  | ChunkedMessage
  | AskReadMessage
  | ReadAtMessage;
