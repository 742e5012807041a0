/**
 * The connections of a node on real sockets: those that it dials itself, and those that come in on
 * a listener, its own or one that it shares with others.
 *
 * @module
 */
import { connect, LspError, type LspClient, type LspServer, type Params } from "../lsp/mod.ts";
import type { Channel } from "./greeting.ts";
import { hostAndPort } from "../run/flags.ts";

/** A payload, and the connection that it came on. */
export interface PeerPayload {
  readonly conn: number;
  readonly payload: Uint8Array;
}

/** What is told of connections. */
export interface PeerEvents {
  opened(conn: number): void;
  received(messages: readonly PeerPayload[]): void;
  gone(conn: number): void;
}

/** A connection that was dialled. */
interface Dialled {
  readonly ending: AbortController;
  client: LspClient | undefined;
}

/** A peer that answers nothing for so many epochs is dialled anew. */
const EPOCH_LIMIT = 8;

/** The number, among a node's connections, of one that came in on a listener. */
export function incomingConn(connId: number): number {
  return 2 * connId;
}

/** See the module. */
export class Peers {
  readonly #listener: LspServer;
  readonly #events: PeerEvents;
  readonly #appVersion: number;
  readonly #params: Params;
  readonly #dialled = new Map<number, Dialled>();
  readonly #closing = new Set<Promise<void>>();

  /** `electionMs`: half of it is an epoch, so that a peer that comes back is soon heard of. */
  constructor(listener: LspServer, events: PeerEvents, appVersion: number, electionMs: number) {
    this.#listener = listener;
    this.#events = events;
    this.#appVersion = appVersion;
    const epochMillis = Math.max(1, Math.round(electionMs / 2));
    this.#params = { epochMillis, epochLimit: EPOCH_LIMIT };
  }

  dial(conn: number, address: string, channel: Channel): void {
    const dialled: Dialled = { ending: new AbortController(), client: undefined };
    this.#dialled.set(conn, dialled);
    void this.#run(conn, address, channel, dialled);
  }

  write(conn: number, payload: Uint8Array): void {
    try {
      if (conn % 2 === 0) this.#listener.write(conn / 2, payload);
      else this.#dialled.get(conn)?.client?.write(payload);
    } catch (error) {
      // What a connection does not take is lost, as anything may be; its end is told by itself.
      if (!(error instanceof LspError)) throw error;
    }
  }

  /** Bytes written and not acknowledged; 0 when the connection is gone. */
  queuedBytes(conn: number): number {
    if (conn % 2 === 0) return this.#listener.stats(conn / 2)?.queuedBytes ?? 0;
    return this.#dialled.get(conn)?.client?.stats().connection?.queuedBytes ?? 0;
  }

  drop(conn: number, isFlushed: boolean): void {
    if (conn % 2 === 0) {
      try {
        this.#listener.closeConn(conn / 2);
      } catch (error) {
        if (!(error instanceof LspError)) throw error;
      }
      return;
    }
    const dialled = this.#dialled.get(conn);
    this.#dialled.delete(conn);
    const { client } = dialled ?? {};
    if (!isFlushed || client === undefined) return dialled?.ending.abort();
    const closed = client.close().then(
      () => {},
      () => {},
    );
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  /** Resolves when what was dropped behind its writing is closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  async #run(conn: number, address: string, channel: Channel, dialled: Dialled): Promise<void> {
    const { signal } = dialled.ending;
    // What is mostly idle need not say so more often than any other connection of LSP.
    const params = channel === "main" ? this.#params : {};
    const appVersion = this.#appVersion;
    try {
      const { host, port } = hostAndPort(address, undefined, "the address of a node");
      const client = await connect({ host, port, params, appVersion, signal });
      if (this.#dialled.get(conn) !== dialled) return dialled.ending.abort();
      dialled.client = client;
      this.#events.opened(conn);
      await this.#read(conn, client);
    } catch {
      // Whatever the reason: the node dials again.
      if (this.#dialled.get(conn) !== dialled) return;
      this.#dialled.delete(conn);
      this.#events.gone(conn);
    }
  }

  /** Reads until the connection ends, which throws. What is there together is told together. */
  async #read(conn: number, client: LspClient): Promise<never> {
    for (;;) {
      const messages = [{ conn, payload: await client.read() }];
      try {
        for (let more = client.tryRead(); more; more = client.tryRead()) {
          messages.push({ conn, payload: more });
        }
      } finally {
        this.#events.received(messages);
      }
    }
  }
}
