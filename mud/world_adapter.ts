/**
 * The world on servers of the geo store.
 *
 * @module
 */
import { GeoError, type GeoItem, type GeoStore, openGeo } from "../geo/mod.ts";
import { Books } from "./books.ts";
import { homeRouter } from "./home.ts";
import type { World } from "./adapter.ts";
import { type WorldAnswer, WorldError, type WorldItem, type WorldOperation } from "./types.ts";

/** An operation that is not answered for so long is given up. */
const TIMEOUT_MS = 10_000;
/** A watch that broke is taken again after this. */
const WATCH_AGAIN_MS = 1000;
/** Registers of one list that are looked at. */
const ITEMS_MAX = 100_000;

/** Which world, and how to play on it. */
export interface GeoGameWorldOptions {
  /** Addresses (`HOST[:PORT]`) of servers, at least one. */
  readonly servers: readonly string[];
  /** The server to play on as long as it answers; the nearest if left out. */
  readonly home?: string | undefined;
}

/** Servers of the geo store as a {@link World}. */
export class GeoGameWorld implements World, AsyncDisposable {
  /** What was added to counters here. */
  readonly books: Books = new Books();
  readonly #store: GeoStore;
  readonly #closing = new AbortController();

  constructor({ servers, home }: GeoGameWorldOptions) {
    const router = homeRouter(home);
    this.#store = openGeo({ servers, router, retry: true, timeoutMs: TIMEOUT_MS });
  }

  async carryOut(operation: WorldOperation): Promise<WorldAnswer> {
    const isAdd = operation.kind === "add" && operation.amount !== 0;
    try {
      const answer = await this.#carryOut(operation);
      if (isAdd) this.books.gave(operation.key, operation.amount);
      return answer;
    } catch (error) {
      const failed = worldError(error);
      if (isAdd && failed.isUnknown) this.books.gavePerhaps(operation.key, operation.amount);
      throw failed;
    }
  }

  watch(
    prefix: string,
    changed: (key: string, value: string | undefined, isOld: boolean) => void,
  ): void {
    void this.#watch(prefix, changed);
  }

  /** Gives up all that is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #carryOut(operation: WorldOperation): Promise<WorldAnswer> {
    switch (operation.kind) {
      case "get":
        return { value: (await this.#store.get(operation.key))?.text };
      case "put":
        await this.#store.put(operation.key, operation.value);
        return {};
      case "delete":
        await this.#store.delete(operation.key);
        return {};
      case "list":
        return { items: await this.#list(operation.prefix) };
      default:
        return { sum: await this.#store.add(operation.key, operation.amount) };
    }
  }

  async #list(prefix: string): Promise<readonly WorldItem[]> {
    const items: WorldItem[] = [];
    for await (const { key, text } of this.#store.list(prefix)) {
      if (text !== undefined) items.push({ key, value: text });
      if (items.length >= ITEMS_MAX) break;
    }
    return items;
  }

  /** Watches, and takes the watch again when it broke, as long as this is open. */
  async #watch(
    prefix: string,
    changed: (key: string, value: string | undefined, isOld: boolean) => void,
  ): Promise<void> {
    const { signal } = this.#closing;
    const tell = (isOld: boolean) => (item: GeoItem) => changed(item.key, item.text, isOld);
    const look = (): void => {
      void this.#list(prefix).then(
        (items) => {
          for (const { key, value } of items) if (!signal.aborted) changed(key, value, true);
        },
        () => {},
      );
    };
    while (!signal.aborted) {
      try {
        const changes = this.#store.watch(prefix, { signal, onReady: look, onResume: look });
        for await (const change of changes) tell(false)(change);
      } catch {
        // The player hears of a server that is gone by the next command.
      }
      if (!signal.aborted) await Bun.sleep(WATCH_AGAIN_MS);
    }
  }
}

function worldError(error: unknown): WorldError {
  if (!(error instanceof GeoError)) throw error;
  const isUnknown = error.code === "UNKNOWN" || error.code === "TIMED_OUT";
  return new WorldError(error.message, isUnknown);
}
