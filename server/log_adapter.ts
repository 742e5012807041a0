/**
 * The log of a server's table on a disk: a node of a cluster, of this server alone or with others.
 *
 * @module
 */
import type { LspServer } from "../lsp/mod.ts";
import { openReplica, type OpenReplicaOptions, type Replica, ReplicaError } from "../raft/mod.ts";
import { ENCODED_BYTES_MAX, MESSAGES_VERSION } from "../work/messages.ts";
import { TableMachine } from "./table_machine.ts";
import type { ServerInput } from "./types.ts";

/** Largest command: a job, with its message. */
const ENTRY_BYTES_MAX = ENCODED_BYTES_MAX;
/** Largest message between servers by what Raft counts, and what LSP must take for it. */
const APPEND_BYTES_MAX = ENTRY_BYTES_MAX + 1_024;
export const PEER_BYTES_MAX: number = APPEND_BYTES_MAX + 1_024;
/** What is replicated; directories of other programs are refused by this. */
const GROUP = "server";
/** A snapshot of the table is taken after so many bytes of commands. */
const SNAPSHOT_BYTES = 4 << 20;

/** How the log is opened. */
export interface TableLogOptions {
  readonly directory: string;
  /** Read by the server, which hands on what is for the log. */
  readonly listener: LspServer;
  readonly appVersion?: number | undefined;
  readonly log: NonNullable<OpenReplicaOptions["log"]>;
  /** Told what becomes of proposals, and that this server leads. */
  readonly tell: (input: ServerInput) => void;
}

/** See the module. */
export class TableLog {
  readonly machine: TableMachine;
  readonly replica: Replica;
  /** Resolves when this server leads for the first time. */
  readonly led: Promise<void>;
  readonly #tell: TableLogOptions["tell"];
  readonly #led = Promise.withResolvers<void>();

  private constructor(machine: TableMachine, replica: Replica, tell: TableLogOptions["tell"]) {
    this.machine = machine;
    this.replica = replica;
    this.#tell = tell;
    this.led = this.#led.promise;
    this.led.catch(() => {});
    replica.closed.catch((error: unknown) => this.#led.reject(error as Error));
  }

  /**
   * Opens the directory, made if need be. Rejects with a `DiskError` of one line if it cannot be
   * used, and with an OptionError.
   */
  static async open(options: TableLogOptions): Promise<TableLog> {
    const { directory, listener, appVersion = MESSAGES_VERSION, log, tell } = options;
    const machine = new TableMachine();
    const holder: { log?: TableLog } = {};
    let leads = false;
    const replica = await openReplica({
      group: GROUP,
      machine,
      directory,
      listener,
      appVersion,
      log,
      params: { entryBytesMax: ENTRY_BYTES_MAX, appendBytesMax: APPEND_BYTES_MAX },
      snapshotBytes: SNAPSHOT_BYTES,
      sessionIdleMs: 0,
      onRole: (role) => {
        leads = role === "leader";
        if (leads) void holder.log?.lead();
      },
    });
    const opened = new TableLog(machine, replica, tell);
    holder.log = opened;
    if (leads) void opened.lead();
    return opened;
  }

  /** Has a command committed, and says what became of it. */
  propose(id: number, command: Uint8Array): void {
    this.replica.submit(command).then(
      () => this.#tell({ kind: "decided", id }),
      (error: unknown) => {
        const { code, message } = error as ReplicaError;
        const refusal = { reason: message, isSure: code !== "unknown" };
        this.#tell({ kind: "decided", id, refusal });
      },
    );
  }

  /** Says that this server leads, once its table has all that was ever committed. */
  async lead(): Promise<void> {
    while (this.replica.status().role === "leader") {
      try {
        await this.replica.read();
      } catch (error) {
        if (error instanceof ReplicaError && error.code === "timed out") continue;
        return;
      }
      this.#tell({ kind: "lead" });
      return this.#led.resolve();
    }
  }
}
