/**
 * The server's side of the library: `listen` and what it gives.
 *
 * @module
 */
import type { ConnectionStats, EndpointStats } from "./counters.ts";
import { ConnectionClosed, ConnectionLost, UnknownConnection } from "./errors.ts";
import { createListener, type Listener } from "./listener.ts";
import {
  coreOptions,
  type EndpointOptions,
  unlessAborted,
  unpredictable,
} from "./options_adapter.ts";
import { openListening } from "./listening_adapter.ts";
import { checkPort, resolveToBind } from "./resolve_adapter.ts";
import type { Closed, LspNotice, Wire } from "./types.ts";
import { UdpEndpoint, type Upcalls } from "./adapter.ts";
import { endError, iterate, ReadQueue, type Writer } from "./waiting_adapter.ts";

/** How a connection of a server ended. */
export type ConnectionEnd = ConnectionLost | ConnectionClosed;

/** What `listen` takes. */
export interface ListenOptions extends EndpointOptions {
  /** Name or address to bind; default 127.0.0.1. `::` takes both families. */
  readonly host?: string;
  /** 0..65535; 0 takes a free one. */
  readonly port: number;
  /** Whether the json wire is served, too. Default `true`; it has no proof of addresses. */
  readonly classic?: boolean;
  /** Called by the async iterator for lost and closed connections. */
  readonly onLost?: (end: ConnectionEnd) => void;
}

/** A message that a server read. */
export interface Received {
  readonly connId: number;
  readonly payload: Uint8Array;
  readonly wire: Wire;
}

/** A server of both wires on one port. */
export interface LspServer extends AsyncIterable<Received>, AsyncDisposable {
  /** The address and the port bound. */
  readonly host: string;
  readonly port: number;
  /**
   * Whether every answer leaves from the address that was asked. False where a wildcard is bound
   * and the system cannot tell which address that was: then the cbor wire's dialers and those
   * that call the machine by its first address are served, and other classic ones hear nothing.
   */
  readonly answersFromAsked: boolean;
  /**
   * The next message of any connection. Rejects with ConnectionLost or ConnectionClosed, once for
   * each connection that ends, after the data read before; and always once the server is closed.
   */
  read(): Promise<Received>;
  /**
   * The next message if it is here already, else `undefined`; throws where `read` rejects. After a
   * `read`, calling this until it is empty costs less than a promise a message.
   */
  tryRead(): Received | undefined;
  /**
   * Queues a copy, of up to `maxMessageBytes` (64 MiB) on the cbor wire. Throws
   * UnknownConnection, PayloadTooLarge, QueueFull. A message larger than `maxQueuedBytes` is taken
   * when nothing else waits on the connection.
   */
  write(connId: number, payload: Uint8Array): void;
  /**
   * As {@link LspServer.write}, but without a copy, for what is large: the bytes must not be
   * changed any more.
   */
  give(connId: number, payload: Uint8Array): void;
  /**
   * Resolves when `write` takes a message of `bytes` bytes, by default: half of `maxQueuedBytes`;
   * or when the connection ended.
   */
  writable(connId: number, bytes?: number): Promise<void>;
  /** Ends one connection after what was written on it. Throws UnknownConnection. */
  closeConn(connId: number): void;
  /**
   * Resolves when everything written is acknowledged, or the peers are lost, or take too little of
   * it (docs/memory.md); and says which ones did not get all.
   */
  close(): Promise<Closed>;
  /** Keeps the process alive while the server listens: the default. */
  ref(): void;
  /** Lets the process end although the server listens. */
  unref(): void;
  /** Bytes written to a connection and not acknowledged; 0 when there is none of that number. */
  queuedBytes(connId: number): number;
  /** Of the endpoint, or of one connection (`undefined` when there is none of that number). */
  stats(): EndpointStats;
  stats(connId: number): ConnectionStats | undefined;
}

/**
 * Listens for LSP clients of both wires. Rejects with AddressInUse, UnresolvedHost, or LspError
 * `SOCKET` with the system's reason.
 */
export async function listen(options: ListenOptions): Promise<LspServer> {
  const { port, signal } = options;
  checkPort(port, 0);
  signal?.throwIfAborted();
  const host = await unlessAborted(resolveToBind(options.host ?? "127.0.0.1"), signal);
  let server: Server | undefined;
  const socket = await openListening(host, port, {
    data: (bytes, from, fromPort, local) => server?.udp.data(bytes, from, fromPort, local),
    drain: () => server?.udp.drain(),
  });
  try {
    signal?.throwIfAborted();
    const { forbidsFragments: probesMtu } = socket;
    const { classic = true } = options;
    const given = { ...coreOptions(options), ...unpredictable(), probesMtu, classic };
    const core = createListener(given, performance.now());
    server = new Server(options, (upcalls) => new UdpEndpoint(core, socket, upcalls));
    return server;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** See {@link LspServer}. */
class Server implements LspServer, Upcalls {
  readonly udp: UdpEndpoint<Listener>;
  readonly host: string;
  readonly port: number;
  readonly answersFromAsked: boolean;
  readonly #options: ListenOptions;
  readonly #closing = Promise.withResolvers<Closed>();
  readonly #reads = new ReadQueue(() => this.#takeNext());
  readonly #writers = new Map<number, Writer[]>();
  #isClosed = false;
  readonly #onAbort = (): void => this.#abort();

  constructor(options: ListenOptions, open: (upcalls: Upcalls) => UdpEndpoint<Listener>) {
    this.#options = options;
    this.udp = open(this);
    this.host = this.udp.host;
    this.port = this.udp.port;
    this.answersFromAsked = this.udp.answersFromAsked;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  read(): Promise<Received> {
    return this.#reads.read();
  }

  tryRead(): Received | undefined {
    return this.#reads.tryRead();
  }

  write(connId: number, payload: Uint8Array): void {
    this.udp.core.write(connId, payload);
    this.udp.kickPromptly();
  }

  give(connId: number, payload: Uint8Array): void {
    this.udp.core.give(connId, payload);
    this.udp.kickPromptly();
  }

  writable(connId: number, bytes?: number): Promise<void> {
    if (this.udp.core.mayWrite(connId) === undefined) {
      return Promise.reject(new UnknownConnection(connId));
    }
    const writer = { bytes, ...Promise.withResolvers<void>() };
    this.#writers.set(connId, [...(this.#writers.get(connId) ?? []), writer]);
    this.#wakeWriters();
    return writer.promise;
  }

  closeConn(connId: number): void {
    this.udp.core.closeConn(connId);
    this.udp.kick();
    this.onProgress();
  }

  close(): Promise<Closed> {
    this.#isClosed = true;
    this.udp.core.close(performance.now());
    this.udp.turn();
    this.onProgress();
    return this.#closing.promise;
  }

  ref(): void {
    this.udp.setRef(true);
  }

  unref(): void {
    this.udp.setRef(false);
  }

  queuedBytes(connId: number): number {
    return this.udp.core.queuedBytes(connId);
  }

  stats(): EndpointStats;
  stats(connId: number): ConnectionStats | undefined;
  stats(connId?: number): EndpointStats | ConnectionStats | undefined {
    const { core } = this.udp;
    return connId === undefined ? core.stats() : core.connectionStats(connId);
  }

  /** Yields data only; `onLost` is called for ends. Ends when the server is closed. */
  [Symbol.asyncIterator](): AsyncIterator<Received> {
    return iterate(this, (error) => {
      const isEnd = error instanceof ConnectionLost || error instanceof ConnectionClosed;
      if (!isEnd) throw error;
      if (error.connId !== undefined) this.#options.onLost?.(error);
      return error.connId === undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ---- Upcalls

  onNotice(notice: LspNotice): void {
    this.#options.onNotice?.(notice);
    if (notice.kind === "drained") this.#release();
  }

  onProgress(): void {
    this.#reads.serve();
    if (this.#writers.size > 0) this.#wakeWriters();
  }

  /** The next message, if it is here; throws the end of a connection, or of the server. */
  #takeNext(): Received | undefined {
    if (this.#isClosed) throw new ConnectionClosed(undefined, "here", "the server was closed");
    const event = this.udp.pollEvent();
    if (event === undefined || event.kind === "data") return event;
    // The program that closed a connection does not know yet whether all arrived.
    const isOwn = event.kind === "closed" && event.code === "here";
    if (!isOwn) this.udp.core.undelivered.delete(event.connId);
    throw endError(event);
  }

  #wakeWriters(): void {
    for (const [connId, writers] of this.#writers) {
      const waiting = writers.filter(({ bytes, resolve }) => {
        const may = this.udp.core.mayWrite(connId, bytes) ?? true;
        if (may) resolve();
        return !may;
      });
      if (waiting.length > 0) this.#writers.set(connId, waiting);
      else this.#writers.delete(connId);
    }
  }

  #abort(): void {
    this.#isClosed = true;
    this.udp.core.abort();
    this.udp.turn();
    this.onProgress();
  }

  #release(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.udp.release();
    this.#closing.resolve({ lost: [...this.udp.core.undelivered] });
  }
}
