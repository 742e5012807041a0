/**
 * A miner that maps and reduces, on real files and threads.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { Drive } from "../run/drive.ts";
import type { MinerGuest } from "../miner/mod.ts";
import { JobFiles } from "./files_adapter.ts";
import type { ApplicationChoice, FilePart, TaskOrder } from "./job_types.ts";
import { WORKER_TASKS_MAX } from "./limits.ts";
import { Runner } from "./runner_adapter.ts";
import { isOfPeerSockets, PeerSockets } from "./peers_adapter.ts";
import { removeLeftovers, removeScratch, scratchDirectory } from "./scratch_adapter.ts";
import { type Share, SharedOutputs } from "./share_adapter.ts";
import type { TaskEnd } from "./task_end.ts";
import { WorkerCore } from "./worker_core.ts";
import type {
  JobFilePart,
  RunOrder,
  SharedPart,
  WorkerEffect,
  WorkerInput,
} from "./worker_types.ts";

/** How a worker is made. */
export interface WorkerOptions {
  /** Runs code of users, with this program's rights, in a process that is watched. */
  readonly allowCode?: boolean;
  /** Tasks that it runs at a time, one by default; more than WORKER_TASKS_MAX count as that. */
  readonly tasks?: number;
  /** Where its files go: a directory of its own; one in the system's place if left out. */
  readonly directory?: string;
  /** A directory that it shares with clients, to read inputs and to write outputs there. */
  readonly share?: Share;
  /** The address on which others can fetch what it made; left out: through the server alone. */
  readonly host?: string;
  /** Told one line for people at a time. */
  readonly log?: (text: string, level: "info" | "warn") => void;
}

const MIB = 2 ** 20;

interface KeyedRunner {
  readonly key: string;
  readonly runner: Runner;
}

/** What a miner is given to map and reduce as well. */
export function mapReduceGuest(options: WorkerOptions = {}): MinerGuest {
  return new Guest(options);
}

class Guest implements MinerGuest {
  readonly #options: WorkerOptions;
  readonly #core: WorkerCore;
  readonly #drive: Drive<WorkerInput, WorkerEffect>;
  #directory: string | undefined;
  #files: JobFiles | undefined;
  #write: (payload: Uint8Array) => void = () => {};
  /** Runners at work by run, and those without, with what they were made for. */
  readonly #runners = new Map<number, KeyedRunner>();
  #idle: KeyedRunner[] = [];
  readonly #peers: PeerSockets;
  readonly #outputs: SharedOutputs | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { allowCode = false, tasks = 1 } = options;
    this.#core = new WorkerCore({ allowCode, tasks: Math.min(tasks, WORKER_TASKS_MAX) });
    this.#drive = new Drive(this.#core, (effect) => this.#do(effect));
    this.#peers = new PeerSockets((input) => this.#drive.tell(input));
    this.#outputs = options.share && new SharedOutputs(options.share);
    removeLeftovers();
    if (options.host !== undefined) void this.#listen(options.host);
  }

  async #listen(host: string): Promise<void> {
    try {
      await this.#peers.listen(host);
    } catch (error) {
      const why = (error as Error).message;
      this.#options.log?.(`what it maps goes through the server: ${why}`, "warn");
    }
  }

  joined(write: (payload: Uint8Array) => void): void {
    this.#write = write;
    this.#drive.tell({ kind: "joined" });
  }

  payload(payload: Uint8Array): boolean {
    if (!this.#core.takes(payload)) return false;
    this.#drive.tell({ kind: "payload", payload });
    return true;
  }

  gone(): void {
    this.#write = () => {};
    this.#drive.tell({ kind: "gone" });
  }

  async close(): Promise<void> {
    this.#drive.stop();
    for (const { runner } of [...this.#runners.values(), ...this.#idle]) runner.close();
    this.#files?.wipe(undefined);
    this.#files?.close();
    if (this.#directory !== undefined) removeScratch(this.#directory);
    await this.#peers.close();
  }

  /** The files, in a directory that is made when the first is needed. */
  get #disk(): JobFiles {
    if (this.#files !== undefined) return this.#files;
    const { directory = scratchDirectory() } = this.#options;
    mkdirSync(directory, { recursive: true });
    this.#directory = directory;
    this.#files = new JobFiles(directory, this.#options.share);
    return this.#files;
  }

  #do(effect: WorkerEffect): void {
    if (isOfPeerSockets(effect)) return this.#peers.carryOut(effect);
    switch (effect.kind) {
      case "write":
        return this.#write(effect.payload);
      case "put":
        return this.#attempt(() => this.#disk.put(effect.file, effect.offset, effect.bytes));
      case "read": {
        const { id, file, offset, length, room } = effect;
        const bytes = this.#disk.read(file, offset, length, room);
        return this.#drive.tell({ kind: "read", id, bytes });
      }
      case "verify": {
        const { id, part, hash } = effect;
        const then = (good: boolean): void => this.#drive.tell({ kind: "verified", id, good });
        return this.#disk.verify(part, hash, then);
      }
      case "open": {
        const { id, share, part } = effect;
        const known = this.#options.share;
        const good = known?.id === share && known.fileOf(part) !== undefined;
        return this.#drive.tell({ kind: "opened", id, good });
      }
      case "run":
        return this.#start(effect.run, effect.order);
      case "kill":
        return this.#runners.get(effect.run)?.runner.stop();
      case "remove":
        return this.#files?.remove(effect.file);
      case "wipe":
        return this.#files?.wipe(effect.uid);
      case "log":
        return this.#options.log?.(effect.text, effect.level);
    }
  }

  /** What cannot be put on the disk is missed when it is read. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.log?.(`cannot write to the disk: ${(error as Error).message}`, "warn");
    }
  }

  #start(run: number, order: RunOrder): void {
    let taskOrder: TaskOrder;
    try {
      taskOrder = this.#taskOrder(order);
    } catch (error) {
      const text = `the disk: ${(error as Error).message}`;
      return this.#drive.tell({ kind: "ended", run, end: { kind: "died", text } });
    }
    const keyed = this.#runnerFor(order);
    this.#runners.set(run, keyed);
    const progress = (bytes: number): void => this.#drive.tell({ kind: "progress", run, bytes });
    void keyed.runner.run(taskOrder, progress).then((end) => {
      this.#runners.delete(run);
      this.#idle.push(keyed);
      this.#drive.tell({ kind: "ended", run, end: this.#settled(order, end) });
    });
  }

  /** What a task in the shared directory came to. */
  #settled(order: RunOrder, end: TaskEnd): TaskEnd {
    if (order.kind === "reduce") {
      const path = this.#outputs?.end(order, end);
      if (path !== undefined) this.#disk.place(order.output, path);
    } else if (end.kind === "mapped" && "shared" in order.input) {
      if (this.#options.share?.fileOf(order.input) === undefined) {
        return { kind: "died", text: `the input ${order.name} changed while it was read` };
      }
    }
    return end;
  }

  /** Code of one job never runs in a process in which that of another did. */
  #runnerFor({ uid, terms, code }: RunOrder): KeyedRunner {
    const { timeoutMs, memoryMib } = terms;
    const key = code === undefined ? `built in ${timeoutMs}` : `job ${uid}`;
    const known = this.#idle.find((idle) => idle.key === key);
    for (const idle of this.#idle) if (idle.key !== key) idle.runner.close();
    this.#idle = this.#idle.filter((idle) => idle.key === key && idle !== known);
    if (known !== undefined) return known;
    const memoryBytes = memoryMib * MIB;
    const runner = new Runner({ isolated: code !== undefined, timeoutMs, memoryBytes });
    return { key, runner };
  }

  #taskOrder(order: RunOrder): TaskOrder {
    const disk = this.#disk;
    const { uid, terms, code } = order;
    const { application: builtin, reducers, skipBad, asRecords, sortMib } = terms;
    const application: ApplicationChoice =
      code === undefined ? { builtin } : { module: disk.path(code) };
    const directory = disk.directory(uid);
    // All of a job are of one form, wherever they lie.
    const asJson = terms.share !== "";
    const common = { application, skipBad, asJson, sortBytes: sortMib * MIB, directory };
    const part = ({ file, from, to }: JobFilePart): FilePart => {
      return { path: disk.path(file), from, to };
    };
    if (order.kind === "reduce") {
      const inputs = order.inputs.map(part);
      const output = this.#outputs?.begin(order) ?? disk.path(order.output);
      return { kind: "reduce", ...common, inputs, output, asRecords };
    }
    const { name, firstLine, index } = order;
    const isSeen = terms.share !== "" && terms.share === this.#options.share?.id;
    const output = isSeen ? disk.partFiles(uid, index, reducers) : disk.path(order.output);
    const input = "shared" in order.input ? this.#sharedPart(order.input) : part(order.input);
    return { kind: "map", ...common, reducers, name, firstLine, input, output };
  }

  #sharedPart(part: SharedPart): FilePart {
    const path = this.#options.share?.fileOf(part);
    if (path === undefined) throw new Error(`${part.shared.path} is not what it was`);
    const { from } = part.shared;
    return { path, from, to: from + part.bytes };
  }
}
