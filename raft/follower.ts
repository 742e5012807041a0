/**
 * What a node does for the leader of its term: takes entries, commit indexes and snapshots.
 *
 * @module
 */
import type {
  AppendMessage,
  Entry,
  HeartbeatMessage,
  NodeId,
  SnapshotMessage,
  SnapshotMeta,
} from "./messages.ts";
import type { RaftNode } from "./node.ts";
import { NUMBER_MAX } from "./params.ts";

/** Whether `entries` follow `prevIndex` and can have been made by a leader of `term`. */
function areConsecutive({ entries, prevIndex, prevTerm, term }: AppendMessage): boolean {
  let index = prevIndex;
  let least = prevTerm;
  for (const entry of entries) {
    if (entry.index !== ++index || entry.term < least || entry.term > term) return false;
    least = entry.term;
  }
  return prevIndex >= 0 && prevTerm <= term;
}

/** The receiving end of replication. */
export class Follower {
  readonly #node: RaftNode;
  /** The snapshot that is coming in, from whom, and how much of it is here. */
  #incoming: { readonly from: NodeId; readonly meta: SnapshotMeta; offset: number } | undefined;

  constructor(node: RaftNode) {
    this.#node = node;
  }

  /** Entries of the term's leader. */
  append(from: NodeId, message: AppendMessage): void {
    const node = this.#node;
    const { log } = node;
    const { prevIndex, prevTerm, entries } = message;
    if (!areConsecutive(message)) return node.reject("malformed");
    if (node.isBlank) return this.#refuse(from, prevIndex);
    const known = log.termAt(prevIndex);
    // What is committed may be compacted, and is in the leader's log all the same.
    const isCompacted = known === undefined && prevIndex < node.commit;
    if (!isCompacted && known !== prevTerm) {
      if (prevIndex <= node.commit) return node.reject("contradicts");
      return this.#refuse(from, prevIndex);
    }
    if (!this.#take(entries)) return node.reject("contradicts");
    const lastNew = prevIndex + entries.length;
    node.commitUpTo(Math.min(message.commit, lastNew));
    // All of it may be old: then the leader may as well know how far it has come since.
    this.#acknowledge(from, Math.max(lastNew, node.commit));
  }

  /** The leader lives. */
  heartbeat(from: NodeId, { commit, round }: HeartbeatMessage): void {
    const node = this.#node;
    // A disk that came back empty may not hold what the leader remembers.
    if (commit > node.log.lastIndex) node.reject("beyond log");
    else node.commitUpTo(commit);
    if (round > 0) node.send(from, { kind: "heard", term: node.term, round });
  }

  /** A piece of a snapshot. */
  snapshot(from: NodeId, { meta, offset, data }: SnapshotMessage): void {
    const node = this.#node;
    const { index, term, size, config } = meta;
    // One that is whole is on its way to the disk; the pieces of another would take its place.
    if (node.isRestoring) return;
    const isWhole = offset >= 0 && offset + data.length <= size && index < NUMBER_MAX;
    if (!isWhole || term > node.term || config.voters.length === 0) return node.reject("malformed");
    // A node whose disk was lost must not come back as if it still knew how it voted.
    const mayJoin = !node.isBlank || !config.voters.concat(config.outgoing).includes(node.id);
    if (!mayJoin) return node.reject("contradicts");
    if (!node.isBlank && index <= node.commit) return this.#acknowledge(from, node.commit);
    if (!node.isBlank && node.log.termAt(index) === term) {
      node.commitUpTo(index);
      return this.#acknowledge(from, index);
    }
    const isSame =
      this.#incoming?.from === from &&
      this.#incoming.meta.index === index &&
      this.#incoming.meta.term === term &&
      this.#incoming.meta.size === size;
    if (!isSame) this.#incoming = { from, meta, offset: 0 };
    const incoming = this.#incoming!;
    const isNext = offset === incoming.offset && (data.length > 0 || size === 0);
    if (isNext) {
      node.out.push({ kind: "keepChunk", meta, offset, data });
      incoming.offset += data.length;
      if (incoming.offset === size) return this.#install(from, meta);
    }
    node.send(from, { kind: "chunked", term: node.term, index, offset: incoming.offset });
  }

  /** What was coming in is worth nothing to a leader. */
  forgetIncoming(): void {
    this.#incoming = undefined;
  }

  /** Puts what is new into the log; false, and nothing done, when it contradicts the committed. */
  #take(entries: readonly Entry[]): boolean {
    const node = this.#node;
    const { log } = node;
    let first = 0;
    for (; first < entries.length; first++) {
      const { index, term } = entries[first]!;
      const known = log.termAt(index);
      if (known === term || index <= log.baseIndex) continue;
      if (index <= node.commit || term < log.termAt(index - 1)!) return false;
      if (known !== undefined) this.#truncate(index);
      break;
    }
    for (; first < entries.length; first++) node.append(entries[first]!);
    return true;
  }

  #truncate(index: number): void {
    const node = this.#node;
    const before = node.log.configs.latest.index;
    node.log.truncate(index);
    node.keeper.keepFrom(index);
    if (node.log.configs.latest.index !== before) node.tellMembers();
  }

  #install(from: NodeId, meta: SnapshotMeta): void {
    const node = this.#node;
    const { index, term, config } = meta;
    this.#incoming = undefined;
    node.fates.replaced(index);
    node.log.reset(index, term);
    node.log.configs.reset({ index, config });
    node.snapshot = meta;
    node.commit = node.handed = index;
    node.isRestoring = true;
    const base = { index, term };
    node.keeper.keepSnapshot({ meta, source: "received", base, keep: [] });
    node.keeper.hold({ kind: "restore", meta });
    node.tellMembers();
    this.#acknowledge(from, index);
  }

  /** The log agrees up to `index`, as soon as it is durable that far. */
  #acknowledge(from: NodeId, index: number): void {
    const node = this.#node;
    node.keeper.send(from, { kind: "appended", term: node.term, index });
  }

  #refuse(from: NodeId, prevIndex: number): void {
    const { log, term, isBlank, keeper } = this.#node;
    const conflict = log.conflictAt(prevIndex);
    keeper.send(from, {
      kind: "refused",
      term,
      prevIndex,
      conflictTerm: conflict.term,
      conflictIndex: conflict.index,
      lastIndex: log.lastIndex,
      blank: isBlank,
    });
  }
}
