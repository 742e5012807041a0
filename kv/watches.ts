/**
 * The watches of a server's clients: each is fed changes in order, no faster than it takes them.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import type { ByteString } from "../base/byte_fields.ts";
import {
  EVENTS_AHEAD_MAX,
  EVENTS_BYTES_MAX,
  EVENTS_MAX,
  WATCH_BEAT_MS,
  WATCHES_MAX,
} from "./limits.ts";
import type { Reply, Request } from "./messages.ts";
import type { Store } from "./store.ts";
import type { ClientId } from "./types.ts";

interface Watch {
  readonly id: number;
  readonly prefix: ByteString;
  readonly isLasting: boolean;
  /** It was sent everything up to this revision; undefined: it begins at the next beat. */
  upTo: number | undefined;
  /** Messages that it has not said to have seen. */
  ahead: number;
}

/** See the module. */
export class Watches {
  readonly #store: Store;
  readonly #send: (client: ClientId, reply: Reply) => void;
  readonly #clients = new Map<ClientId, Map<number, Watch>>();
  #beatAtMs: Millis | undefined;

  constructor(store: Store, send: (client: ClientId, reply: Reply) => void) {
    this.#store = store;
    this.#send = send;
  }

  get size(): number {
    let sum = 0;
    for (const watches of this.#clients.values()) sum += watches.size;
    return sum;
  }

  /** Begins a watch; false if the client has too many. */
  add(client: ClientId, request: Request & { readonly kind: "watch" }): boolean {
    const { id, prefix, after, isLasting = false } = request;
    const watches = this.#clients.get(client) ?? new Map<number, Watch>();
    this.#clients.set(client, watches);
    if (watches.size >= WATCHES_MAX) return false;
    const watch = { id, prefix, isLasting, upTo: after, ahead: 0 };
    watches.set(id, watch);
    // The first answer is a beat's: until then it is not known whether this node is cut off.
    this.#beatAtMs = -Infinity;
    return true;
  }

  remove(client: ClientId, id: number): void {
    const watches = this.#clients.get(client);
    watches?.delete(id);
    if (watches?.size === 0) this.#clients.delete(client);
  }

  removeAll(client: ClientId): void {
    this.#clients.delete(client);
  }

  /** Lets go of all watches; `tell` is called for each. */
  turnAway(tell: (client: ClientId, id: number) => void): void {
    for (const [client, watches] of this.#clients) {
      for (const id of watches.keys()) tell(client, id);
    }
    this.#clients.clear();
  }

  /** The client takes another message. */
  seen(client: ClientId, id: number): void {
    const watch = this.#clients.get(client)?.get(id);
    if (watch === undefined || watch.ahead === 0) return;
    watch.ahead--;
    this.#feed(client, watch);
  }

  /** The state has changed. */
  advanced(): void {
    for (const [client, watches] of this.#clients) {
      for (const watch of watches.values()) this.#feed(client, watch);
    }
  }

  /** When a beat is due: the state must be confirmed to be recent, then `beat` be called. */
  beatAtMs(): Millis | undefined {
    return this.#clients.size === 0 ? undefined : earlier(this.#beatAtMs, undefined);
  }

  /** A beat is being confirmed: the next is due later. */
  beginBeat(nowMs: Millis): void {
    this.#beatAtMs = nowMs + WATCH_BEAT_MS;
  }

  /** The state is recent: every watch that has it all is told so. */
  beat(): void {
    for (const [client, watches] of this.#clients) {
      for (const watch of watches.values()) {
        watch.upTo ??= this.#store.revision;
        this.#feed(client, watch);
        if (watch.upTo < this.#store.revision || watch.ahead > 0) continue;
        watch.ahead++;
        this.#send(client, { kind: "events", id: watch.id, upTo: watch.upTo, events: [] });
      }
    }
  }

  #feed(client: ClientId, watch: Watch): void {
    const { changes, revision } = this.#store;
    while (watch.upTo !== undefined && watch.upTo < revision && watch.ahead < EVENTS_AHEAD_MAX) {
      const { id, prefix, isLasting, upTo } = watch;
      const found = changes.after(upTo, prefix, EVENTS_MAX, EVENTS_BYTES_MAX, isLasting);
      if (found === undefined) {
        this.remove(client, id);
        this.#send(client, { kind: "denied", id, why: "compacted", leader: "" });
        return;
      }
      watch.upTo = found.upTo;
      // Of changes to other keys it hears with the next beat.
      if (found.events.length === 0) continue;
      watch.ahead++;
      this.#send(client, { kind: "events", id, ...found });
    }
  }
}
