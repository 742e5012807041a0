/**
 * A client's watches: each knows how far it has come, and goes on from there with the next server.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import type { ClientEffect, WatchEnd } from "./client_types.ts";
import type { Denial, Reply, Request } from "./messages.ts";

interface Watch {
  readonly prefix: ByteString;
  readonly isLasting: boolean;
  /** Everything up to this revision was handed on; undefined: it has not begun. */
  upTo: number | undefined;
  isSent: boolean;
}

/** See the module. */
export class ClientWatches {
  readonly #send: (request: Request) => void;
  readonly #push: (effect: ClientEffect) => void;
  readonly #watches = new Map<number, Watch>();

  constructor(send: (request: Request) => void, push: (effect: ClientEffect) => void) {
    this.#send = send;
    this.#push = push;
  }

  get size(): number {
    return this.#watches.size;
  }

  add(id: number, prefix: ByteString, after: number | undefined, isLasting: boolean): void {
    this.#watches.set(id, { prefix, isLasting, upTo: after, isSent: false });
  }

  has(wireId: number): boolean {
    return wireId >= WIRE_IDS && this.#watches.has(wireId - WIRE_IDS);
  }

  /** Sends those that the server does not know yet. */
  begin(): void {
    for (const [id, watch] of this.#watches) {
      if (watch.isSent) continue;
      watch.isSent = true;
      const { prefix, upTo: after, isLasting } = watch;
      this.#send({ kind: "watch", id: WIRE_IDS + id, prefix, after, isLasting });
    }
  }

  /** The connection is gone. */
  lost(): void {
    for (const watch of this.#watches.values()) watch.isSent = false;
  }

  events({ id: wireId, upTo, events }: Reply & { readonly kind: "events" }): void {
    const id = wireId - WIRE_IDS;
    const watch = this.#watches.get(id);
    if (watch === undefined || !watch.isSent) return;
    if (events.length === 0 && watch.upTo === upTo) return this.#send({ kind: "seen", id: wireId });
    watch.upTo = Math.max(watch.upTo ?? 0, upTo);
    this.#push({ kind: "events", id, events, upTo });
  }

  /** Another message of events may come. */
  taken(id: number, isUp: boolean): void {
    if (isUp && this.#watches.get(id)?.isSent) this.#send({ kind: "seen", id: WIRE_IDS + id });
  }

  remove(id: number, isUp: boolean): void {
    const isSent = this.#watches.get(id)?.isSent;
    this.#watches.delete(id);
    if (isUp && isSent) this.#send({ kind: "unwatch", id: WIRE_IDS + id });
  }

  denied(wireId: number, why: Denial): void {
    const id = wireId - WIRE_IDS;
    this.#watches.delete(id);
    const isKnown = why === "compacted" || why === "too many watches" || why === "malformed";
    this.#push({ kind: "watchEnded", id, why: isKnown ? why : "closed", about: "" });
  }

  /** All are over. */
  end(why: WatchEnd, about = ""): void {
    for (const id of this.#watches.keys()) this.#push({ kind: "watchEnded", id, why, about });
    this.#watches.clear();
  }
}

/** Watches are named from here on, on the wire; calls below. */
const WIRE_IDS: number = 2 ** 50;
