/**
 * The text server on TCP: brings the core, Bun's sockets and the clock together.
 *
 * @module
 */
import { atPort } from "../base/text.ts";
import { Drive } from "../run/drive.ts";
import { TextCore } from "./core.ts";
import { TextServerError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { ClientId, Counts, TextEffect, TextInput } from "./types.ts";

/** Port of a text server unless told otherwise. */
export const TEXT_PORT = 6080;
/** A connection whose peer's machine is gone is noticed some minutes after this. */
const KEEP_ALIVE_MS = 60_000;

/** How a text server is made. */
export interface TextServerOptions {
  readonly limits?: Partial<Limits>;
}

/** Where to listen. */
export interface ListenOptions {
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0 picks a free one; 6080 if left out. */
  readonly port?: number;
}

type Socket = Bun.Socket<{ id: ClientId }>;

/** A text server: made, started once, closed. */
export class TextServer implements AsyncDisposable {
  /** Resolves when the server was closed; rejects if a mistake of ours ended it. */
  readonly closed: Promise<void>;
  readonly #core: TextCore;
  readonly #drive: Drive<TextInput, TextEffect>;
  readonly #sockets = new Map<ClientId, Socket>();
  readonly #end = Promise.withResolvers<void>();
  #listener: Bun.TCPSocketListener<{ id: ClientId }> | undefined;
  #lastId = 0;

  constructor(options: TextServerOptions = {}) {
    this.closed = this.#end.promise;
    // Who does not look at it is not to be ended by it.
    this.closed.catch(() => {});
    this.#core = new TextCore(options.limits);
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
  }

  /** The address it listens at; "" before it was started. */
  get host(): string {
    return this.#listener?.hostname ?? "";
  }

  /** The port it listens at; 0 before it was started. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** How it stands; after `close` how it stood then. */
  counts(): Counts {
    return this.#core.counts();
  }

  /**
   * Listens. Rejects with a {@link TextServerError} of one line if that cannot be: the port is in
   * use, the server was started before, or is closed.
   */
  async start({ host = "127.0.0.1", port = TEXT_PORT }: ListenOptions = {}): Promise<void> {
    if (this.#drive.isStopped) {
      throw new TextServerError("CLOSED", "the server is closed: make a new one to start it");
    }
    if (this.#listener !== undefined) {
      const at = atPort(this.host, this.port);
      throw new TextServerError("STARTED", `the server listens already, on ${at}`);
    }
    try {
      this.#listener = this.#listen(host, port);
    } catch (error) {
      throw whyNot(host, port, error as Error & { code?: string });
    }
  }

  /** Ends all connections at once, and listens no more. May be called again, and before `start`. */
  async close(): Promise<void> {
    if (!this.#drive.isStopped) {
      for (const client of this.#sockets.keys()) this.#drive.tell({ kind: "gone", client });
      this.#drive.stop();
      this.#listener?.stop(true);
      this.#sockets.clear();
      this.#end.resolve();
    }
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #listen(hostname: string, port: number): Bun.TCPSocketListener<{ id: ClientId }> {
    return Bun.listen<{ id: ClientId }>({
      hostname,
      port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#open(socket),
        data: ({ data: { id: client } }, bytes) => this.#tell({ kind: "data", client, bytes }),
        drain: ({ data: { id: client } }) => this.#tell({ kind: "writable", client }),
        end: ({ data: { id: client } }) => this.#tell({ kind: "ended", client }),
        close: ({ data: { id: client } }) => {
          if (this.#sockets.delete(client)) this.#tell({ kind: "gone", client });
        },
        // What a socket suffers is followed by its close.
        error() {},
      },
    });
  }

  #open(socket: Socket): void {
    const id = ++this.#lastId;
    socket.data = { id };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#sockets.set(id, socket);
    this.#tell({ kind: "opened", client: id });
  }

  /** Tells the core; a mistake of ours ends the server instead of being swallowed by a socket. */
  #tell(input: TextInput | { readonly kind: "wake" }): void {
    try {
      this.#drive.tell(input);
    } catch (error) {
      this.#drive.stop();
      this.#listener?.stop(true);
      this.#end.reject(error);
    }
  }

  #carryOut(effect: TextEffect): void {
    if (effect.kind === "yield") {
      setImmediate(() => this.#tell({ kind: "wake" }));
      return;
    }
    const { client } = effect;
    const socket = this.#sockets.get(client);
    switch (effect.kind) {
      case "write": {
        const taken = socket?.write(effect.bytes) ?? 0;
        return this.#drive.tell({ kind: "taken", client, bytes: Math.max(0, taken) });
      }
      case "pause":
        return void socket?.pause();
      case "resume":
        return void socket?.resume();
      case "close":
        return void socket?.end();
    }
  }
}

/** Why listening failed, in one line. */
function whyNot(host: string, port: number, cause: Error & { code?: string }): TextServerError {
  const at = atPort(host, port);
  if (cause.code === "EADDRINUSE") {
    const text = `${at} is in use by another program`;
    return new TextServerError("ADDRESS_IN_USE", text, { cause });
  }
  const why = cause.code === undefined ? "" : ` (${cause.code})`;
  return new TextServerError("CANNOT_LISTEN", `cannot listen on ${at}${why}`, { cause });
}
