/**
 * The state machine's side of a node: applies what is committed, answers those who asked for it
 * here, restores and takes snapshots, and has idle sessions ended.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import { Expiry } from "./expiry.ts";
import { GroupState } from "./group_state.ts";
import type { Entry, SnapshotMeta } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import { entryBytes } from "./params.ts";
import type { ReplicaOptions } from "./replica_types.ts";
import type { Requests } from "./requests.ts";
import type { RaftStorage } from "./storage.ts";

/** See the module. */
export class Applier {
  readonly state: GroupState;
  readonly expiry: Expiry;
  readonly #options: ReplicaOptions;
  readonly #requests: Requests;
  readonly #storage: RaftStorage;
  /** The state has come to an index. */
  readonly #onApplied: (index: number) => void;
  /** When the next part of a snapshot is to be made: others have their turn before. */
  #stepAtMs: Millis | undefined;
  /** Bytes of commands since the last snapshot that was taken. */
  #bytesSinceSnapshot = 0;

  constructor(
    options: ReplicaOptions,
    requests: Requests,
    storage: RaftStorage,
    onApplied: (index: number) => void,
  ) {
    this.#options = options;
    this.state = new GroupState(options.machine);
    this.expiry = new Expiry(options.sessionIdleMs);
    this.#requests = requests;
    this.#storage = storage;
    this.#onApplied = onApplied;
  }

  /** Makes the state what the newest snapshot says, then calls `then`. */
  begin(snapshot: SnapshotMeta, then: () => void): void {
    if (snapshot.index === 0) return then();
    const restore = (whole: Uint8Array): void => {
      this.state.restore(whole);
      then();
    };
    const { bytes } = this.#options.stored.snapshot ?? {};
    if (bytes !== undefined) restore(bytes);
    else this.#storage.loadWhole(snapshot, restore);
  }

  /** When `wake` is to be called. */
  get wakeAtMs(): Millis | undefined {
    return earlier(this.expiry.wakeAtMs, this.#stepAtMs);
  }

  /** The next part of the snapshot that is being taken is to be made. */
  goOnAt(atMs: Millis): void {
    this.#stepAtMs = atMs;
  }

  /**
   * Makes a little more of the snapshot that is being taken, if that is due. Gives the command that
   * ends idle sessions, when this node leads and there are any.
   */
  wake(nowMs: Millis): Uint8Array | undefined {
    if (this.#stepAtMs !== undefined && nowMs >= this.#stepAtMs) {
      this.#stepAtMs = undefined;
      this.#storage.takeOn();
    }
    return this.expiry.look(this.state.sessions, nowMs);
  }

  /** Applies entries in their order. */
  apply(entries: readonly Entry[], nowMs: Millis): void {
    for (const { kind, data, index, term } of entries) {
      this.#bytesSinceSnapshot += entryBytes(data.length);
      if (kind !== "command") continue;
      const answer = this.state.apply(data, index);
      this.expiry.applied(data, nowMs);
      this.#requests.applied(index, term, answer);
    }
    this.#onApplied(entries.at(-1)!.index);
  }

  /** Replaces the state by a snapshot that came from the leader. */
  restore(meta: SnapshotMeta): void {
    this.#storage.loadWhole(meta, (bytes) => {
      // Before any entry there is nothing to restore.
      if (meta.index > 0) this.state.restore(bytes);
      this.#bytesSinceSnapshot = 0;
      this.#requests.restored(meta.index);
      this.#onApplied(meta.index);
    });
  }

  /** Takes a snapshot when enough has come since the last; or now, if `isWanted`. */
  takeSnapshot(node: RaftNode, isWanted: boolean): void {
    if (!isWanted && this.#bytesSinceSnapshot < this.#options.snapshotBytes) return;
    if (this.#storage.isTaking || node.isRestoring) return;
    if (node.applied <= node.snapshot.index) return;
    this.#bytesSinceSnapshot = 0;
    this.#storage.give(node.applied, this.state.snapshotSteps());
  }
}
