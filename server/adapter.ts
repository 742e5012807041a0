/**
 * The server on a real socket: brings the core, an LSP listener and the clock together.
 *
 * @module
 */
import { checkBy, checkPort, checkText, OptionError } from "../base/options.ts";
import { oneLine } from "../base/text.ts";
import {
  type EndpointStats,
  fullParams,
  listen,
  LspError,
  type LspLimits,
  type LspNotice,
  type LspServer,
  type Params,
  readableAddress,
} from "../lsp/mod.ts";
import { whyEnded } from "../peer/endings.ts";
import { Drive } from "../run/drive.ts";
import { ENCODED_BYTES_MAX, MESSAGES_VERSION } from "../work/messages.ts";
import { ServerCore } from "./core.ts";
import type { KindFactory } from "./kind.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { LogLimiter } from "./log_limiter.ts";
import type { ServerSnapshot } from "./snapshot.ts";
import type { ServerEffect, ServerInput } from "./types.ts";

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
  /** Kinds of work beside nonce search. */
  readonly kinds?: readonly KindFactory[];
  /** Version of the messages: peers of another are turned away. Only tests have another. */
  readonly appVersion?: number;
}

const REFUSALS_AT_ONCE = 10;
const REFUSALS_PER_SECOND = 1;

/** What LSP takes: no message is longer than a job's, and its message, encoded. */
const TRANSPORT_LIMITS: Partial<LspLimits> = {
  maxMessageBytes: ENCODED_BYTES_MAX,
  maxReassemblyBytes: 64 << 20,
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
 * Starts a server. Rejects with an OptionError for an option that cannot work, and with an LspError
 * if it cannot listen (port in use, unknown host).
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port, params, limits } = options;
  checkPort(port, 0);
  checkText("host", host);
  checkBy("params", () => fullParams("cbor", params));
  checkLimits(limits ?? {});
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
    limits: TRANSPORT_LIMITS,
    ...(params !== undefined && { params }),
  });
  return new SocketServer(lsp, addresses, options);
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
  readonly #lsp: LspServer;
  readonly #core: ServerCore;
  readonly #log: NonNullable<ServeOptions["log"]>;
  readonly #drive: Drive<ServerInput, ServerEffect>;
  /** Where the connections come from; as many as there are connections. */
  readonly #addresses: Map<number, string>;

  constructor(lsp: LspServer, addresses: Map<number, string>, options: ServeOptions) {
    this.host = lsp.host;
    this.port = lsp.port;
    this.answersFromAsked = lsp.answersFromAsked;
    this.#lsp = lsp;
    this.#log = options.log ?? (() => {});
    this.#addresses = addresses;
    const addressOf = (connId: number): string | undefined => addresses.get(connId);
    const { limits, kinds = [] } = options;
    this.#core = new ServerCore({ addressOf, kinds, ...(limits !== undefined && { limits }) });
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
    const { signal } = options;
    const close = (): void => void this.close();
    if (signal?.aborted) close();
    signal?.addEventListener("abort", close, { once: true });
    this.closed = this.#run().finally(() => {
      this.#drive.stop();
      signal?.removeEventListener("abort", close);
    });
  }

  snapshot(): ServerSnapshot {
    return this.#core.snapshot();
  }

  transport(): EndpointStats {
    return this.#lsp.stats();
  }

  async close(): Promise<void> {
    await this.#lsp.close();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Reads until the listener is closed. */
  async #run(): Promise<void> {
    try {
      for (;;) {
        const input = await this.#next();
        if (input === undefined) return;
        this.#drive.tell(input);
        if (input.kind === "gone") this.#addresses.delete(input.connId);
      }
    } catch (error) {
      await this.#lsp.close();
      throw error;
    }
  }

  /** The next thing that happened; undefined when the listener is closed. */
  async #next(): Promise<ServerInput | undefined> {
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

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") return this.#log(effect.text, effect.level);
    try {
      if (effect.kind === "close") this.#lsp.closeConn(effect.connId);
      else this.#lsp.write(effect.connId, effect.payload);
    } catch (error) {
      this.#handleWriteError(effect.connId, error);
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
