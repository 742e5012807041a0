/**
 * A watch as an iterable.
 *
 * @module
 */
import { Channel } from "../channels/mod.ts";
import type { Event } from "./change_log.ts";
import type { StoreClient } from "./client_adapter.ts";
import type { StoreError } from "./errors.ts";

/** How to watch. */
export interface WatchOptions {
  /** Changes behind this revision; from now on if left out. */
  readonly after?: number | undefined;
  /** A key that goes with a lease is told of as if it were deleted. */
  readonly isLasting?: boolean | undefined;
  /** Ends the watch when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the watch has come, changes or not: from there another one may go on. */
  readonly onProgress?: ((revision: number) => void) | undefined;
}

/** One change of one key. */
export interface StoreChange {
  /** The store's revision behind it. */
  readonly revision: number;
  /** The key as text, and as bytes. */
  readonly key: string;
  readonly keyBytes: Uint8Array;
  /** Undefined: the key was deleted. */
  readonly value: Uint8Array | undefined;
  /** The key's version behind it; of a delete, its last. */
  readonly version: number;
}

const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Watches from the moment of the call on. See `KvStore.watch`. */
export function watchChanges(
  client: StoreClient,
  prefix: string,
  options: WatchOptions,
): AsyncGenerator<StoreChange, void, void> {
  // What waits in it is bounded by the server: it goes on when `taken` says so.
  const batches = new Channel<readonly Event[]>(Infinity);
  let end: StoreError | undefined;
  let isOver = false;
  const id = client.watch(prefix, options.after, options.isLasting === true, {
    onEvents: (events, upTo) => {
      if (!batches.closed) batches.trySend(events);
      options.onProgress?.(upTo);
    },
    onEnd: (error) => {
      end = error;
      batches.close();
    },
  });
  const stop = (): void => {
    isOver = true;
    client.unwatch(id);
    batches.close();
  };
  if (options.signal?.aborted) stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  const iterate = async function* (): AsyncGenerator<StoreChange, void, void> {
    try {
      for await (const batch of batches) {
        for (const event of batch) {
          if (isOver) return;
          yield changeOf(event);
        }
        client.taken(id);
      }
      if (end !== undefined && !isOver) throw end;
    } finally {
      options.signal?.removeEventListener("abort", stop);
      if (!isOver) stop();
    }
  };
  return iterate();
}

function changeOf({ revision, key, value, version }: Event): StoreChange {
  const keyBytes = Uint8Array.from(key, (character) => character.charCodeAt(0));
  return { revision, key: fromUtf8.decode(keyBytes), keyBytes, value, version };
}
