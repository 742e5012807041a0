/**
 * The client's side of the library: `connect` and what it gives.
 *
 * @module
 */
import { SmallPaths } from "./small_paths.ts";
import type { ConnectionStats, EndpointStats } from "./counters.ts";
import { createDialer, type Dialer } from "./dialer.ts";
import { type DialingSocket, openDialing } from "./dialing_adapter.ts";
import { ConnectionClosed, ConnectionLost, ConnectRefused, type LspError } from "./errors.ts";
import {
  coreOptions,
  type EndpointOptions,
  unlessAborted,
  unpredictable,
} from "./options_adapter.ts";
import { checkPort, resolveToDial } from "./resolve_adapter.ts";
import type { Closed, LspNotice, Wire } from "./types.ts";
import { UdpEndpoint, type Upcalls } from "./adapter.ts";
import { endError, iterate, ReadQueue, type Writer } from "./waiting_adapter.ts";

/** After so many epochs without a word from the server a socket is opened anew. */
const SILENT_EPOCHS = 2;

/** What this process's connections learned of their paths: the next dial begins with it. */
const paths = new SmallPaths();

/** What `connect` takes. */
export interface ConnectOptions extends EndpointOptions {
  /** Name, IPv4 or IPv6 address (brackets allowed). */
  readonly host: string;
  /** 1..65535. */
  readonly port: number;
  /** Default `cbor`. */
  readonly wire?: Wire;
  /** Initial sequence number, 0..2^32-1; default: drawn. */
  readonly isn?: number;
  /** How often the server is asked until it answers, 1..epochMillis; default: every epoch. */
  readonly connectMillis?: number;
}

/** A connection to a server. */
export interface LspClient extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The number that the server gave it, 1 and up. */
  readonly connId: number;
  readonly wire: Wire;
  /** The next message. Rejects with ConnectionLost or ConnectionClosed once all data is read. */
  read(): Promise<Uint8Array>;
  /**
   * The next message if it is here already, else `undefined`; throws where `read` rejects. After a
   * `read`, calling this until it is empty costs less than a promise a message.
   */
  tryRead(): Uint8Array | undefined;
  /**
   * Queues a copy, of up to `maxMessageBytes` (64 MiB) on the cbor wire. Throws PayloadTooLarge,
   * QueueFull, ConnectionLost, ConnectionClosed. A message larger than `maxQueuedBytes` is taken
   * when nothing else waits.
   */
  write(payload: Uint8Array): void;
  /**
   * Resolves when `write` takes a message of `bytes` bytes, by default: half of `maxQueuedBytes`.
   * Rejects once the connection ended.
   */
  writable(bytes?: number): Promise<void>;
  /**
   * Resolves when everything written is acknowledged, or the server is lost, or takes too little of
   * it (docs/memory.md). `lost` is empty if all of it has arrived, whichever side ended the
   * connection; else it has this connection's number.
   */
  close(): Promise<Closed>;
  /** Keeps the process alive while the connection is open: the default. */
  ref(): void;
  /** Lets the process end although the connection is open. */
  unref(): void;
  /** Bytes written and not acknowledged; 0 once it has ended. Costs next to nothing. */
  readonly queuedBytes: number;
  stats(): { readonly endpoint: EndpointStats; readonly connection: ConnectionStats | undefined };
}

/**
 * Connects to an LSP server. Rejects with ConnectRefused when it does not answer for `epochLimit`
 * epochs or says no, with UnresolvedHost, or with the signal's reason.
 */
export async function connect(options: ConnectOptions): Promise<LspClient> {
  const { port, wire = "cbor", isn, connectMillis, signal } = options;
  checkPort(port, 1);
  signal?.throwIfAborted();
  const hosts = await unlessAborted(resolveToDial(options.host), signal);
  let client: Client | undefined;
  const socket = await openDialing(hosts, port, {
    data: (bytes, from, fromPort) => client?.udp.data(bytes, from, fromPort),
    drain: () => client?.udp.drain(),
  });
  try {
    signal?.throwIfAborted();
    const { addresses: to, forbidsFragments: probesMtu } = socket;
    const given = { ...coreOptions(options), ...unpredictable(), to, wire, probesMtu, paths };
    const own = {
      ...(isn !== undefined && { isn }),
      ...(connectMillis !== undefined && { connectMillis }),
    };
    const core = createDialer({ ...given, ...own }, performance.now());
    const open = (upcalls: Upcalls) => new UdpEndpoint(core, socket, upcalls);
    client = new Client(core, socket, wire, options, open);
  } catch (error) {
    socket.close();
    throw error;
  }
  await client.connected;
  return client;
}

/** See {@link LspClient}. */
class Client implements LspClient, Upcalls {
  connId = 0;
  readonly wire: Wire;
  readonly udp: UdpEndpoint<Dialer>;
  readonly #options: EndpointOptions;
  readonly #socket: DialingSocket;
  readonly #connecting = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<Closed>();
  readonly #reads = new ReadQueue(() => this.#takeNext());
  #writers: Writer[] = [];
  /** Set once the last event was read. */
  #end: LspError | undefined;
  readonly #onAbort = (): void => this.#abort();

  constructor(
    core: Dialer,
    socket: DialingSocket,
    wire: Wire,
    options: EndpointOptions,
    open: (upcalls: Upcalls) => UdpEndpoint<Dialer>,
  ) {
    this.wire = wire;
    this.#options = options;
    this.#socket = socket;
    this.udp = open(this);
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  get connected(): Promise<void> {
    return this.#connecting.promise;
  }

  read(): Promise<Uint8Array> {
    return this.#reads.read();
  }

  tryRead(): Uint8Array | undefined {
    return this.#reads.tryRead();
  }

  write(payload: Uint8Array): void {
    if (this.#end !== undefined) throw this.#end;
    this.udp.core.write(this.connId, payload);
    this.udp.kickPromptly();
  }

  writable(bytes?: number): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const writer = { bytes, ...Promise.withResolvers<void>() };
    this.#writers.push(writer);
    this.onProgress();
    return writer.promise;
  }

  close(): Promise<Closed> {
    this.udp.core.close(performance.now());
    this.udp.turn();
    return this.#closing.promise;
  }

  ref(): void {
    this.udp.setRef(true);
  }

  unref(): void {
    this.udp.setRef(false);
  }

  get queuedBytes(): number {
    return this.udp.core.queuedBytes(this.connId);
  }

  stats(): { endpoint: EndpointStats; connection: ConnectionStats | undefined } {
    const { core } = this.udp;
    return { endpoint: core.stats(), connection: core.connectionStats(this.connId) };
  }

  /** Yields messages; ends when the connection is closed, throws when it is lost. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return iterate(this, (error) => {
      if (error instanceof ConnectionClosed) return true;
      throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ---- Upcalls

  onNotice(notice: LspNotice): void {
    this.#options.onNotice?.(notice);
    if (notice.kind === "connected") {
      this.connId = notice.connId;
      const { answeringAddress, epochMillis } = this.udp.core;
      // A classic server knows a connection by its address, which must stay.
      const patienceMs = this.wire === "cbor" ? SILENT_EPOCHS * epochMillis : Infinity;
      if (answeringAddress !== undefined) this.#socket.settle(answeringAddress, patienceMs);
      this.#connecting.resolve();
    } else if (notice.kind === "refused") {
      this.#release();
      this.#connecting.reject(new ConnectRefused(notice.code, notice.reason));
    } else {
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      this.udp.retire();
      this.#resolveClosing();
      this.#connecting.reject(new ConnectionClosed(undefined, "here", "closed while connecting"));
    }
  }

  onProgress(): void {
    this.#reads.serve();
    this.#wakeWriters();
  }

  /** The next message, if it is here; throws once the last event was read. */
  #takeNext(): Uint8Array | undefined {
    if (this.#end !== undefined) throw this.#end;
    const event = this.udp.pollEvent();
    if (event === undefined) return undefined;
    if (event.kind === "data") return event.payload;
    this.#end = endError(event);
    this.#wakeWriters();
    throw this.#end;
  }

  #wakeWriters(): void {
    if (this.#writers.length === 0) return;
    this.#writers = this.#writers.filter((writer) => {
      const may = this.udp.core.mayWrite(this.connId, writer.bytes);
      if (may === undefined) writer.reject(this.#end ?? new ConnectionLost(this.connId));
      else if (may) writer.resolve();
      return may === false;
    });
  }

  #abort(): void {
    this.udp.core.abort();
    this.#connecting.reject(this.#options.signal!.reason);
    this.udp.turn();
  }

  #release(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.udp.release();
    this.#resolveClosing();
  }

  #resolveClosing(): void {
    this.#closing.resolve({ lost: [...this.udp.core.undelivered] });
  }
}
