/**
 * The server on a real socket: brings the core, an LSP listener and the clock together.
 *
 * @module
 */
import { checkBy, checkPort, checkText, OptionError } from "../base/options.ts";
import { oneLine } from "../base/text.ts";
import {
  type EndpointStats,
  fullLimits,
  fullParams,
  listen,
  LspError,
  type LspLimits,
  type LspNotice,
  type LspServer,
  type Params,
  readableAddress,
} from "../lsp/mod.ts";
import type { OpenReplicaOptions } from "../raft/mod.ts";
import { whyEnded } from "../peer/endings.ts";
import { Drive } from "../run/drive.ts";
import { ENCODED_BYTES_MAX, MESSAGES_VERSION } from "../work/messages.ts";
import type { KindFactory } from "./kind.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits, TRANSPORT_LIMITS } from "./limits.ts";
import { type ClusterOptions, PEER_BYTES_MAX, TableLog } from "./log_adapter.ts";
import { LogLimiter } from "./log_limiter.ts";
import { ServerNode } from "./node.ts";
import { RelayLinks } from "./relay_adapter.ts";
import { reportOf } from "./report_adapter.ts";
import type { ServerSnapshot } from "./snapshot.ts";
import type { NodeEffect, NodeInput, ServerInput } from "./types.ts";

/** Where and how to serve. */
export interface ServeOptions {
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly params?: Params;
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal;
  /** Told one line for people at a time. */
  readonly log?: (text: string, level: "info" | "warn") => void;
  readonly limits?: Partial<ServerLimits>;
  /** Limits of LSP, where they are not to be {@link TRANSPORT_LIMITS}. */
  readonly transport?: Partial<LspLimits>;
  /** Whether peers of the json wire are served, too. Default `true`. */
  readonly classic?: boolean;
  /** Kinds of work beside nonce search. */
  readonly kinds?: readonly KindFactory[];
  /**
   * The directory that keeps the jobs, made if need be, for this server alone. If left out, they
   * are gone with this server.
   */
  readonly data?: string;
  /** Which node of which cluster this is, with `data`; if left out, a cluster of this one alone. */
  readonly cluster?: ClusterOptions;
  /** Stands between the log in `data` and its files: tests put faults there. */
  readonly between?: OpenReplicaOptions["between"];
  /** Version of the messages: peers of another are turned away. Only tests have another. */
  readonly appVersion?: number;
}

const REFUSALS_AT_ONCE = 10;
const REFUSALS_PER_SECOND = 1;

/** What LSP takes where other servers speak to it, too. */
const PEER_LIMITS: Partial<LspLimits> = {
  maxMessageBytes: Math.max(ENCODED_BYTES_MAX, PEER_BYTES_MAX),
};

/** A server that listens. */
export interface RunningServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Whether every answer leaves from the address that was asked (docs/lsp.md, section 11). */
  readonly answersFromAsked: boolean;
  /** Resolves when the server has closed; rejects if a bug of ours ended it. */
  readonly closed: Promise<void>;
  /** The state of everything, as plain data. */
  snapshot(): ServerSnapshot;
  /** What the socket has seen: datagrams, and those turned away by reason. */
  transport(): EndpointStats;
  /** Flushes what was written, then lets go of the socket. */
  close(): Promise<void>;
}

/**
 * Starts a server. Rejects with an OptionError for an option that cannot work, with an LspError
 * if it cannot listen (port in use, unknown host), and with a `DiskError` if its directory cannot
 * be used.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port, params, limits, classic = true } = options;
  const peers = options.data === undefined ? {} : PEER_LIMITS;
  const transport = { ...TRANSPORT_LIMITS, ...peers, ...options.transport };
  checkPort(port, 0);
  checkText("host", host);
  if (options.cluster !== undefined && options.data === undefined) {
    throw new OptionError("cluster", "got no data: a cluster keeps its word on disks");
  }
  checkBy("params", () => fullParams("cbor", params));
  checkLimits(limits ?? {});
  checkBy("transport", () => fullLimits(transport));
  const addresses = new Map<number, string>();
  const tellRefusal = refusalsTo(options.log ?? (() => {}));
  const onNotice = (notice: LspNotice): void => {
    if (notice.kind === "connected") addresses.set(notice.connId, readableAddress(notice.from));
    else tellRefusal(notice);
  };
  const lsp = await listen({
    host,
    port,
    appVersion: options.appVersion ?? MESSAGES_VERSION,
    onNotice,
    limits: transport,
    classic,
    ...(params !== undefined && { params }),
  });
  const server = new SocketServer(lsp, addresses, options);
  try {
    await server.start();
  } catch (error) {
    await lsp.close();
    throw error;
  }
  return server;
}

/** Throws an OptionError on a limit that is not known, or is no number. */
function checkLimits(limits: Partial<ServerLimits>): void {
  for (const [name, value] of Object.entries(limits)) {
    const known = DEFAULT_SERVER_LIMITS[name as keyof ServerLimits];
    if (known === undefined) throw new OptionError(`limits.${name}`, "there is no such limit");
    if (value === undefined || (typeof value === typeof known && value >= 0)) continue;
    throw new OptionError(`limits.${name}`, `got ${String(value)}, expected a ${typeof known}`);
  }
}

/** Reports strangers that were turned away, but not each one of a flood. */
function refusalsTo(log: NonNullable<ServeOptions["log"]>): (notice: LspNotice) => void {
  const limiter = new LogLimiter(REFUSALS_AT_ONCE, REFUSALS_PER_SECOND);
  return (notice) => {
    if (notice.kind !== "refused") return;
    const text = `turned away ${oneLine(notice.reason)}`;
    for (const line of limiter.admit(text, performance.now())) log(line, "warn");
  };
}

class SocketServer implements RunningServer {
  readonly host: string;
  readonly port: number;
  readonly answersFromAsked: boolean;
  readonly closed: Promise<void>;
  readonly #options: ServeOptions;
  readonly #lsp: LspServer;
  #node: ServerNode;
  readonly #log: NonNullable<ServeOptions["log"]>;
  #drive: Drive<NodeInput, NodeEffect>;
  readonly #relayed: RelayLinks;
  /** Where the connections come from; as many as there are connections. */
  readonly #addresses: Map<number, string>;
  readonly #end = Promise.withResolvers<void>();
  #table: TableLog | undefined;
  #closing: Promise<void> | undefined;

  constructor(lsp: LspServer, addresses: Map<number, string>, options: ServeOptions) {
    this.host = lsp.host;
    this.port = lsp.port;
    this.answersFromAsked = lsp.answersFromAsked;
    this.closed = this.#end.promise;
    this.#options = options;
    this.#lsp = lsp;
    this.#log = options.log ?? (() => {});
    this.#addresses = addresses;
    const { appVersion = MESSAGES_VERSION, params } = options;
    this.#relayed = new RelayLinks((input) => this.#tell(input), appVersion, params);
    this.#node = this.#createNode(undefined);
    this.#drive = new Drive(this.#node, (effect) => this.#carryOut(effect));
  }

  /** Opens the table, if it is to be kept, and begins to serve. */
  async start(): Promise<void> {
    const { data, signal } = this.#options;
    if (data !== undefined) await this.#openTable(data);
    const close = (): void => void this.close();
    if (signal?.aborted) close();
    signal?.addEventListener("abort", close, { once: true });
    const ended = (): void => signal?.removeEventListener("abort", close);
    this.closed.then(ended, ended);
    void this.#run();
  }

  async #openTable(directory: string): Promise<void> {
    const { appVersion, between, cluster } = this.#options;
    const table = await TableLog.open({
      ...cluster,
      directory,
      listener: this.#lsp,
      appVersion,
      between,
      log: (text, level) => this.#log(text, level),
      tell: (input) => this.#tell(input),
    });
    this.#table = table;
    this.#node = this.#createNode(table);
    this.#drive = new Drive(this.#node, (effect) => this.#carryOut(effect));
    table.replica.closed.catch((error: unknown) => this.#fail(error));
    table.begin();
    // One of several may have nobody to elect it.
    if (!table.isCluster) await table.led;
  }

  snapshot(): ServerSnapshot {
    return this.#node.snapshot();
  }

  transport(): EndpointStats {
    return this.#lsp.stats();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(undefined);
    return this.#closing.then(() => this.closed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(error: unknown): Promise<void> {
    // What the miners reported last is kept, too.
    if (error === undefined) this.#tell({ kind: "leave" });
    await this.#table?.replica.close().catch(() => {});
    this.#drive.stop();
    await Promise.all([this.#lsp.close(), this.#relayed.close()]);
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
  }

  #fail(error: unknown): void {
    this.#closing ??= this.#close(error);
  }

  #createNode(table: TableLog | undefined): ServerNode {
    const { limits, kinds = [] } = this.#options;
    const startedMs = Date.now() - performance.now();
    return new ServerNode({
      addressOf: (connId) => this.#addresses.get(connId),
      kinds,
      unixMs: (nowMs) => Math.round(startedMs + nowMs),
      ...(limits !== undefined && { limits }),
      report: () => JSON.stringify(reportOf(this.#node, table?.replica, this.#options.data)),
      session: () => crypto.getRandomValues(new BigUint64Array(1))[0]!,
      ...(table !== undefined && { table: table.machine, address: table.replica.address }),
    });
  }

  /** Tells the core; a mistake of ours ends the server. */
  #tell(input: NodeInput): void {
    try {
      this.#drive.tell(input);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Reads until the listener is closed. */
  async #run(): Promise<void> {
    try {
      for (;;) {
        const input = await this.#next();
        if (input === undefined) return;
        const replica = this.#table?.replica;
        if (input.kind === "payload" && replica?.takes(input.connId, input.payload)) continue;
        this.#tell(input);
        if (input.kind !== "gone") continue;
        replica?.gone(input.connId);
        this.#addresses.delete(input.connId);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The next thing that happened; undefined when the listener is closed. */
  async #next(): Promise<Extract<ServerInput, { readonly connId: number }> | undefined> {
    try {
      const { connId, payload, wire } = await this.#lsp.read();
      return { kind: "payload", connId, wire, payload };
    } catch (error) {
      if (!(error instanceof LspError)) throw error;
      const { connId } = error;
      return connId === undefined
        ? undefined
        : { kind: "gone", connId, why: whyEnded("it", error) };
    }
  }

  #carryOut(effect: NodeEffect): void {
    switch (effect.kind) {
      case "log":
        return this.#log(effect.text, effect.level);
      case "propose":
        return this.#table!.propose(effect.id, effect.command);
      case "manage":
        return this.#table!.manage(effect.ticket, effect.deed, effect.node);
      case "dial":
        return this.#relayed.dial(effect.connId, effect.server);
      case "pass":
        return this.#relayed.pass(effect.connId, effect.payload);
      case "drop":
        return this.#relayed.drop(effect.connId);
      case "close":
        return this.#speak(effect.connId, undefined);
      case "write":
        return this.#speak(effect.connId, effect.payload);
    }
  }

  /** Writes to a peer, or hangs up on it. */
  #speak(connId: number, payload: Uint8Array | undefined): void {
    try {
      if (payload === undefined) this.#lsp.closeConn(connId);
      else this.#lsp.write(connId, payload);
    } catch (error) {
      this.#handleWriteError(connId, error);
    }
  }

  /** `read` reports a peer that left; one that does not read, or cannot, is let go. */
  #handleWriteError(connId: number, error: unknown): void {
    if (!(error instanceof LspError)) throw error;
    if (error.code !== "QUEUE_FULL" && error.code !== "PAYLOAD_TOO_LARGE") return;
    this.#log(`connection ${connId} closed: ${error.message}`, "warn");
    this.#lsp.closeConn(connId);
  }
}
