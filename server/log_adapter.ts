/**
 * The log of a server's table on a disk: a node of a cluster, of this server alone or with others.
 *
 * @module
 */
import type { LspServer } from "../lsp/mod.ts";
import {
  type Config,
  manageCluster,
  openReplica,
  type OpenReplicaOptions,
  type Replica,
  ReplicaError,
} from "../raft/mod.ts";
import { ENCODED_BYTES_MAX, MESSAGES_VERSION } from "../work/messages.ts";
import type { Deed } from "../work/server_messages.ts";
import { TableMachine } from "./table_machine.ts";
import type { NodeInput } from "./types.ts";

/** Largest command: a job, with its message. */
const ENTRY_BYTES_MAX = ENCODED_BYTES_MAX;
/** Largest message between servers by what Raft counts, and what LSP must take for it. */
const APPEND_BYTES_MAX = ENTRY_BYTES_MAX + 1_024;
export const PEER_BYTES_MAX: number = APPEND_BYTES_MAX + 1_024;
/** What is replicated; directories of other programs are refused by this. */
export const GROUP = "server";
/** A snapshot of the table is taken after so many bytes of commands. */
const SNAPSHOT_BYTES = 4 << 20;
/**
 * Refusals that say that a command cannot be kept. After all others this server leads no more, or
 * not yet again: what becomes of the command, its next leader decides.
 */
const LASTING: readonly ReplicaError["code"][] = ["overloaded", "too large", "disk full"];

/** Which node of which cluster a server is; what is left out is as in `openReplica`. */
export type ClusterOptions = Pick<
  OpenReplicaOptions,
  "node" | "members" | "bootstrap" | "join" | "forceNewCluster" | "advertise"
>;

/** How the log is opened. */
export interface TableLogOptions extends ClusterOptions {
  readonly directory: string;
  /** Read by the server, which hands on what is for the log. */
  readonly listener: LspServer;
  readonly appVersion?: number | undefined;
  readonly between?: OpenReplicaOptions["between"];
  readonly log: NonNullable<OpenReplicaOptions["log"]>;
  /** Told what becomes of proposals, who leads, and who belongs to the cluster. */
  readonly tell: (input: NodeInput) => void;
}

/** See the module. */
export class TableLog {
  readonly machine: TableMachine;
  readonly replica: Replica;
  /** Resolves when this server leads for the first time. */
  readonly led: Promise<void>;
  readonly #tell: TableLogOptions["tell"];
  /** Whether it was started with other members. */
  readonly #isNamed: boolean;
  readonly #led = Promise.withResolvers<void>();

  private constructor(machine: TableMachine, replica: Replica, options: TableLogOptions) {
    this.machine = machine;
    this.replica = replica;
    this.#tell = options.tell;
    this.#isNamed = (options.members?.size ?? 0) > 1 || options.join !== undefined;
    this.led = this.#led.promise;
    this.led.catch(() => {});
    replica.closed.catch((error: unknown) => this.#led.reject(error as Error));
  }

  /**
   * Opens the directory, made if need be. Rejects with a `DiskError` of one line if it cannot be
   * used, and with an OptionError.
   */
  static async open(options: TableLogOptions): Promise<TableLog> {
    const { appVersion = MESSAGES_VERSION, tell: _tell, ...rest } = options;
    const machine = new TableMachine((reason) => {
      const what = `a newer server wrote to ${options.directory} what this one cannot read`;
      options.log(`${what}, so jobs are missing here (${reason}): use the newer one`, "warn");
    });
    const holder: { log?: TableLog } = {};
    const replica = await openReplica({
      ...rest,
      group: GROUP,
      machine,
      appVersion,
      params: { entryBytesMax: ENTRY_BYTES_MAX, appendBytesMax: APPEND_BYTES_MAX },
      snapshotBytes: SNAPSHOT_BYTES,
      sessionIdleMs: 0,
      onRole: () => holder.log?.roleIs(),
      onMembers: (config) => holder.log?.membersAre(config),
    });
    const opened = new TableLog(machine, replica, options);
    holder.log = opened;
    return opened;
  }

  /** Says how things stand; to be called once, when there is a node to tell. */
  begin(): void {
    this.membersAre(this.replica.status().members);
    this.roleIs();
  }

  /** Whether others can lead. */
  get isCluster(): boolean {
    const { voters } = this.replica.status().members;
    return this.#isNamed || voters.some((node) => node !== this.replica.node);
  }

  /** Has a command committed, and says what became of it. */
  propose(id: number, command: Uint8Array): void {
    this.replica.submit(command).then(
      () => this.#tell({ kind: "decided", id }),
      (error: unknown) => {
        const { code, message } = error as ReplicaError;
        const refusal = { reason: message, isSure: LASTING.includes(code) };
        this.#tell({ kind: "decided", id, refusal });
      },
    );
  }

  /** Changes the cluster, and says what became of that. */
  manage(ticket: number, deed: Deed, node: number): void {
    manageCluster(this.replica, deed, node).then(
      () => this.#tell({ kind: "managed", ticket, error: "" }),
      (error: Error) => this.#tell({ kind: "managed", ticket, error: error.message }),
    );
  }

  roleIs(): void {
    const { role, leaderAddress, leader } = this.replica.status();
    if (role === "leader") return void this.#lead();
    // A server alone that cannot write for a while goes on with what it has in hand.
    if (!this.isCluster) return;
    this.#tell({ kind: "follow", leader: leader === this.replica.node ? "" : leaderAddress });
  }

  membersAre({ voters, learners }: Config): void {
    const { addresses } = this.replica.status();
    const servers = [...voters, ...learners].flatMap((node) => addresses[node] ?? []);
    this.#tell({ kind: "members", servers });
  }

  /** Says that this server leads, once its table has all that was ever committed. */
  async #lead(): Promise<void> {
    while (this.replica.status().role === "leader") {
      try {
        await this.replica.read();
      } catch (error) {
        if (error instanceof ReplicaError && error.code === "timed out") continue;
        return;
      }
      // Not where the lead went, and came back, meanwhile: then this was said already.
      if (this.replica.status().role === "leader") this.#tell({ kind: "lead" });
      return this.#led.resolve();
    }
  }
}
