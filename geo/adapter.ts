/**
 * A server of the geo store on real sockets and files: a system of query actors, a disk if it is to
 * keep anything, and the clients' connections, on one port.
 *
 * @module
 */
import {
  type ActorRef,
  type ActorSystem,
  type Mailbox,
  type Message,
  openSystem,
} from "../actors/mod.ts";
import type { Millis } from "../base/machine.ts";
import { checkInteger, OptionError } from "../base/options.ts";
import { atPort, readableTime } from "../base/text.ts";
import { listen, type LspServer, type Params } from "../lsp/mod.ts";
import { Connections } from "../peer/connections_adapter.ts";
import { openDisk, type SystemDisk } from "../run/disk.ts";
import { DiskError } from "../run/disk_errors.ts";
import { Drive } from "../run/drive.ts";
import { hostAndPort } from "../run/flags.ts";
import { atMost } from "../run/patience.ts";
import { orderMessage, queryActor, queryActorAt, type Report, reportOf } from "./actor.ts";
import type { QueryCore } from "./core.ts";
import { isAddress } from "./envelope.ts";
import { Keeper, type KeeperEffect, type KeeperInput } from "./keeper.ts";
import { ABSENCE_MS_MAX, ACTORS_MAX, ENVELOPE_BYTES_MAX, JOINS_MAX } from "./limits.ts";
import { APP_VERSION, encodeReply, headOf } from "./requests.ts";

/** Port of a server of the geo store unless told otherwise. */
export const GEO_PORT = 6090;

/** How a server is made. */
export interface ServeGeoOptions {
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0 picks a free one; {@link GEO_PORT} if left out. */
  readonly port?: number;
  /** `HOST:PORT` that other servers reach it by; needed where a wildcard is bound. */
  readonly advertise?: string;
  /** Query actors, each with a whole replica, 1..64; 1 if left out. */
  readonly actors?: number;
  /** Addresses (`HOST:PORT`) of any other servers. */
  readonly join?: readonly string[];
  /** Where everything is kept; nowhere if left out. */
  readonly directory?: string;
  /** Of LSP. */
  readonly params?: Params;
  /** The wall clock; the system's if left out. */
  readonly wallMs?: () => Millis;
  /** Takes lines for people. */
  readonly log?: (text: string, level: "info" | "warn") => void;
}

/** A server that runs. */
export interface RunningGeo extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `HOST:PORT` as other servers know it. */
  readonly address: string;
  /** The actors' cores, to look at. */
  readonly cores: readonly QueryCore[];
  /** The system that the actors are part of. */
  readonly system: ActorSystem;
  /** Resolves when the server was closed; rejects if its disk ended it. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** Bytes that a client does not read, after which it is hung up on. */
const UNREAD_BYTES_MAX: number = 4 << 20;
/** It is looked how much a client has read whenever so much was written to it. */
const LOOK_BYTES: number = 64 << 10;
/** How long the end of the clients' connections is waited for, when the server is closed. */
const GOODBYE_MS = 1000;
const LSP_LIMITS = { maxMessageBytes: 2 * ENVELOPE_BYTES_MAX, maxQueuedBytes: 8 << 20 };
/** A larger snapshot is no geo store's: see STORE_BYTES_MAX. */
const SNAPSHOT_BYTES_MAX: number = 2 ** 31;

/**
 * Serves the store. Rejects with an OptionError, a DiskError if the directory cannot be used, or an
 * LspError if it cannot listen.
 */
export async function serveGeo(options: ServeGeoOptions = {}): Promise<RunningGeo> {
  const { host = "127.0.0.1", port = GEO_PORT, actors, join = [], advertise, params } = options;
  checkInteger("actors", actors, 1, ACTORS_MAX);
  if (join.length > JOINS_MAX) {
    throw new OptionError("join", `got ${join.length} addresses, expected at most ${JOINS_MAX}`);
  }
  for (const [name, text] of [...join.map((one) => ["join", one]), ["advertise", advertise]]) {
    if (text !== undefined && !isAddress(text)) {
      throw new OptionError(name!, `got "${text}", expected HOST:PORT`);
    }
  }
  const ending = new AbortController();
  const lsp = await listen({
    host,
    port,
    appVersion: APP_VERSION,
    classic: false,
    limits: LSP_LIMITS,
    signal: ending.signal,
    ...(params !== undefined && { params }),
  });
  try {
    const system = await openSystem({
      listener: lsp,
      appVersion: APP_VERSION,
      ...(advertise !== undefined && { advertise }),
      ...(params !== undefined && { params }),
    });
    return new Server(lsp, ending, system, options);
  } catch (error) {
    await lsp.close();
    throw error;
  }
}

/** What keeps a server's entries. */
class Store {
  readonly keeper: Keeper;
  readonly #disk: SystemDisk;
  readonly #drive: Drive<KeeperInput, KeeperEffect>;

  /** Throws a DiskError. */
  constructor(
    directory: string,
    id: string | undefined,
    wallMs: () => Millis,
    carryOut: (effect: KeeperEffect) => void,
  ) {
    const given = { directory, kind: "geo", wholeSnapshotBytesMax: SNAPSHOT_BYTES_MAX };
    const { disk, state } = openDisk(id === undefined ? given : { ...given, id });
    this.#disk = disk;
    try {
      this.keeper = new Keeper({ state, wallMs }, performance.now());
      const awayMs = wallMs() - (this.keeper.lastRanMs ?? Infinity);
      if (awayMs > ABSENCE_MS_MAX && this.keeper.servers.length > 1) {
        const away = readableTime(awayMs / 1000);
        const text = `${directory}: its server was away for ${away}, and deletions are known for certain for 28 days only; begin with an empty directory and --join`;
        throw new DiskError("UNUSABLE", text);
      }
    } catch (error) {
      void disk.abandon();
      if (error instanceof DiskError) throw error;
      throw new DiskError("DAMAGED", `${directory}: ${(error as Error).message}`);
    }
    this.#drive = new Drive<KeeperInput, KeeperEffect>(this.keeper, (effect) => {
      const { kind } = effect;
      if (kind === "kept" || kind === "trouble") carryOut(effect);
      else disk.handle(effect);
    });
  }

  start(): void {
    this.#disk.start((input) => this.#drive.tell(input));
    this.#drive.tell({ kind: "wake" });
  }

  keep({ actor, ticket, entry }: Report & { readonly kind: "keep" }): void {
    this.#drive.tell({ kind: "keep", actor, ticket, entry });
  }

  async close(): Promise<void> {
    await this.#disk.close();
    this.#drive.stop();
  }
}

class Server implements RunningGeo {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly cores: QueryCore[] = [];
  readonly system: ActorSystem;
  readonly closed: Promise<void>;
  readonly #lsp: LspServer;
  /** Cuts off the listener. */
  readonly #ending: AbortController;
  readonly #log: NonNullable<ServeGeoOptions["log"]>;
  readonly #actors: ActorRef[] = [];
  readonly #mailbox: Mailbox;
  readonly #secret: number;
  readonly #store: Store | undefined;
  readonly #connections: Connections;
  /** Connections of clients, with bytes written since it was last looked what they have read. */
  readonly #clients = new Map<number, number>();
  readonly #end = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  constructor(
    lsp: LspServer,
    ending: AbortController,
    system: ActorSystem,
    options: ServeGeoOptions,
  ) {
    const { directory, actors = 1, join = [], wallMs = Date.now, log = () => {} } = options;
    this.#lsp = lsp;
    this.#ending = ending;
    this.system = system;
    this.host = lsp.host;
    this.port = lsp.port;
    this.address = options.advertise ?? atPort(lsp.host, lsp.port);
    this.#log = log;
    this.closed = this.#end.promise;
    // A program that does not look at it is not to be ended by it.
    this.closed.catch(() => {});
    const [high = 0, low = 0, secret = 0] = crypto.getRandomValues(new Uint32Array(3));
    this.#secret = secret;
    // A port that was picked is another one the next time: then the directory is nobody's.
    const isNamed = options.port !== 0 || options.advertise !== undefined;
    const id = isNamed ? this.address : undefined;
    if (directory !== undefined) {
      this.#store = new Store(directory, id, wallMs, (effect) => this.#kept(effect));
    }
    this.#mailbox = system.openMailbox((message) => this.#reported(message));
    const life = (((high >>> 19) * 2 ** 32 + low) % (2 ** 45 - 1)) + 1;
    const entries = this.#store === undefined ? [] : [...this.#store.keeper.replica.entries()];
    for (let index = 0; index < actors; index++) {
      const own = { address: this.address, life, index, actors, joins: join, wallMs, entries };
      const isDurable = this.#store !== undefined;
      const { ref: mailbox } = this.#mailbox;
      const onCore = (core: QueryCore): unknown => this.cores.push(core);
      const made = { ...own, isDurable, mailbox, secret, onCore };
      this.#actors.push(system.startActor(queryActor(made)));
    }
    this.#store?.start();
    this.#connections = new Connections(lsp, {
      opened: () => {},
      received: (payloads) => {
        for (const { conn, payload } of payloads) this.#received(conn / 2, payload);
      },
      gone: (conn) => this.#gone(conn / 2),
    });
    void this.#connections.serve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().then(() => this.#end.resolve());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#mailbox.close();
    await this.system.close();
    await this.#store?.close();
    // What a client that is gone did not acknowledge is not waited for until that is certain.
    await atMost(GOODBYE_MS, this.#lsp.close());
    this.#ending.abort();
  }

  #fail(error: Error): void {
    this.#closing ??= this.#close().then(() => this.#end.reject(error));
  }

  #received(connId: number, payload: Uint8Array): void {
    if (this.system.takes(connId, payload)) return;
    if (!this.#clients.has(connId)) this.#clients.set(connId, 0);
    const { id, actor } = headOf(payload);
    const isAny = actor === ACTORS_MAX;
    const ref = this.#actors[isAny ? connId % this.#actors.length : actor];
    if (ref === undefined) {
      const answer = { kind: "refused", why: "no actor" } as const;
      return this.#reply(connId, encodeReply({ id, answer }));
    }
    const order = { kind: "request", client: connId, bytes: payload } as const;
    this.system.tell(ref, orderMessage(this.#secret, order));
  }

  #gone(connId: number): void {
    this.system.lost(connId);
    if (!this.#clients.delete(connId)) return;
    const message = orderMessage(this.#secret, { kind: "gone", client: connId });
    for (const actor of this.#actors) this.system.tell(actor, message);
  }

  /** An actor says something. */
  #reported(message: Message): void {
    const report = reportOf(message);
    if (report?.kind === "reply") this.#reply(report.client, report.bytes);
    else if (report?.kind === "keep") this.#store?.keep(report);
    else if (report !== undefined) this.#log(report.text, "warn");
  }

  #reply(connId: number, bytes: Uint8Array): void {
    const conn = 2 * connId;
    const before = this.#clients.get(connId);
    if (before === undefined) return;
    const written = before + bytes.length;
    const isLook = written > LOOK_BYTES;
    this.#clients.set(connId, isLook ? 0 : written);
    // A client that asks and does not read begins anew.
    if (isLook && this.#connections.queuedBytes(conn) > UNREAD_BYTES_MAX) {
      this.#connections.drop(conn, false);
    } else this.#connections.write(conn, bytes);
  }

  #kept(effect: KeeperEffect): void {
    if (effect.kind === "kept") {
      const { actor, ticket } = effect;
      const message = orderMessage(this.#secret, { kind: "kept", ticket });
      this.system.tell(queryActorAt(this.address, actor), message);
    } else if (effect.kind === "trouble") {
      this.#log(effect.reason, "warn");
      if (effect.isFinal) this.#fail(new DiskError("UNUSABLE", effect.reason));
    }
  }
}

/** The addresses that a list has, each `HOST[:PORT]`. Throws UsageError. */
export function addressesOf(text: string, name: string): string[] {
  return text.split(",").map((part) => {
    const { host, port } = hostAndPort(part, GEO_PORT, name);
    return atPort(host, port);
  });
}
