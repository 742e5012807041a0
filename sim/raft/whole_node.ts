/**
 * One simulated whole node: Raft, sessions, storage, connections and founding, the very code that
 * `openReplica` runs, on a simulated computer with a disk and LSP endpoints of its own.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { watchOf } from "../../raft/link.ts";
import { MemoryDisk } from "../../raft/memory_disk.ts";
import {
  isDiskEffect,
  type Message,
  type NodeId,
  ReplicaCore,
  type ReplicaEffect,
  type ReplicaInput,
  type ReplicaOptions,
} from "../../raft/mod.ts";
import { DiskError } from "../../run/disk_errors.ts";
import type { Disk } from "../../run/disk_open.ts";
import { SimConnections } from "../lsp/connections.ts";
import type { Computer } from "../engine/computer.ts";
import type { SimulatedDisk } from "../engine/disk.ts";
import type { Network } from "../engine/network.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import { DurableLog } from "./durable.ts";
import { Ledger } from "./ledger.ts";

/** What a node's lives have in common. */
export interface WholeNodeOptions {
  readonly id: NodeId;
  readonly seed: number;
  readonly computer: Computer;
  readonly network: Network;
  readonly disk: SimulatedDisk;
  /** What the core is made of, beside what each life has of its own. */
  readonly replica: Pick<
    ReplicaOptions,
    "members" | "join" | "params" | "snapshotBytes" | "sessionIdleMs"
  >;
  /** A plant: every so many-th command is lost; or what is stored is said to be so at once. */
  readonly plant: { readonly losesOneIn: number; readonly lies: boolean };
  readonly trace: TraceLine | undefined;
  /** Called for every effect that is no I/O, and whenever something has happened. */
  readonly onEffect: (node: WholeNode, effect: ReplicaEffect) => void;
  readonly onSent: (from: NodeId, to: NodeId, message: Message) => void;
  readonly onLook: (node: WholeNode) => void;
}

const GROUP = "sim";
/** Of a disk in the simulator: small, so that logs come to their segments' ends. */
const DISK = { kind: GROUP, segmentBytes: 16 << 10, wholeSnapshotBytesMax: 200 };

/** Where a node listens, as nodes say it. */
export function addressOf(id: NodeId): string {
  return `10.1.0.${id}:7000`;
}

/** See the module. */
export class WholeNode {
  readonly id: NodeId;
  readonly durable: DurableLog = new DurableLog();
  ledger: Ledger = new Ledger();
  core: ReplicaCore | undefined;
  /** Lives so far. */
  lives = 0;
  /** The life's `started` was told. */
  isKnown = false;
  readonly #options: WholeNodeOptions;
  #process: Process<ReplicaInput, ReplicaEffect> | undefined;
  #disk: Pick<Disk, "handle"> | undefined;
  #connections: SimConnections | undefined;

  constructor(options: WholeNodeOptions) {
    this.#options = options;
    this.id = options.id;
  }

  get isUp(): boolean {
    return this.core !== undefined;
  }

  get isLeader(): boolean {
    return this.core?.raft?.node.role === "leader";
  }

  /** Begins a life with what the disk holds; false if there was no space to. */
  start(): boolean {
    if (this.isUp) return true;
    const { id, seed, computer, disk, replica, plant } = this.#options;
    let opened: ReturnType<SimulatedDisk["open"]>;
    try {
      opened = disk.open({ ...DISK, id: `node ${id}` });
    } catch (error) {
      if (error instanceof DiskError && error.code === "FULL") return false;
      throw error;
    }
    const life = ++this.lives;
    this.isKnown = false;
    this.durable.recovered(opened.state);
    this.#disk = opened.disk;
    this.ledger = new Ledger(plant.losesOneIn);
    const random = seededRandom(seed, 200_000 + id * 1000 + life);
    const name = (): string =>
      Array.from({ length: 2 }, () => random().toString(16).padStart(8, "0")).join("");
    const core = new ReplicaCore({
      ...replica,
      node: id,
      group: GROUP,
      address: addressOf(id),
      machine: this.ledger,
      stored: opened.state,
      fresh: { disk: name(), cluster: name() },
      random,
      nowMs: computer.nowMs(),
      queuedBytes: (conn) => this.#connections?.queuedBytes(conn) ?? 0,
    });
    this.core = core;
    this.#watchSends(core);
    this.#process = new Process({
      computer,
      core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => this.#options.onLook(this),
    });
    this.#connect(random);
    const tell = (input: ReplicaInput): void => this.tell(input);
    if (plant.lies) this.#lie(opened.disk, tell);
    opened.disk.start((input) => {
      if (this.lives !== life) return;
      this.durable.answered(input);
      if (!plant.lies || (input.kind !== "stored" && input.kind !== "saved")) tell(input);
    });
    this.#options.trace?.(() => `${id} starts`);
    this.tell({ kind: "wake" });
    return true;
  }

  /** The node is gone at once; `isPowerCut`: and what its disk had not synced. */
  crash(isPowerCut: boolean): void {
    if (!this.isUp) return;
    this.#options.trace?.(() => `${this.id} ${isPowerCut ? "loses its power" : "crashes"}`);
    this.core = undefined;
    this.#process = undefined;
    this.#disk = undefined;
    this.#connections?.end();
    this.lives++;
    if (isPowerCut) this.#options.computer.cutPower();
    else this.#options.computer.crash();
  }

  /** Hands in an input, now or when the node is awake. */
  tell(input: ReplicaInput | { readonly kind: "wake" }): void {
    const process = this.#process;
    process?.whenAwake(() => process.tell(input));
  }

  #watchSends(core: ReplicaCore): void {
    const { links } = core;
    const send = links.send.bind(links);
    links.send = (to, message) => {
      this.#options.onSent(this.id, to, message);
      send(to, message);
    };
  }

  #connect(random: () => number): void {
    const { computer, network, id, replica, seed } = this.#options;
    const stream = 300_000 + id * 100_000 + this.lives * 1000;
    const connections = {
      name: `node ${id}`,
      computer,
      network,
      address: addressOf(id),
      ...watchOf("main", replica.params.electionMs),
      listenerParams: {},
      randomFor: (conn: number) => (conn === 0 ? random : seededRandom(seed, stream + conn)),
    };
    this.#connections = new SimConnections(connections, {
      opened: (conn) => this.tell({ kind: "opened", conn }),
      received: (conn, payload) => {
        // What came in may be of a client, which is none of the node's.
        if (conn % 2 === 0 && this.core?.links.isPeers(conn, payload) !== true) return;
        this.tell({ kind: "received", messages: [{ conn, payload }] });
      },
      gone: (conn) => this.tell({ kind: "gone", conn }),
    });
  }

  #carryOut(effect: ReplicaEffect): void {
    if (isDiskEffect(effect)) {
      this.durable.asked(effect);
      return this.#disk!.handle(effect);
    }
    switch (effect.kind) {
      case "dial":
        return this.#connections?.dial(effect.conn, effect.address);
      case "write":
        return this.#connections?.write(effect.conn, effect.payload);
      case "drop":
        return this.#connections?.drop(effect.conn, effect.isFlushed);
      default:
        this.#options.trace?.(() => `${this.id} ${describe(effect)}`);
        this.#options.onEffect(this, effect);
    }
  }

  /** The plant: the node is told at once that everything is durable, as if it were memory. */
  #lie(disk: Pick<Disk, "handle">, tell: (input: ReplicaInput) => void): void {
    const liar = new MemoryDisk((input) => {
      if (input.kind !== "loaded") tell(input);
    });
    this.#disk = {
      handle: (effect) => {
        disk.handle(effect);
        if (effect.kind !== "load") liar.handle(effect);
      },
    };
  }
}

function describe(effect: ReplicaEffect): string {
  const { kind, ...rest } = effect;
  return `${kind} ${JSON.stringify(rest, (_, value: unknown) => {
    return value instanceof Uint8Array ? `${value.length}B` : value;
  })}`;
}
