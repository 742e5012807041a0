/**
 * What waits to be read on an endpoint, in the order in which it happened: the data of all
 * connections, and the end of each behind its data (docs/lsp.md, section 6).
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import type { ReceiveBuffer } from "./receive_buffer.ts";
import type { LspEvent, Wire } from "./types.ts";

/** The connection that an entry belongs to. */
export interface Owner {
  readonly id: number;
  readonly wire: Wire;
  readonly receive: ReceiveBuffer;
  /** Told when one of its messages was read, so that it can let the peer send more. */
  noteRead(): void;
}

/** The last event of a connection. */
export type End = Exclude<LspEvent, { kind: "data" }>;

/** First come, first read. Bounded by what each connection's receive buffer lets in. */
export class Inbox {
  /** Ends of connections of each wire that wait to be read. */
  readonly unreadEnds: Record<Wire, number> = { cbor: 0, json: 0 };
  readonly #owners = new Queue<Owner>();
  readonly #entries = new Queue<Uint8Array | End>();

  /** A message of `owner`. */
  data(owner: Owner, payload: Uint8Array): void {
    this.#owners.push(owner);
    this.#entries.push(payload);
  }

  /** The end of `owner`: its last event. */
  end(owner: Owner, event: End): void {
    this.unreadEnds[owner.wire]++;
    this.#owners.push(owner);
    this.#entries.push(event);
  }

  /** The next event; data of connections that the application closed is passed over. */
  poll(): LspEvent | undefined {
    for (;;) {
      const owner = this.#owners.shift();
      const entry = this.#entries.shift();
      if (owner === undefined || entry === undefined) return undefined;
      if (!(entry instanceof Uint8Array)) {
        this.unreadEnds[owner.wire]--;
        return entry;
      }
      owner.receive.noteRead(entry.length);
      if (owner.receive.discarding) continue;
      owner.noteRead();
      return { kind: "data", connId: owner.id, payload: entry, wire: owner.wire };
    }
  }
}
