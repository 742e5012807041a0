/**
 * A node of a cluster on real sockets and files: `openReplica` and what it gives.
 *
 * @module
 */
import { checkBy, checkInteger, checkText } from "../base/options.ts";
import type { StoredState, StoreEffect, StoreInput } from "../base/store.ts";
import { listen, type LspServer } from "../lsp/mod.ts";
import {
  type ConnectionOptions,
  type ConnectionPayload,
  Connections,
  incomingConn,
} from "../peer/connections_adapter.ts";
import { openDisk, type SystemDisk } from "../run/disk.ts";
import { DiskError } from "../run/disk_errors.ts";
import { SEGMENT_BYTES } from "../run/disk_open.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { atMost } from "../run/patience.ts";
import { bytesOf, refusalOf } from "./answers.ts";
import { ReplicaError } from "./errors.ts";
import type { Channel } from "./greeting.ts";
import { plainCommand } from "./group_state.ts";
import { watchOf } from "./link.ts";
import { MemoryDisk, NOTHING_STORED } from "./memory_disk.ts";
import type { NodeId } from "./messages.ts";
import { CLUSTER_MEMBERS_MAX } from "./identity.ts";
import { type RaftParams, raftParams } from "./params.ts";
import { ReplicaCore } from "./replica.ts";
import type { OpenReplicaOptions, Replica } from "./replica_face_adapter.ts";
import {
  isDiskEffect,
  type ReplicaAnswer,
  type ReplicaEffect,
  type ReplicaInput,
  type ReplicaStatus,
  type Request,
} from "./replica_types.ts";
import { endCommand, openCommand, requestCommand, type SessionAnswer } from "./sessions.ts";

const SNAPSHOT_BYTES = 16 << 20;
const SESSION_IDLE_MS = 3_600_000;
const NAME_BYTES = 8;
/** How long the end of the connections is waited for. */
const GOODBYE_MS = 300;
/** Live bytes of the log, in snapshots' thresholds, above which commands are refused. */
const LOG_THRESHOLDS = 8;

/**
 * Opens a node: its directory, its listener, and its connections with the others. Rejects with an
 * OptionError, a `DiskError` if the directory cannot be used, or an LspError if it cannot listen.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<Replica> {
  const { group, node = 1, directory, host = "127.0.0.1", port = 0, appVersion = 0 } = options;
  checkText("group", group);
  checkInteger("node", node, 1, 2 ** 32 - 1);
  checkInteger("members", options.members?.size, 1, CLUSTER_MEMBERS_MAX);
  checkBy("params", () => raftParams(options.params));
  const opened = directory === undefined ? undefined : openNodeDisk(directory, options, node);
  try {
    const listener = options.listener ?? (await listen({ host, port, appVersion, classic: false }));
    return new RunningReplica(options, listener, opened);
  } catch (error) {
    await opened?.disk.abandon();
    throw error;
  }
}

type OpenedNodeDisk = { readonly disk: SystemDisk; readonly state: StoredState };

function openNodeDisk(
  directory: string,
  { group, between }: OpenReplicaOptions,
  node: NodeId,
): OpenedNodeDisk {
  // Raft's steps hold what has gathered; while one is written, what is committed is applied.
  const options = { directory, kind: group, id: `node ${node}`, isPrompt: true };
  return openDisk(options, between);
}

class RunningReplica implements Replica {
  readonly node: NodeId;
  readonly port: number;
  readonly address: string;
  readonly closed: Promise<void>;
  readonly #options: OpenReplicaOptions;
  readonly #listener: LspServer;
  readonly #peers: Connections;
  readonly #dialOptions: Readonly<Record<Channel, ConnectionOptions>>;
  readonly #core: ReplicaCore;
  readonly #drive: Drive<ReplicaInput, ReplicaEffect>;
  readonly #disk: { handle(effect: StoreEffect): void };
  readonly #systemDisk: SystemDisk | undefined;
  readonly #end = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, (answer: ReplicaAnswer) => void>();
  #lastId = 0;
  /** Commands of this turn of the event loop. */
  #batch: Request[] = [];
  /** What the disk is asked at the end of this job. */
  readonly #later: StoreEffect[] = [];
  /** Payloads of the shared listener that came in this job. */
  #taken: ConnectionPayload[] = [];
  #closing: Promise<void> | undefined;

  constructor(
    options: OpenReplicaOptions,
    listener: LspServer,
    opened: OpenedNodeDisk | undefined,
  ) {
    const { node = 1, appVersion = 0 } = options;
    this.#options = options;
    this.#listener = listener;
    this.node = node;
    this.port = listener.port;
    this.address = options.advertise ?? options.members?.get(node) ?? addressOf(listener);
    this.closed = this.#end.promise;
    // A program that does not look at it is not to be ended by it.
    this.closed.catch(() => {});
    const params = raftParams(paramsOf(options));
    const events = {
      opened: (conn: number) => this.#tell({ kind: "opened", conn }),
      received: (messages: readonly ConnectionPayload[]) =>
        this.#tell({ kind: "received", messages }),
      gone: (conn: number) => this.#tell({ kind: "gone", conn }),
    };
    this.#peers = new Connections(listener, events);
    const { electionMs } = params;
    this.#dialOptions = {
      main: { appVersion, ...watchOf("main", electionMs) },
      bulk: { appVersion, ...watchOf("bulk", electionMs) },
    };
    this.#core = this.#createCore(params, opened);
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
    const tell = (input: StoreInput): void => this.#tell(input);
    this.#systemDisk = opened?.disk;
    this.#disk = opened?.disk ?? new MemoryDisk(tell);
    opened?.disk.start(tell);
    if (options.listener === undefined) void this.#peers.serve();
    this.#tell({ kind: "wake" });
  }

  submit(command: Uint8Array): Promise<Uint8Array> {
    return this.#submit(plainCommand(command)).then(bytesOf);
  }

  async openSession(): Promise<number> {
    const answer = await this.#submit(openCommand());
    if (answer?.kind === "opened") return answer.session;
    throw refusalOf(answer);
  }

  request(
    session: number,
    number: number,
    lowest: number,
    command: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#submit(requestCommand(session, number, lowest, command)).then(bytesOf);
  }

  async endSessions(sessions: readonly number[]): Promise<void> {
    await this.#submit(endCommand(sessions));
  }

  async read({ lease = false }: { readonly lease?: boolean } = {}): Promise<void> {
    await this.#ask((id) => this.#tell({ kind: "read", id, lease }));
  }

  async change(voters: readonly NodeId[], learners: readonly NodeId[] = []): Promise<void> {
    await this.#ask((id) => this.#tell({ kind: "change", id, voters, learners }));
  }

  async transfer(to: NodeId = 0): Promise<void> {
    await this.#ask((id) => this.#tell({ kind: "transfer", id, to }));
  }

  snapshot(): void {
    this.#tell({ kind: "snapshot" });
  }

  status(): ReplicaStatus {
    return this.#core.status();
  }

  get leader(): { readonly node: NodeId; readonly address: string } {
    return this.#core.leader;
  }

  takes(connId: number, payload: Uint8Array): boolean {
    const conn = incomingConn(connId);
    if (!this.#core.links.isPeers(conn, payload)) return false;
    if (this.#taken.length === 0) queueMicrotask(() => this.#flushTaken());
    this.#taken.push({ conn, payload });
    return true;
  }

  gone(connId: number): void {
    this.#flushTaken();
    this.#tell({ kind: "gone", conn: incomingConn(connId) });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { role, members } = this.status();
    // Without a leader for no longer than it takes: the heir stands at once.
    if (role === "leader" && members.voters.length > 1) await this.transfer().catch(() => {});
    await this.#finish();
    this.#askLater();
    await this.#systemDisk?.close();
    this.#end.resolve();
  }

  /** Ends everything but the disk. */
  async #finish(): Promise<void> {
    this.#flushBatch();
    this.#tell({ kind: "leave" });
    this.#drive.stop();
    this.#refuseAll();
    await atMost(GOODBYE_MS, this.#peers.closed());
    if (this.#options.listener === undefined) await atMost(GOODBYE_MS, this.#listener.close());
  }

  #createCore(params: RaftParams, opened: OpenedNodeDisk | undefined): ReplicaCore {
    const { group, machine, bootstrap = false, join, forceNewCluster = false } = this.#options;
    const { node, address } = this;
    const { snapshotBytes = SNAPSHOT_BYTES, sessionIdleMs = SESSION_IDLE_MS } = this.#options;
    const members = new Map(this.#options.members ?? [[node, address]]);
    members.set(node, address);
    const name = (): string => crypto.getRandomValues(new Uint8Array(NAME_BYTES)).toHex();
    try {
      return new ReplicaCore({
        node,
        group,
        address,
        members,
        bootstrap,
        join,
        forceNewCluster,
        machine,
        params,
        snapshotBytes,
        sessionIdleMs,
        stored: opened?.state ?? NOTHING_STORED,
        fresh: { disk: name(), cluster: name() },
        random: freshRandom(),
        nowMs: performance.now(),
        queuedBytes: (conn) => this.#peers.queuedBytes(conn),
      });
    } catch (error) {
      const { directory = "memory" } = this.#options;
      const text = `${directory}: ${(error as Error).message}`;
      throw new DiskError("FOREIGN", text, { cause: error });
    }
  }

  #tell(input: ReplicaInput | { readonly kind: "wake" }): void {
    this.#drive.tell(input);
  }

  propose(command: Uint8Array, then: (answer: ReplicaAnswer) => void): void {
    if (this.#drive.isStopped) return then({ isOk: false, why: "stopped" });
    const id = ++this.#lastId;
    this.#waiting.set(id, then);
    this.#gather({ id, command });
  }

  #submit(command: Uint8Array): Promise<SessionAnswer | undefined> {
    return this.#ask((id) => this.#gather({ id, command }));
  }

  #gather(request: Request): void {
    if (this.#batch.push(request) > 1) return;
    // Where nothing is under way, what is told in this job need not wait for the rest of the turn.
    // Without a disk all would be done in it, and in the next one, and timers had no turn.
    const isAlone = this.#waiting.size === 1 && this.#systemDisk !== undefined;
    if (isAlone) queueMicrotask(this.#flushBatch);
    else setImmediate(this.#flushBatch);
  }

  readonly #flushBatch = (): void => {
    const requests = this.#batch;
    if (requests.length === 0) return;
    this.#batch = [];
    this.#tell({ kind: "submit", requests });
  };

  #flushTaken(): void {
    const messages = this.#taken;
    if (messages.length === 0) return;
    this.#taken = [];
    this.#tell({ kind: "received", messages });
  }

  #ask(ask: (id: number) => void): Promise<SessionAnswer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<SessionAnswer | undefined>();
    if (this.#drive.isStopped) {
      reject(this.#errorOf("stopped"));
      return promise;
    }
    const id = ++this.#lastId;
    this.#waiting.set(id, (answer) => {
      if (answer.isOk) resolve(answer.answer);
      else reject(this.#errorOf(answer.why));
    });
    ask(id);
    return promise;
  }

  #errorOf(why: ReplicaError["code"]): ReplicaError {
    const { node, address } = this.leader;
    return new ReplicaError(why, node, address);
  }

  #carryOut(effect: ReplicaEffect): void {
    if (isDiskEffect(effect)) return this.#askDisk(effect);
    const { log, onRole, onDisk, onMembers, onApplied } = this.#options;
    switch (effect.kind) {
      case "write":
        return this.#peers.write(effect.conn, effect.payload);
      case "answer": {
        const answer = this.#waiting.get(effect.id);
        this.#waiting.delete(effect.id);
        return answer?.(effect.answer);
      }
      case "applied":
        return onApplied?.(effect.index);
      case "dial":
        return this.#dial(effect.conn, effect.address, effect.channel);
      case "drop":
        return this.#peers.drop(effect.conn, effect.isFlushed);
      case "role":
        return onRole?.(effect.role, effect.term, effect.leader);
      case "disk":
        return onDisk?.(effect.trouble);
      case "members":
        return onMembers?.(effect.config);
      case "log":
        return log?.(effect.text, effect.level);
      case "stop":
        return this.#stop(effect.reason);
    }
  }

  /**
   * A leader's writes begin behind what it sends: that has further to go. A follower's begin at
   * once, so that the disk works while what is committed is applied.
   */
  #askDisk(effect: StoreEffect): void {
    if (this.#later.length === 0 && this.#core.raft?.node.role !== "leader") {
      return this.#disk.handle(effect);
    }
    if (this.#later.push(effect) === 1) queueMicrotask(this.#askLater);
  }

  readonly #askLater = (): void => {
    for (const effect of this.#later.splice(0)) this.#disk.handle(effect);
  };

  #dial(conn: number, address: string, channel: Channel): void {
    this.#peers.dial(conn, address, this.#dialOptions[channel]);
  }

  /** The node cannot go on. What waits is told so. */
  #stop(reason: string): void {
    const end = async (): Promise<void> => {
      await this.#finish();
      await this.#systemDisk?.abandon();
      this.#end.reject(new Error(reason));
    };
    this.#closing ??= end();
  }

  #refuseAll(): void {
    for (const [id, answer] of this.#waiting) {
      this.#waiting.delete(id);
      answer({ isOk: false, why: "stopped" });
    }
  }
}

function addressOf({ host, port }: LspServer): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Commands are refused when the log outgrows what snapshots should keep it to. */
function paramsOf({
  params,
  snapshotBytes = SNAPSHOT_BYTES,
}: OpenReplicaOptions): Partial<RaftParams> {
  return { logBytesMax: Math.max(LOG_THRESHOLDS * snapshotBytes, SEGMENT_BYTES), ...params };
}
