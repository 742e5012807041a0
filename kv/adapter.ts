/**
 * A server of the store on real sockets and files: brings a node of the replicated log, the core
 * that serves clients, and a listener together.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";
import { listen, type LspServer, type Params, QueueFull } from "../lsp/mod.ts";
import {
  manageCluster,
  openReplica,
  type OpenReplicaOptions,
  type Replica,
  type ReplicaAnswer,
  ReplicaError,
} from "../raft/mod.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { KV_PORT } from "./client_adapter.ts";
import { REPLY_BYTES_MAX, REQUEST_BYTES_MAX, SESSION_IDLE_MS } from "./limits.ts";
import { commandOf, refusalOf } from "./log_entry.ts";
import { APP_VERSION, type Deed } from "./messages.ts";
import { ServerCore } from "./server_core.ts";
import { Store } from "./store.ts";
import type { Applied, LogEntry, ServerEffect, ServerInput } from "./types.ts";

/** How a server is made. What is not said here is as in `openReplica`. */
export interface ServeStoreOptions extends Pick<
  OpenReplicaOptions,
  | "node"
  | "directory"
  | "members"
  | "bootstrap"
  | "join"
  | "forceNewCluster"
  | "advertise"
  | "snapshotBytes"
  | "log"
> {
  /** Address to bind; loopback if left out. */
  readonly host?: string;
  /** 0 picks a free one; 6070 if left out. */
  readonly port?: number;
  /** Of LSP, between clients and servers and between servers. */
  readonly params?: Params;
  /** Of Raft. */
  readonly raft?: OpenReplicaOptions["params"];
}

/** A server that runs. */
export interface RunningStore extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly replica: Replica;
  readonly store: Store;
  /** Resolves when the server was closed; rejects if its disk or a mistake of ours ended it. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** Answers that wait for all clients that read slowly; the one that asks for more is hung up on. */
const UNSENT_BYTES_MAX: number = 256 << 20;
/** What a client and a node may send at once, and what waits for a slow one. */
const LSP_LIMITS = {
  maxMessageBytes: Math.max(REQUEST_BYTES_MAX, REPLY_BYTES_MAX),
  maxQueuedBytes: 16 << 20,
};

/**
 * Serves the store. Rejects with an OptionError, a DiskError if the directory cannot be used, or an
 * LspError if it cannot listen.
 */
export async function serveStore(options: ServeStoreOptions = {}): Promise<RunningStore> {
  const { host = "127.0.0.1", port = KV_PORT, params } = options;
  const lsp = await listen({
    host,
    port,
    appVersion: APP_VERSION,
    classic: false,
    limits: LSP_LIMITS,
    ...(params !== undefined && { params }),
  });
  try {
    return await Server.open(lsp, options);
  } catch (error) {
    await lsp.close();
    throw error;
  }
}

class Server implements RunningStore {
  readonly host: string;
  readonly port: number;
  readonly store: Store = new Store();
  readonly closed: Promise<void>;
  readonly #lsp: LspServer;
  readonly #drive: Drive<ServerInput, ServerEffect>;
  readonly #options: ServeStoreOptions;
  /** Who leads, as was said last. */
  #leader = 0;
  /** Who belongs to the cluster. */
  #members: readonly number[] = [];
  readonly #log: NonNullable<ServeStoreOptions["log"]>;
  readonly #core: ServerCore;
  #replica: Replica | undefined;
  /** What the core asked for before there was a node. */
  readonly #early: ServerEffect[] = [];
  /** Answers that connections do not take yet, and their bytes. */
  readonly #unsent = new Map<number, Uint8Array[]>();
  #unsentBytes = 0;
  /** What was applied, and is not handed on yet. */
  #applied: Applied[] = [];
  /** Reads of this turn of the event loop. */
  #reads: number[] = [];
  readonly #end = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  static async open(lsp: LspServer, options: ServeStoreOptions): Promise<Server> {
    const server = new Server(lsp, options);
    const { host: _host, port: _port, params: _params, raft, ...rest } = options;
    server.#replica = await openReplica({
      ...rest,
      group: "kv",
      machine: server.store,
      listener: lsp,
      appVersion: APP_VERSION,
      sessionIdleMs: SESSION_IDLE_MS,
      ...(raft !== undefined && { params: raft }),
      onRole: (role, term, leader) => {
        server.#logLeader(role, term, leader);
        server.#tellRole();
      },
      onDisk: (trouble) => server.#tell({ kind: "disk", trouble }),
      onMembers: ({ voters, learners }) => server.#logMembers([...voters, ...learners]),
      onApplied: () => server.#tell({ kind: "advanced" }),
    });
    server.#replica.closed.then(
      () => server.close(),
      (error: Error) => server.#fail(error),
    );
    server.#tellRole();
    for (const effect of server.#early.splice(0)) server.#carryOut(effect);
    void server.#read();
    return server;
  }

  private constructor(lsp: LspServer, options: ServeStoreOptions) {
    this.#lsp = lsp;
    this.#options = options;
    this.host = lsp.host;
    this.port = lsp.port;
    this.#log = options.log ?? (() => {});
    this.closed = this.#end.promise;
    // A program that does not look at it is not to be ended by it.
    this.closed.catch(() => {});
    this.#core = new ServerCore({
      store: this.store,
      random: freshRandom(),
      status: () => JSON.stringify(this.#status()),
    });
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
  }

  get replica(): Replica {
    return this.#replica!;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#replica?.close();
    this.#drive.stop();
    await this.#lsp.close();
    this.#end.resolve();
  }

  #fail(error: Error): void {
    this.#closing ??= (async () => {
      this.#drive.stop();
      await this.#replica?.close();
      await this.#lsp.close();
      this.#end.reject(error);
    })();
  }

  #status(): Record<string, unknown> {
    const { revision, size, bytes, tombstones, leases } = this.store;
    const { watches, malformed, diskTrouble: disk } = this.#core;
    const store = { revision, keys: size, bytes, tombstones, leases: leases.size };
    return { ...this.replica.status(), store, disk, watches, malformed };
  }

  async #read(): Promise<void> {
    for (;;) {
      try {
        const { connId, payload } = this.#lsp.tryRead() ?? (await this.#lsp.read());
        if (this.replica.takes(connId, payload)) continue;
        this.#tell({ kind: "message", client: connId, bytes: payload });
      } catch (error) {
        const { connId } = error as { connId?: number };
        if (connId === undefined) {
          if (this.#closing === undefined) this.#fail(error as Error);
          return;
        }
        this.replica.gone(connId);
        this.#tell({ kind: "gone", client: connId });
      }
    }
  }

  /** A mistake of ours ends the server instead of being swallowed by a promise. */
  #tell(input: ServerInput): void {
    try {
      this.#drive.tell(input);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Says who leads, in a cluster of several, whenever that changes. */
  #logLeader(role: string, term: number, leader: number): void {
    if (leader === 0 || leader === this.#leader || this.#members.length <= 1) return;
    this.#leader = leader;
    const { node = 1 } = this.#options;
    const who = role === "leader" ? "leads" : `follows node ${leader}`;
    this.#log(`node ${node}: ${who}, since term ${term}`, "info");
  }

  #logMembers(members: readonly number[]): void {
    const { node = 1 } = this.#options;
    if (this.#members.includes(node) && !members.includes(node)) {
      const text = "it was removed from its cluster, serves nobody any more, and can be ended";
      this.#log(`node ${node}: ${text}`, "warn");
    }
    this.#members = members;
  }

  #tellRole(): void {
    if (this.#replica === undefined) return;
    const { role, leaderAddress } = this.#replica.status();
    this.#tell({ kind: "role", isLeader: role === "leader", leader: leaderAddress });
  }

  #carryOut(effect: ServerEffect): void {
    if (this.#replica === undefined) return void this.#early.push(effect);
    switch (effect.kind) {
      case "send":
        return this.#send(effect.client, effect.bytes);
      case "close":
        this.#log(`ended a client's connection: ${oneLine(effect.reason)}`, "warn");
        return this.#hangUp(effect.client);
      case "submit":
        return this.#submit(effect.ticket, effect.entry);
      case "read":
        return this.#confirm(effect.ticket);
      case "manage":
        return void this.#manage(effect.ticket, effect.deed, effect.node);
    }
  }

  #send(client: number, bytes: Uint8Array): void {
    const unsent = this.#unsent.get(client);
    if (unsent === undefined) {
      try {
        return this.#lsp.write(client, bytes);
      } catch (error) {
        // One that is gone is told nothing.
        if (!(error instanceof QueueFull)) return;
      }
    }
    this.#unsentBytes += bytes.length;
    if (unsent !== undefined) unsent.push(bytes);
    else {
      this.#unsent.set(client, [bytes]);
      void this.#sendLater(client);
    }
    // A client that asks and does not read begins anew.
    if (this.#unsentBytes > UNSENT_BYTES_MAX) this.#hangUp(client);
  }

  /** Writes what waits as the client takes it. */
  async #sendLater(client: number): Promise<void> {
    const unsent = this.#unsent.get(client)!;
    for (let next = unsent[0]; next !== undefined; next = unsent[0]) {
      try {
        await this.#lsp.writable(client, next.length);
        this.#lsp.write(client, next);
      } catch (error) {
        if (error instanceof QueueFull) continue;
        break;
      }
      unsent.shift();
      this.#unsentBytes -= next.length;
    }
    for (const { length } of unsent) this.#unsentBytes -= length;
    this.#unsent.delete(client);
  }

  #hangUp(client: number): void {
    try {
      this.#lsp.closeConn(client);
    } catch {
      // It is gone already.
    }
  }

  #submit(ticket: number, entry: LogEntry): void {
    this.replica.propose(commandOf(entry), (answer) => this.#answered(ticket, answer));
  }

  /** What is applied together is handed on together. */
  #answered(ticket: number, answer: ReplicaAnswer): void {
    if (answer.isOk) {
      if (this.#applied.length === 0) queueMicrotask(() => this.#flushApplied());
      this.#applied.push({ ticket, answer: answer.answer! });
      return;
    }
    this.#flushApplied();
    const { why } = answer;
    if (why === "unknown") return this.#tell({ kind: "unsure", ticket });
    const leader = this.replica.leader.address;
    this.#tell({ kind: "rejected", ticket, why: refusalOf(why), leader });
  }

  #flushApplied(): void {
    const applied = this.#applied;
    if (applied.length === 0) return;
    this.#applied = [];
    this.#tell({ kind: "applied", applied });
  }

  async #manage(ticket: number, deed: Deed, node: number): Promise<void> {
    let error = "";
    try {
      await manageCluster(this.replica, deed, node);
    } catch (why) {
      error = (why as Error).message;
    }
    this.#tell({ kind: "managed", ticket, error });
  }

  /** Reads that come together are confirmed together. */
  #confirm(ticket: number): void {
    if (this.#reads.length === 0) queueMicrotask(() => void this.#confirmAll());
    this.#reads.push(ticket);
  }

  async #confirmAll(): Promise<void> {
    const tickets = this.#reads;
    this.#reads = [];
    try {
      await this.replica.read();
    } catch (error) {
      if (!(error instanceof ReplicaError)) return this.#fail(error as Error);
      const { leaderAddress: leader } = error;
      for (const ticket of tickets) this.#tell({ kind: "unreadable", ticket, leader });
      return;
    }
    this.#tell({ kind: "readable", tickets });
  }
}
