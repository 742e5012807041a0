/**
 * The connections of a core that talks with its equals, on real sockets: those that it dials
 * itself, and those that come in on a listener, its own or one that it shares with others.
 *
 * @module
 */
import {
  connect,
  DEFAULT_LSP_LIMITS,
  LspError,
  type LspClient,
  type LspLimits,
  type LspServer,
  type Params,
} from "../lsp/mod.ts";
import { hostAndPort } from "../run/flags.ts";

/** A payload, and the connection that it came on. */
export interface ConnectionPayload {
  readonly conn: number;
  readonly payload: Uint8Array;
}

/** What is told of connections. */
export interface ConnectionEvents {
  /** One that was dialled is made. */
  opened(conn: number): void;
  /** What was there together is told together. */
  received(payloads: readonly ConnectionPayload[]): void;
  /** One ended, or could not be made. `isFlushed`: all that was written on it had arrived. */
  gone(conn: number, isFlushed: boolean): void;
}

/** How to dial. */
export interface ConnectionOptions {
  readonly appVersion?: number;
  readonly params?: Params;
  readonly connectMillis?: number;
  readonly limits?: Partial<LspLimits>;
}

/** A connection that was dialled. */
interface Dialled {
  readonly ending: AbortController;
  readonly queuedBytesMax: number;
  client: LspClient | undefined;
}

/** The number, among all connections, of one that came in on a listener. */
export function incomingConn(connId: number): number {
  return 2 * connId;
}

/** See the module. Connections that are dialled have odd numbers, those that came in even ones. */
export class Connections {
  readonly #listener: LspServer;
  readonly #events: ConnectionEvents;
  readonly #dialled = new Map<number, Dialled>();
  readonly #closing = new Map<Promise<unknown>, AbortController>();

  constructor(listener: LspServer, events: ConnectionEvents) {
    this.#listener = listener;
    this.#events = events;
  }

  /** Reads the listener until it is closed: for those who have it for themselves. */
  async serve(): Promise<void> {
    const listener = this.#listener;
    for (;;) {
      const payloads: ConnectionPayload[] = [];
      let end: number | undefined;
      try {
        for (let more = await listener.read(); ;) {
          payloads.push({ conn: incomingConn(more.connId), payload: more.payload });
          const next = listener.tryRead();
          if (next === undefined) break;
          more = next;
        }
      } catch (error) {
        end = (error as { connId?: number }).connId;
        if (end === undefined) return;
      }
      if (payloads.length > 0) this.#events.received(payloads);
      if (end !== undefined) this.#events.gone(incomingConn(end), false);
    }
  }

  /** Dials `HOST:PORT`; `opened` or `gone` is told. */
  dial(conn: number, address: string, options: ConnectionOptions): void {
    const queuedBytesMax = options.limits?.maxQueuedBytes ?? DEFAULT_LSP_LIMITS.maxQueuedBytes;
    const ending = new AbortController();
    const dialled: Dialled = { ending, queuedBytesMax, client: undefined };
    this.#dialled.set(conn, dialled);
    void this.#run(conn, address, options, dialled);
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
    if (conn % 2 === 0) return this.#listener.queuedBytes(conn / 2);
    return this.#dialled.get(conn)?.client?.queuedBytes ?? 0;
  }

  /** Resolves when at most `bytes` bytes are queued on one that was dialled, or it is gone. */
  async settled(conn: number, bytes: number): Promise<void> {
    const { client, queuedBytesMax } = this.#dialled.get(conn) ?? {};
    await client?.writable(Math.max(1, queuedBytesMax! - bytes)).catch(() => {});
  }

  /** Ends a connection, behind what was written if it is to be flushed. Nothing is told of it. */
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
    if (dialled === undefined) return;
    const { client, ending } = dialled;
    if (!isFlushed || client === undefined) return ending.abort();
    const closed = client.close().catch(() => {});
    this.#closing.set(closed, ending);
    void closed.then(() => this.#closing.delete(closed));
  }

  /** Resolves when what was dropped behind its writing is closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing.keys());
  }

  /** Cuts off what is still being closed: it keeps the process alive no more. */
  abandon(): void {
    for (const ending of this.#closing.values()) ending.abort();
  }

  async #run(
    conn: number,
    address: string,
    options: ConnectionOptions,
    dialled: Dialled,
  ): Promise<void> {
    const { signal } = dialled.ending;
    let isFlushed = true;
    try {
      const { host, port } = hostAndPort(address, undefined, "the address of a peer");
      const client = await connect({ ...options, host, port, signal });
      if (this.#dialled.get(conn) !== dialled) return dialled.ending.abort();
      dialled.client = client;
      this.#events.opened(conn);
      await this.#read(conn, client);
    } catch {
      // Whatever the reason: its owner dials again, or does not.
      if (dialled.client !== undefined) isFlushed = await hasArrived(dialled.client);
      if (this.#dialled.get(conn) !== dialled) return;
      this.#dialled.delete(conn);
      this.#events.gone(conn, isFlushed);
    }
  }

  /** Reads until the connection ends, which throws. What is there together is told together. */
  async #read(conn: number, client: LspClient): Promise<never> {
    for (;;) {
      const payloads = [{ conn, payload: await client.read() }];
      try {
        for (let more = client.tryRead(); more; more = client.tryRead()) {
          payloads.push({ conn, payload: more });
        }
      } finally {
        this.#events.received(payloads);
      }
    }
  }
}

/** Whether all that was written on a connection that is over has arrived. */
async function hasArrived(client: LspClient): Promise<boolean> {
  const { lost } = await client.close();
  return lost.length === 0;
}
