/**
 * The client's side of the library: `connect` and what it gives.
 *
 * @module
 */
import { seededRandom } from "../base/random.ts";
import type { CongestionFactory } from "./congestion.ts";
import type { ConnectionStats, EndpointStats } from "./counters.ts";
import { crc32Native } from "./crc32_native.ts";
import { createDialer, type Dialer } from "./dialer.ts";
import { ConnectionClosed, ConnectionLost, ConnectRefused, type LspError } from "./errors.ts";
import type { CoreOptions, Limits } from "./params.ts";
import { addressText, checkPort, openConnected, resolveHost } from "./socket_adapter.ts";
import type { LspEvent, LspNotice, Params, Wire } from "./types.ts";
import { UdpEndpoint, type Upcalls } from "./udp_adapter.ts";

/** What `connect` and `listen` have in common. */
export interface EndpointOptions {
  /** What is left out takes the default of the connection's wire. */
  readonly params?: Params;
  readonly limits?: Partial<Limits>;
  /** Version of the application's messages; both ends of a native connection must have the same. */
  readonly appVersion?: number;
  readonly congestion?: CongestionFactory;
  /** `false`: one frame a datagram, on the native wire too. Default `true`. */
  readonly packing?: boolean;
  /**
   * Largest datagram sent on the native wire, in bytes, 1200..16384. Default: 1200, which passes
   * every usual path, and what probes find to pass.
   */
  readonly mtu?: number;
  /** Ends all at once, unflushed; a `connect` in progress rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told what happens to connections: made, refused, drained. */
  readonly onNotice?: (notice: LspNotice) => void;
}

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
   * Queues a copy, of up to `maxMessageBytes` (64 MiB) on the native wire. Throws PayloadTooLarge,
   * QueueFull, ConnectionLost, ConnectionClosed. A message larger than `maxQueuedBytes` is taken
   * when nothing else waits.
   */
  write(payload: Uint8Array): void;
  /**
   * Resolves when `write` takes a message of `bytes` bytes, by default: half of `maxQueuedBytes`.
   * Rejects once the connection ended.
   */
  writable(bytes?: number): Promise<void>;
  /** Resolves when everything written is acknowledged, or the server is lost. */
  close(): Promise<void>;
  /** Keeps the process alive while the connection is open: the default. */
  ref(): void;
  /** Lets the process end although the connection is open. */
  unref(): void;
  stats(): { readonly endpoint: EndpointStats; readonly connection: ConnectionStats | undefined };
}

/** Randomness and a secret that no stranger can guess. */
export function unpredictable(): { random: () => number; secret: Uint8Array } {
  const [seed = 0, stream = 0] = crypto.getRandomValues(new Uint32Array(2));
  const secret = crypto.getRandomValues(new Uint8Array(16));
  return { random: seededRandom(seed, stream), secret };
}

/** The options of a core among those of an endpoint. */
export function coreOptions(options: EndpointOptions): Omit<CoreOptions, "random"> {
  const { params, limits, appVersion, congestion, packing, mtu } = options;
  return {
    checksum: crc32Native,
    ...(params !== undefined && { params }),
    ...(limits !== undefined && { limits }),
    ...(appVersion !== undefined && { appVersion }),
    ...(congestion !== undefined && { congestion }),
    ...(packing !== undefined && { packing }),
    ...(mtu !== undefined && { mtu }),
  };
}

/**
 * Connects to an LSP server. Rejects with ConnectRefused when it does not answer for `epochLimit`
 * epochs or says no, with UnresolvedHost, or with the signal's reason.
 */
export async function connect(options: ConnectOptions): Promise<LspClient> {
  const { port, wire = "cbor", isn, signal } = options;
  checkPort(port, 1);
  signal?.throwIfAborted();
  const host = await unlessAborted(resolveHost(options.host), signal);
  let client: Client | undefined;
  const socket = await openConnected(host, port, {
    data: (bytes, from, fromPort) => client?.udp.data(bytes, from, fromPort),
    drain: () => client?.udp.drain(),
  });
  try {
    signal?.throwIfAborted();
    const to = addressText(host, port);
    const { forbidsFragments: probesMtu } = socket;
    const given = { ...coreOptions(options), ...unpredictable(), to, wire, probesMtu };
    const core = createDialer(isn === undefined ? given : { ...given, isn }, performance.now());
    client = new Client(core, wire, options, (upcalls) => new UdpEndpoint(core, socket, upcalls));
  } catch (error) {
    socket.close();
    throw error;
  }
  await client.connected;
  return client;
}

/** `promise`, or a rejection as soon as `signal` is aborted. */
export async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Iterates over what `source` reads; `isEnd` looks at its errors, and throws or goes on. */
export function iterate<T>(
  source: { read(): Promise<T>; tryRead(): T | undefined },
  isEnd: (error: unknown) => boolean,
): AsyncIterator<T> {
  return {
    async next(): Promise<IteratorResult<T>> {
      for (;;) {
        try {
          return { done: false, value: source.tryRead() ?? (await source.read()) };
        } catch (error) {
          if (isEnd(error)) return { done: true, value: undefined };
        }
      }
    },
  };
}

/** Somebody who waits to write so many bytes. */
export interface Writer extends PromiseWithResolvers<void> {
  readonly bytes: number | undefined;
}

/** See {@link LspClient}. */
class Client implements LspClient, Upcalls {
  connId = 0;
  readonly wire: Wire;
  readonly udp: UdpEndpoint<Dialer>;
  private readonly options: EndpointOptions;
  private readonly connecting = Promise.withResolvers<void>();
  private readonly closing = Promise.withResolvers<void>();
  private readonly readers: PromiseWithResolvers<Uint8Array>[] = [];
  private writers: Writer[] = [];
  /** Set once the last event was read. */
  private end: LspError | undefined;
  private readonly onAbort = (): void => this.abort();

  constructor(
    core: Dialer,
    wire: Wire,
    options: EndpointOptions,
    open: (upcalls: Upcalls) => UdpEndpoint<Dialer>,
  ) {
    this.wire = wire;
    this.options = options;
    this.udp = open(this);
    options.signal?.addEventListener("abort", this.onAbort);
  }

  get connected(): Promise<void> {
    return this.connecting.promise;
  }

  read(): Promise<Uint8Array> {
    try {
      const payload = this.tryRead();
      if (payload !== undefined) return Promise.resolve(payload);
    } catch (error) {
      return Promise.reject(error as LspError);
    }
    const reader = Promise.withResolvers<Uint8Array>();
    this.readers.push(reader);
    return reader.promise;
  }

  tryRead(): Uint8Array | undefined {
    // Whoever asked before is served first.
    if (this.readers.length > 0) return undefined;
    if (this.end !== undefined) throw this.end;
    const event = this.udp.pollEvent();
    if (event === undefined) return undefined;
    if (event.kind === "data") return event.payload;
    this.end = endError(event);
    this.wakeWriters();
    throw this.end;
  }

  write(payload: Uint8Array): void {
    if (this.end !== undefined) throw this.end;
    this.udp.core.write(this.connId, payload);
    this.udp.kickPromptly();
  }

  writable(bytes?: number): Promise<void> {
    if (this.end !== undefined) return Promise.reject(this.end);
    const writer = { bytes, ...Promise.withResolvers<void>() };
    this.writers.push(writer);
    this.onProgress();
    return writer.promise;
  }

  close(): Promise<void> {
    this.udp.core.close(performance.now());
    this.udp.turn();
    return this.closing.promise;
  }

  ref(): void {
    this.udp.setRef(true);
  }

  unref(): void {
    this.udp.setRef(false);
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
    this.options.onNotice?.(notice);
    if (notice.kind === "connected") {
      this.connId = notice.connId;
      this.connecting.resolve();
    } else if (notice.kind === "refused") {
      this.release();
      this.connecting.reject(new ConnectRefused(notice.code, notice.reason));
    } else {
      this.options.signal?.removeEventListener("abort", this.onAbort);
      this.udp.retire();
      this.closing.resolve();
      this.connecting.reject(new ConnectionClosed(undefined, "closed while connecting"));
    }
  }

  onProgress(): void {
    while (this.readers.length > 0) {
      if (this.end !== undefined) {
        this.readers.shift()!.reject(this.end);
        continue;
      }
      const event = this.udp.pollEvent();
      if (event === undefined) break;
      if (event.kind === "data") this.readers.shift()!.resolve(event.payload);
      else this.end = endError(event);
    }
    this.wakeWriters();
  }

  private wakeWriters(): void {
    if (this.writers.length === 0) return;
    this.writers = this.writers.filter((writer) => {
      const may = this.udp.core.mayWrite(this.connId, writer.bytes);
      if (may === undefined) writer.reject(this.end ?? new ConnectionLost(this.connId));
      else if (may) writer.resolve();
      return may === false;
    });
  }

  private abort(): void {
    this.udp.core.abort();
    this.connecting.reject(this.options.signal!.reason);
    this.udp.turn();
  }

  private release(): void {
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.udp.release();
    this.closing.resolve();
  }
}

/** The error that tells of a connection's last event. */
export function endError(event: Exclude<LspEvent, { kind: "data" }>): LspError {
  return event.kind === "lost"
    ? new ConnectionLost(event.connId)
    : new ConnectionClosed(event.connId, event.reason);
}
