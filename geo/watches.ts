/**
 * The watches of an actor's clients: who is to hear of a change of which keys.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { CLIENT_WATCHES_MAX, WATCHES_MAX } from "./limits.ts";

/** A watch: whose, and the number of the request that began it. */
export interface Watch {
  readonly client: number;
  readonly id: number;
  readonly prefix: ByteString;
}

/** See the module. */
export class Watches {
  readonly #byClient = new Map<number, Map<number, Watch>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False: there are too many. */
  add(watch: Watch): boolean {
    const { client, id } = watch;
    const own = this.#byClient.get(client) ?? new Map<number, Watch>();
    if (own.has(id) || own.size >= CLIENT_WATCHES_MAX || this.#size >= WATCHES_MAX) return false;
    this.#byClient.set(client, own.set(id, watch));
    this.#size++;
    return true;
  }

  remove(client: number, id: number): void {
    const own = this.#byClient.get(client);
    if (own?.delete(id) !== true) return;
    this.#size--;
    if (own.size === 0) this.#byClient.delete(client);
  }

  /** The client is gone. */
  gone(client: number): void {
    this.#size -= this.#byClient.get(client)?.size ?? 0;
    this.#byClient.delete(client);
  }

  /** Those to whom a change of `key` is news. */
  *of(key: ByteString): Iterable<Watch> {
    if (this.#size === 0) return;
    for (const own of this.#byClient.values()) {
      for (const watch of own.values()) if (key.startsWith(watch.prefix)) yield watch;
    }
  }
}
