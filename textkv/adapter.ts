/**
 * The text server on TCP: brings the core, Bun's sockets and the clock together.
 *
 * @module
 */
import { atPort } from "../base/text.ts";
import { openDisk, type SystemDisk } from "../run/disk.ts";
import { Drive } from "../run/drive.ts";
import { TextCore } from "./core.ts";
import { TextServerError } from "./errors.ts";
import { KeepAlive } from "./keep_alive_adapter.ts";
import type { Limits } from "./limits.ts";
import { RemoteLists } from "./remote_adapter.ts";
import type { ClientId, Counts, TextEffect, TextInput } from "./types.ts";

/** Port of a text server unless told otherwise. */
export const TEXT_PORT = 6080;

/** How a text server is made. */
export interface TextServerOptions {
  readonly limits?: Partial<Limits>;
  /** The directory that keeps everything, made if need be; if left out, memory does. */
  readonly data?: string;
  /** Addresses of servers of a replicated store that keeps the lists, in place of this server. */
  readonly store?: readonly string[];
  /** Told one line for people at a time: that the disk is full, or is not any more. */
  readonly log?: (text: string) => void;
}

/** Where to listen. */
export interface ListenOptions {
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0 picks a free one; 6080 if left out. */
  readonly port?: number;
}

type Socket = Bun.Socket<{ id: ClientId }>;
type SocketEffect = Exclude<
  Extract<TextEffect, { readonly client: ClientId }>,
  { readonly kind: "ask" }
>;

/** A text server: made, started once, closed. */
export class TextServer implements AsyncDisposable {
  /** Resolves when the server was closed; rejects if its disk or a mistake of ours ended it. */
  readonly closed: Promise<void>;
  readonly #options: TextServerOptions;
  #core: TextCore;
  #drive: Drive<TextInput, TextEffect>;
  #disk: SystemDisk | undefined;
  #remote: RemoteLists | undefined;
  readonly #sockets = new Map<ClientId, Socket>();
  readonly #keepAlive = new KeepAlive();
  readonly #end = Promise.withResolvers<void>();
  /** Of the directory that is being read. */
  #restored = Promise.withResolvers<void>();
  #state: "made" | "started" | "closed" = "made";
  #listener: Bun.TCPSocketListener<{ id: ClientId }> | undefined;
  #lastId = 0;

  constructor(options: TextServerOptions = {}) {
    this.closed = this.#end.promise;
    // A program that does not look at it is not to be ended by it.
    this.closed.catch(() => {});
    this.#options = options;
    const { limits, store } = options;
    this.#core = new TextCore(limits, undefined, store !== undefined);
    this.#drive = this.#driveOf(this.#core);
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
   * Reads its directory, if it has one, and listens. Rejects with a {@link TextServerError} of one
   * line if that cannot be: the port is in use, the server was started before, or is closed; and
   * with a `DiskError` if the directory cannot be used.
   */
  async start({ host = "127.0.0.1", port = TEXT_PORT }: ListenOptions = {}): Promise<void> {
    if (this.#state === "closed") throw closedError();
    if (this.#state === "started") {
      const where = this.#listener === undefined ? "" : `, on ${atPort(this.host, this.port)}`;
      throw new TextServerError("STARTED", `the server was started already${where}`);
    }
    this.#state = "started";
    try {
      const { data, store } = this.#options;
      if (data !== undefined) await this.#openDisk(data);
      if (store !== undefined) {
        this.#remote ??= new RemoteLists(store, (input) => this.#tell(input));
        await this.#remote.ready(this.#options.log ?? (() => {}));
      }
      this.#listener = this.#listen(host, port);
    } catch (error) {
      if (this.#state === "started") {
        await this.#disk?.close();
        this.#disk = undefined;
        this.#state = "made";
      }
      throw error;
    }
  }

  /**
   * Ends all connections at once, and listens no more; done when what is known is on disk, if there
   * is one. May be called again, and before `start`.
   */
  async close(): Promise<void> {
    if (this.#state !== "closed") await this.#close();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(error?: Error): Promise<void> {
    this.#state = "closed";
    this.#restored.promise.catch(() => {});
    this.#restored.reject(error ?? closedError());
    for (const client of this.#sockets.keys()) this.#drive.tell({ kind: "gone", client });
    this.#drive.stop();
    this.#listener?.stop(true);
    this.#sockets.clear();
    this.#keepAlive.stop();
    await this.#remote?.close();
    if (error === undefined) await this.#disk?.close();
    else await this.#disk?.abandon();
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
  }

  #driveOf(core: TextCore): Drive<TextInput, TextEffect> {
    return new Drive(core, (effect) => this.#carryOut(effect));
  }

  async #openDisk(directory: string): Promise<void> {
    const { disk, state } = openDisk({ directory, kind: "textkv" });
    this.#disk = disk;
    try {
      this.#core = new TextCore(this.#options.limits, state);
    } catch (error) {
      const text = `${directory}: ${(error as Error).message}; use the version that wrote it`;
      throw new TextServerError("UNKNOWN_DATA", text, { cause: error });
    }
    this.#drive = this.#driveOf(this.#core);
    this.#restored = Promise.withResolvers();
    disk.start((input) => this.#tell(input));
    // Whatever it wanted to do when it was made.
    this.#tell({ kind: "wake" });
    await this.#restored.promise;
  }

  #listen(hostname: string, port: number): Bun.TCPSocketListener<{ id: ClientId }> {
    const socket: Bun.SocketHandler<{ id: ClientId }> = {
      open: (one) => this.#open(one),
      data: ({ data: { id: client } }, bytes) => this.#tell({ kind: "data", client, bytes }),
      drain: ({ data: { id: client } }) => this.#tell({ kind: "writable", client }),
      end: ({ data: { id: client } }) => this.#tell({ kind: "ended", client }),
      close: ({ data: { id: client } }) => {
        this.#keepAlive.delete(client);
        if (this.#sockets.delete(client)) this.#tell({ kind: "gone", client });
      },
      // What a socket suffers is followed by its close.
      error() {},
    };
    try {
      return Bun.listen<{ id: ClientId }>({ hostname, port, allowHalfOpen: true, socket });
    } catch (error) {
      throw whyNot(hostname, port, error as Error & { code?: string });
    }
  }

  #open(socket: Socket): void {
    const id = ++this.#lastId;
    // Bun has switched Nagle's delay off already.
    socket.data = { id };
    this.#sockets.set(id, socket);
    this.#keepAlive.add(id, socket);
    this.#tell({ kind: "opened", client: id });
  }

  /** Tells the core; a mistake of ours ends the server instead of being swallowed by a socket. */
  #tell(input: TextInput | { readonly kind: "wake" }): void {
    try {
      this.#drive.tell(input);
    } catch (error) {
      void this.#close(error as Error);
    }
  }

  #carryOut(effect: TextEffect): void {
    switch (effect.kind) {
      case "store":
      case "save":
      case "forget":
      case "load":
        return this.#disk?.handle(effect);
      case "ask":
        this.#remote!.ask(effect.client, effect.request).catch((error: Error) => {
          void this.#close(error);
        });
        return;
      case "restored":
        return this.#restored.resolve();
      case "log":
        return this.#options.log?.(effect.text);
      case "fail":
        return void this.#close(new TextServerError("DISK_FAILED", effect.reason));
      case "yield":
        setImmediate(() => this.#tell({ kind: "wake" }));
        return;
      default:
        this.#carryOutOn(this.#sockets.get(effect.client), effect);
    }
  }

  #carryOutOn(socket: Socket | undefined, effect: SocketEffect): void {
    switch (effect.kind) {
      case "write": {
        const taken = socket?.write(effect.from, 0, effect.bytes) ?? 0;
        const { client } = effect;
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

const closedError = (): TextServerError =>
  new TextServerError("CLOSED", "the server is closed: make a new one to start it");

/** Why listening failed, in one line. */
function whyNot(host: string, port: number, cause: Error & { code?: string }): TextServerError {
  const at = atPort(host, port);
  if (cause.code === "EADDRINUSE") {
    const text = `${at} is in use by another program; stop that one, or name another port`;
    return new TextServerError("ADDRESS_IN_USE", text, { cause });
  }
  const why = cause.code === undefined ? "" : ` (${cause.code})`;
  return new TextServerError("CANNOT_LISTEN", `cannot listen on ${at}${why}`, { cause });
}
