/**
 * One simulated server of the store, through all its lives: Raft's core, a disk, the replicated
 * state, and the core that serves clients.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { ServerCore } from "../../kv/server_core.ts";
import { commandOf } from "../../kv/log_entry.ts";
import type { Store } from "../../kv/store.ts";
import type { ServerEffect, ServerInput } from "../../kv/types.ts";
import type { GroupState } from "../../raft/group_state.ts";
import {
  type Entry,
  type FateEffect,
  type Message,
  type NodeId,
  plainCommand,
  type ProposedEffect,
  type RaftEffect,
  type RaftInput,
  type RaftNode,
  type RaftParams,
} from "../../raft/mod.ts";
import type { ClockQuirks } from "../engine/clock.ts";
import { Computer, PLAIN } from "../engine/computer.ts";
import type { Line, LineEnd, Lines } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import type { SimDisk } from "../raft/disk.ts";
import type { RaftNetwork } from "../raft/net.ts";
import type { AnyCore } from "../raft/plants.ts";
import type { KvOracle } from "./oracle.ts";
import { placeOfNode } from "./paths.ts";
import type { KvParts } from "./plants.ts";

/** What a node is made of, and what it calls. */
export interface NodeOptions {
  readonly id: NodeId;
  readonly seed: number;
  readonly loop: Loop;
  readonly network: RaftNetwork;
  readonly paths: Lines<undefined>;
  readonly oracle: KvOracle;
  readonly disk: SimDisk;
  readonly params: RaftParams;
  readonly clock: ClockQuirks;
  readonly parts: KvParts;
  /** A snapshot is taken when the log has this many bytes. */
  readonly logBytesMax: number;
  /** Larger commands go in parts. */
  readonly partBytes: number;
  readonly trace: TraceLine | undefined;
}

/** How commands of no session begin. */
const PLAIN_BYTE = plainCommand(new Uint8Array(0))[0];

/** A command that a client waits for. */
interface Ticket {
  readonly ticket: number;
  readonly term: number;
}

/** A node that crashes and starts again. */
export class KvNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #options: NodeOptions;
  readonly #computer: Computer;
  raft: AnyCore | undefined;
  store: Store | undefined;
  #state: GroupState | undefined;
  #raftProcess: Process<RaftInput, RaftEffect> | undefined;
  #process: Process<ServerInput, ServerEffect> | undefined;
  readonly #lines = new Map<number, Line>();
  #connectionIds = 0;
  /** By index. */
  readonly #tickets = new Map<number, Ticket>();
  /** Submitted, and not yet proposed. */
  readonly #commands = new Map<number, Uint8Array>();
  #lives = 0;
  #snapshotIndex = 0;
  #logBytes = 0;
  snapshotsTaken = 0;
  snapshotsRestored = 0;
  snapshotBytesMost = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.disk = options.disk;
    const { id, loop, clock, disk } = options;
    const quirks = { ...PLAIN, ...clock };
    this.#computer = new Computer({ name: `node ${id}`, loop, quirks, disks: [disk] });
  }

  get isUp(): boolean {
    return this.raft !== undefined;
  }

  get node(): RaftNode | undefined {
    return this.raft?.node;
  }

  get isLeader(): boolean {
    return this.node?.role === "leader";
  }

  /** Begins a life with what the disk holds. */
  start(): void {
    if (this.isUp) return;
    const { id, seed, params, parts, partBytes } = this.#options;
    const life = ++this.#lives;
    const tell = (input: RaftInput): void => {
      if (life === this.#lives) this.#tellRaft(input);
    };
    const persisted = this.disk.start({
      stored: (token) => tell({ kind: "stored", token }),
      disk: (state) => tell({ kind: "disk", state }),
    });
    const store = parts.createStore();
    this.#state = parts.createState(store);
    if (persisted.snapshot.index > 0) this.#state.restore(this.disk.snapshotBytes);
    this.store = store;
    this.#snapshotIndex = persisted.snapshot.index;
    this.#logBytes = 0;
    this.#tickets.clear();
    this.#commands.clear();
    const random = seededRandom(seed, 100_000 + id * 1000 + life);
    const nowMs = this.#computer.nowMs();
    const raft = parts.raft.createCore({ id, params, persisted, random, nowMs });
    this.raft = raft;
    const core = new ServerCore({
      store,
      random: seededRandom(seed, 400_000 + id * 1000 + life),
      status: () => JSON.stringify({ node: id }),
      keeper: parts.createKeeper(store),
      partBytes,
    });
    this.#process = new Process({
      computer: this.#computer,
      core,
      carryOut: (effect) => this.#serve(effect),
    });
    this.#raftProcess = new Process({
      computer: this.#computer,
      core: raft,
      carryOut: (effect) => this.#carryOut(effect),
    });
    this.#options.paths.listen(placeOfNode(id), (line) => this.#accept(line));
    this.#raftProcess.tell({ kind: "wake" });
  }

  /** The node is gone at once. */
  crash(): void {
    if (!this.isUp) return;
    this.#options.trace?.(() => `${this.id} crashes`);
    this.#computer.crash();
    this.raft = undefined;
    this.#lives++;
    this.#lines.clear();
    this.#options.paths.crash(placeOfNode(this.id));
  }

  /** Stands still for a while. */
  sleep(forMs: number): void {
    if (this.isUp) this.#computer.sleep(forMs);
  }

  rouse(): void {
    this.#computer.heal();
  }

  /** Asks it to hand its lead over. */
  transfer(to: NodeId): void {
    this.#tellRaft({ kind: "transfer", id: 0, to });
  }

  /** Asks it to make these the members. */
  change(voters: readonly NodeId[]): void {
    if (voters.length === 0) return;
    this.#tellRaft({ kind: "change", id: 0, voters, learners: [] });
  }

  receive(from: NodeId, message: Message): void {
    this.#tellRaft({ kind: "message", from, message });
  }

  /** A client connects. */
  #accept(line: Line): LineEnd | undefined {
    if (this.#computer.isAsleep) return undefined;
    const client = ++this.#connectionIds;
    this.#lines.set(client, line);
    const life = this.#lives;
    const tell = (input: ServerInput): void => {
      if (life === this.#lives) this.#tell(input);
    };
    return {
      received: (bytes) => tell({ kind: "message", client, bytes }),
      gone: () => {
        this.#lines.delete(client);
        tell({ kind: "gone", client });
      },
    };
  }

  #tellRaft(input: RaftInput): void {
    const process = this.#raftProcess;
    if (this.isUp) process?.whenAwake(() => process.tell(input));
  }

  #tell(input: ServerInput): void {
    const process = this.#process;
    if (this.isUp) process?.whenAwake(() => process.tell(input));
  }

  // ---- the server

  #serve(effect: ServerEffect): void {
    switch (effect.kind) {
      case "send":
        return this.#lines.get(effect.client)?.say(effect.bytes);
      case "close":
        throw new Error(`node ${this.id} closes an honest client's connection: ${effect.reason}`);
      case "submit": {
        const { ticket: id, entry } = effect;
        const command = commandOf(entry);
        this.#commands.set(id, command);
        return this.#tellRaft({ kind: "propose", id, commands: [command] });
      }
      case "manage":
        throw new Error("nobody manages a simulated store");
      case "read":
        return this.#tellRaft({ kind: "read", id: effect.ticket, lease: false });
    }
  }

  // ---- the log

  #carryOut(effect: RaftEffect): void {
    const { network, params } = this.#options;
    switch (effect.kind) {
      case "send":
        return network.send(this.id, effect.to, effect.message);
      case "sendChunk": {
        const { message, to } = effect;
        const data = this.disk.read(message.meta.index, message.offset, params.chunkBytesMax);
        if (data !== undefined) network.send(this.id, to, { ...message, data });
        return;
      }
      case "keepChunk":
        return this.disk.keepChunk(effect.meta, effect.offset, effect.data);
      case "store":
        return this.disk.store(effect);
      case "apply":
        return this.#apply(effect.entries);
      case "restore":
        return this.#restore(effect.meta.index);
      case "proposed":
        return this.#proposed(effect);
      case "fate":
        return this.#fate(effect);
      case "read": {
        const { id: ticket, index } = effect;
        const leader = this.#leader;
        if (index >= 0) return this.#tell({ kind: "readable", tickets: [ticket] });
        return this.#tell({ kind: "unreadable", ticket, leader });
      }
      case "role": {
        this.#options.trace?.(() => `${this.id} is ${effect.role} of term ${effect.term}`);
        const isLeader = effect.role === "leader";
        return this.#tell({ kind: "role", isLeader, leader: this.#leader });
      }
      case "stop":
        this.#options.loop.after(0, () => this.crash());
        return;
      default:
    }
  }

  get #leader(): string {
    const leader = this.node?.leader ?? 0;
    return leader === 0 ? "" : String(leader);
  }

  #proposed(effect: ProposedEffect): void {
    const { id: ticket } = effect;
    const command = this.#commands.get(ticket)!;
    this.#commands.delete(ticket);
    if (!effect.isAccepted) {
      const { why } = effect;
      const isBusy = why === "overloaded" || why === "disk full" || why === "transferring";
      const leader = effect.leader === 0 ? "" : String(effect.leader);
      const reason = isBusy ? "overloaded" : why === "too large" ? why : "not leader";
      return this.#tell({ kind: "rejected", ticket, why: reason, leader });
    }
    if (this.#answersEarly(ticket, command, effect.first)) return;
    this.#tickets.set(effect.first, { ticket, term: effect.term });
  }

  /** A mistake that is planted: tells what it will come to, as things stand. */
  #answersEarly(ticket: number, command: Uint8Array, index: number): boolean {
    if (!this.#options.parts.answersEarly) return false;
    const { parts } = this.#options;
    const state = parts.createState(parts.createStore());
    state.restore(this.#state!.snapshot());
    const answer = state.apply(command, index);
    if (answer.kind !== "done" && answer.kind !== "ran") return false;
    this.#tell({ kind: "applied", applied: [{ ticket, answer }] });
    return true;
  }

  #fate({ fate, term, first, last }: FateEffect): void {
    if (fate === "committed") return;
    for (let index = first; index <= last; index++) {
      const known = this.#tickets.get(index);
      if (known?.term !== term) continue;
      this.#tickets.delete(index);
      const { ticket } = known;
      if (fate === "unknown") this.#tell({ kind: "unsure", ticket });
      else this.#tell({ kind: "rejected", ticket, why: "not leader", leader: this.#leader });
    }
  }

  #apply(entries: readonly Entry[]): void {
    const { oracle, logBytesMax } = this.#options;
    const store = this.store!;
    for (const { index, term, kind, data } of entries) {
      this.#logBytes += data.length + 32;
      if (kind !== "command") continue;
      const before = store.revision;
      const leases = new Set(store.leases.keys());
      const answer = this.#state!.apply(data, index);
      const ended = [...leases].filter((lease) => !store.leases.has(lease));
      oracle.applied(this.id, index, answer, store, before, ended.length > 0);
      // What is of no session is the leader's own.
      if (data[0] === PLAIN_BYTE) for (const lease of ended) oracle.leaseEnded(lease);
      const known = this.#tickets.get(index);
      this.#tickets.delete(index);
      if (known?.term !== term) continue;
      this.#tell({ kind: "applied", applied: [{ ticket: known.ticket, answer }] });
    }
    const { index } = entries.at(-1)!;
    this.#tell({ kind: "advanced" });
    this.#tellRaft({ kind: "applied", index });
    if (this.#logBytes > logBytesMax) this.#takeSnapshot(index);
  }

  #takeSnapshot(index: number): void {
    this.#logBytes = 0;
    this.#snapshotIndex = index;
    const bytes = this.#state!.snapshot();
    this.snapshotsTaken++;
    this.snapshotBytesMost = Math.max(this.snapshotBytesMost, bytes.length);
    this.disk.give(index, bytes);
    this.#tellRaft({ kind: "snapshotTaken", index, size: bytes.length });
  }

  #restore(index: number): void {
    const bytes = this.disk.read(index, 0, Infinity);
    if (bytes === undefined) throw new Error(`node ${this.id}: snapshot ${index} is not there`);
    this.#state!.restore(bytes);
    this.snapshotsRestored++;
    this.#snapshotIndex = index;
    this.#tell({ kind: "advanced" });
    this.#tellRaft({ kind: "applied", index: this.#snapshotIndex });
  }
}
