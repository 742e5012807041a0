/**
 * The requests of the text server's clients, carried out on a replicated store.
 *
 * @module
 */
import { KEY_BYTES_MAX, type KvStore, openStore, StoreError } from "../kv/mod.ts";
import { appended, type RemoteAnswer, updated } from "./remote.ts";
import type { ClientId, RemoteRequest, TextInput } from "./types.ts";

/** Keys of lists begin like this, so that they are never empty and meet no others. */
const PREFIX = "list/";
/** A store that says nothing for so long is worth a line. */
const WAITING_MS = 1000;
/** Bytes that are left of the store's keys. */
const KEY_MAX = KEY_BYTES_MAX - PREFIX.length;

/** See the module. */
export class RemoteLists {
  readonly #store: KvStore;
  readonly #tell: (input: TextInput) => void;
  readonly #where: string;

  /** `servers` are addresses of some of the store's servers. Throws an OptionError. */
  constructor(servers: readonly string[], tell: (input: TextInput) => void) {
    this.#store = openStore({ servers });
    this.#tell = tell;
    this.#where = servers.join(", ");
  }

  /** Resolves when the store has answered for the first time; says so if that takes long. */
  async ready(log: (text: string) => void): Promise<void> {
    const waiting = setTimeout(() => {
      const { why } = this.#store.client;
      log(`waiting for the store at ${this.#where}${why === "" ? "" : `: ${why}`}`);
    }, WAITING_MS);
    try {
      await this.#store.revision();
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Carries a request out; the answer is told. */
  async ask(client: ClientId, request: RemoteRequest): Promise<void> {
    let value: string | undefined;
    let why: RemoteAnswer["why"];
    try {
      value = await this.#carryOut(request);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === "CLOSED" || error.code === "UNKNOWN") return;
      // A key that is too long for the store is none; a list that is too long takes no more.
      why = error.code === "INVALID" && request.key.length > KEY_MAX ? "malformed" : "full";
    }
    this.#tell({ kind: "answered", client, value, why });
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #carryOut(request: RemoteRequest): Promise<string | undefined> {
    const store = this.#store;
    const key = Buffer.from(PREFIX + request.key, "latin1");
    switch (request.verb) {
      case "Put":
        await store.append(key, Buffer.from(appended(request), "latin1"));
        return undefined;
      case "Delete":
        await store.delete(key);
        return undefined;
      case "Get": {
        const found = await store.get(key);
        return found && Buffer.from(found.value).toString("latin1");
      }
      case "Update":
        for (;;) {
          const found = await store.get(key);
          const list = found && Buffer.from(found.value).toString("latin1");
          const bytes = Buffer.from(updated(list, request), "latin1");
          const { isDone } = await store.put(key, bytes, { at: found?.version ?? 0 });
          if (isDone) return undefined;
        }
    }
  }
}
