/**
 * Two small clients as courses on distributed systems have them: one whose puts carry versions and
 * leave nothing at the servers, and one of plain Get, Put and Append, each done once.
 *
 * @module
 */
import type { CallOptions } from "./client_adapter.ts";
import type { KvStore } from "./open_adapter.ts";

/**
 * What a versioned put came to. `version`: the key has another. `no key`: a version was asked for,
 * and there is no such key. `maybe`: it was sent more than once, and met a newer version, which may
 * be its own.
 */
export type VersionedOutcome = "ok" | "version" | "no key" | "maybe";

/** Puts at versions, without a session. */
export class VersionedClerk {
  readonly #store: KvStore;

  constructor(store: KvStore) {
    this.#store = store;
  }

  /** The value and its version; undefined: there is no such key. */
  async get(
    key: string,
    options: CallOptions = {},
  ): Promise<{ value: string; version: number } | undefined> {
    const found = await this.#store.get(key, options);
    return found && { value: found.text, version: found.version };
  }

  /** Sets `key` if it has `version`; 0 makes it if it is absent. */
  async put(
    key: string,
    value: string,
    version: number,
    options: CallOptions = {},
  ): Promise<VersionedOutcome> {
    const {
      isDone,
      isMaybe,
      version: is,
    } = await this.#store.putVersion(key, value, version, options);
    if (isDone) return "ok";
    if (isMaybe) return "maybe";
    return is === 0 ? "no key" : "version";
  }
}

/** Get, Put and Append. An absent key is an empty one. */
export class ClassicClerk {
  readonly #store: KvStore;

  constructor(store: KvStore) {
    this.#store = store;
  }

  async get(key: string, options: CallOptions = {}): Promise<string> {
    return (await this.#store.get(key, options))?.text ?? "";
  }

  async put(key: string, value: string, options: CallOptions = {}): Promise<void> {
    await this.#store.put(key, value, options);
  }

  async append(key: string, value: string, options: CallOptions = {}): Promise<void> {
    await this.#store.append(key, value, options);
  }
}
