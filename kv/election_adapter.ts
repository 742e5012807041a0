/**
 * An election, made of a lock: who holds it is elected, and everybody can see who that is.
 *
 * @module
 */
import type { StoreError } from "./errors.ts";
import { LOCK_PREFIX } from "./lock_adapter.ts";
import type { ReadOptions, StoreValue } from "./store_types.ts";
import type { StoreChange, WatchOptions } from "./watch_adapter.ts";

/** Who is elected: what the winner said of itself. */
export interface Elected {
  readonly value: Uint8Array;
  /** The same as text, whatever is not UTF-8 replaced. */
  readonly text: string;
}

/** What an election is seen by: calls of a store. */
interface ElectionStore {
  get(key: string, options: ReadOptions): Promise<StoreValue | undefined>;
  watch(prefix: string, options: WatchOptions): AsyncIterable<StoreChange>;
}

const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** See `KvStore.elected`. */
export async function* electedOf(
  store: ElectionStore,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Elected | undefined, void, void> {
  const key = `${LOCK_PREFIX}${name}`;
  for (;;) {
    try {
      let after = 0;
      const found = await store.get(key, { signal, onRevision: (revision) => (after = revision) });
      yield found && { value: found.value, text: found.text };
      for await (const change of store.watch(key, { after, signal })) {
        const { value } = change;
        if (change.key === key) yield value && { value, text: fromUtf8.decode(value) };
      }
    } catch (error) {
      // Some changes are forgotten: what counts is who is elected now.
      if ((error as StoreError).code !== "COMPACTED" && signal?.aborted !== true) throw error;
    }
    if (signal?.aborted) return;
  }
}
