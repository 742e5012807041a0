/**
 * A lock, and with it the election of its holder: a key that goes with its owner's lease.
 *
 * @module
 */
import type { CallOptions } from "./client_adapter.ts";
import { StoreError, type StoreErrorCode } from "./errors.ts";
import type { Lease } from "./lease_adapter.ts";
import type { Bytes, WriteOptions, Written } from "./store_types.ts";
import type { StoreChange, WatchOptions } from "./watch_adapter.ts";

/** Keys of locks begin like this. */
export const LOCK_PREFIX = "lock/";
const TTL_MS = 10_000;
const LATE: readonly StoreErrorCode[] = ["TIMED_OUT", "UNKNOWN"];

/** How to take a lock. */
export interface LockOptions extends CallOptions {
  /** How long the lock outlives an owner that fell silent; 10,000 if left out. */
  readonly ttlMs?: number;
  /** What others may read of the owner: the value of the key. */
  readonly value?: Bytes;
}

/** A lock that is held. */
export interface Lock extends AsyncDisposable {
  /** The key that stands for it. */
  readonly key: string;
  /**
   * Grows from owner to owner (the revision at which it was taken): what the lock protects can
   * refuse those whose token is below the highest that it has seen.
   */
  readonly token: number;
  /** Aborted when it is not held any more, or may not be. */
  readonly lost: AbortSignal;
  release(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** What a lock is made of: calls of a store. */
interface LockStore {
  lease(ttlMs: number, options: CallOptions): Promise<Lease>;
  put(key: string, value: Bytes, options: WriteOptions): Promise<Written>;
  watch(prefix: string, options: WatchOptions): AsyncIterable<StoreChange>;
  /** Why nothing is answered, if so; for people. */
  readonly client: { readonly why: string };
}

/** See `KvStore.lock`. */
export async function takeLock(
  store: LockStore,
  name: string,
  options: LockOptions,
): Promise<Lock> {
  const { ttlMs = TTL_MS, value = "", timeoutMs, signal } = options;
  if (name === "") throw new StoreError("INVALID", "the lock has no name");
  const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const given = [late, signal].filter((one) => one !== undefined);
  const over = AbortSignal.any(given);
  const key = `${LOCK_PREFIX}${name}`;
  for (;;) {
    let lease: Lease | undefined;
    try {
      lease = await store.lease(ttlMs, { signal: over });
      const { lost, release } = releaseOf(lease);
      const token = await takeKey(store, key, value, lease, over);
      return { key, token, lost, release, [Symbol.asyncDispose]: () => release() };
    } catch (error) {
      // Whatever was made goes with it.
      void lease?.release().catch(() => {});
      // Who waits holds nothing that could be lost: with another lease it goes on waiting.
      const { code } = error as StoreError;
      if (lease !== undefined && code === "NO_LEASE") continue;
      // A call of its own may be given up by the same clock, a moment before.
      const isLate = late !== undefined && (late.aborted || LATE.includes(code));
      if (!isLate || signal?.aborted === true) throw error;
      const { why } = store.client;
      const text = why === "" ? "was not free in time" : `was not taken in time (${why})`;
      throw new StoreError("TIMED_OUT", `the lock ${name} ${text}`, { cause: error });
    }
  }
}

function releaseOf(lease: Lease): Pick<Lock, "lost" | "release"> {
  return { lost: lease.lost, release: (how) => lease.release(how) };
}

/** Makes the key as soon as nobody else has it; the revision of that. */
async function takeKey(
  store: LockStore,
  key: string,
  value: Bytes,
  lease: Lease,
  over: AbortSignal,
): Promise<number> {
  for (;;) {
    if (lease.lost.aborted) throw lease.lost.reason as StoreError;
    const taken = await store.put(key, value, { at: 0, lease, signal: over });
    if (taken.isDone) return taken.revision;
    const signal = AbortSignal.any([over, lease.lost]);
    try {
      for await (const change of store.watch(key, { after: taken.revision, signal })) {
        if (change.key === key && change.value === undefined) break;
      }
    } catch (error) {
      // Then it is looked at again.
      if ((error as StoreError).code !== "COMPACTED") throw error;
    }
    if (over.aborted) throw new StoreError("ABORTED", "the lock was not taken");
  }
}
