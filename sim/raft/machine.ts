/**
 * One simulated node: a core with its disk, its state machine and its clock, through all its lives.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, seededRandom, type Random, unitReal } from "../../base/random.ts";
import {
  type Entry,
  type FateEffect,
  type Message,
  type NodeId,
  type RaftEffect,
  type RaftInput,
  type RaftNode,
  type RaftParams,
  type StoreEffect,
} from "../../raft/mod.ts";
import type { ClockQuirks } from "../engine/clock.ts";
import { Computer, PLAIN } from "../engine/computer.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import type { SimDisk } from "./disk.ts";
import type { RaftNetwork } from "./net.ts";
import type { RaftOracle } from "./oracle.ts";
import type { AnyCore, NodePlant } from "./plants.ts";
import { SimState } from "./state.ts";

/** How a node's state machine behaves. */
export interface StateFaults {
  /** A snapshot is taken whenever this many entries more are applied; 0: never. */
  readonly snapshotEvery: number;
  readonly snapshotBytes: number;
  /** Handing a snapshot over takes up to this long, while entries go on being applied. */
  readonly snapshotMs: Millis;
  /** Applying what one effect holds takes up to this long. */
  readonly applyMs: Millis;
}

/** What a node is made of, and what it calls. */
export interface MachineOptions {
  readonly id: NodeId;
  readonly seed: number;
  readonly loop: Loop;
  readonly network: RaftNetwork;
  readonly oracle: RaftOracle;
  readonly disk: SimDisk;
  readonly params: RaftParams;
  readonly clock: ClockQuirks;
  readonly state: StateFaults;
  readonly plant: NodePlant;
  readonly trace: TraceLine | undefined;
  /** Takes the effects that answer what was asked for from outside. */
  readonly onEffect: (id: NodeId, effect: RaftEffect) => void;
}

/** A node that crashes and starts again. */
export class RaftMachine {
  readonly id: NodeId;
  readonly disk: SimDisk;
  /** Called for every step that the disk begins. */
  onStore: ((effect: StoreEffect) => void) | undefined;
  readonly #options: MachineOptions;
  readonly #random: Random;
  state: SimState;
  /** See {@link StateFaults}. */
  applyMs: Millis;
  core: AnyCore | undefined;
  readonly #computer: Computer;
  #process: Process<RaftInput, RaftEffect> | undefined;
  #lives = 0;
  #busyUntilMs: Millis = 0;
  #snapshotIndex = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.id = options.id;
    this.disk = options.disk;
    this.#random = seededRandom(options.seed, 5000 + options.id);
    const { id, loop, clock, disk } = options;
    const quirks = { ...PLAIN, ...clock };
    this.#computer = new Computer({ name: `node ${id}`, loop, quirks, disks: [disk] });
    this.state = new SimState(options.state.snapshotBytes);
    this.applyMs = options.state.applyMs;
  }

  get isUp(): boolean {
    return this.core !== undefined;
  }

  /** The living core's state. */
  get node(): RaftNode | undefined {
    return this.core?.node;
  }

  get isLeader(): boolean {
    return this.node?.role === "leader";
  }

  /** Begins a life with what the disk holds. */
  start(): void {
    if (this.core !== undefined) return;
    const { id, seed, params, oracle, plant, state } = this.#options;
    const life = ++this.#lives;
    this.state = new SimState(state.snapshotBytes);
    const persisted = this.disk.start({
      stored: (token) => this.#whenAwake(life, { kind: "stored", token }),
      disk: (disk) => this.#whenAwake(life, { kind: "disk", state: disk }),
    });
    this.state.restore(this.disk.snapshotBytes);
    this.#snapshotIndex = this.state.index;
    this.#busyUntilMs = 0;
    const random = seededRandom(seed, 100_000 + id * 1000 + life);
    const nowMs = this.#computer.nowMs();
    const core = plant.createCore({ id, params, persisted, random, nowMs });
    this.core = core;
    oracle.started(core.node);
    oracle.stateIs(id, this.state.index, this.state.digest);
    this.#options.trace?.(() => `${id} starts at ${this.state.index}, term ${core.node.term}`);
    this.#process = new Process({
      computer: this.#computer,
      core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => oracle.looked(core.node),
    });
    this.tell({ kind: "wake" });
  }

  /** The node is gone at once. */
  crash(): void {
    if (this.core === undefined) return;
    this.#options.trace?.(() => `${this.id} crashes`);
    this.#computer.crash();
    this.core = undefined;
    this.#process = undefined;
    this.#lives++;
  }

  /** Stands still for a while. */
  sleep(forMs: Millis): void {
    if (this.isUp) this.#computer.sleep(forMs);
  }

  /** Its clock goes forward at once. */
  jumpClock(byMs: Millis): void {
    if (this.isUp) this.#computer.jumpClock(byMs);
  }

  rouse(): void {
    this.#computer.heal();
  }

  /** Hands in an input, now or when the node is awake. */
  tell(input: RaftInput | { kind: "wake" }): void {
    const process = this.#process;
    process?.whenAwake(() => process.tell(input));
  }

  receive(from: NodeId, message: Message): void {
    this.tell({ kind: "message", from, message });
  }

  #whenAwake(life: number, input: RaftInput): void {
    if (life === this.#lives) this.tell(input);
  }

  #carryOut(effect: RaftEffect): void {
    const { oracle, network, trace, params } = this.#options;
    const node = this.node!;
    oracle.looked(node);
    switch (effect.kind) {
      case "send":
        oracle.sent(this.id, effect.to, effect.message);
        network.send(this.id, effect.to, effect.message);
        return;
      case "sendChunk": {
        const { message, to } = effect;
        const data = this.disk.read(message.meta.index, message.offset, params.chunkBytesMax);
        if (data !== undefined) network.send(this.id, to, { ...message, data });
        return;
      }
      case "keepChunk":
        return this.disk.keepChunk(effect.meta, effect.offset, effect.data);
      case "store": {
        const first = effect.entries[0];
        if (first) oracle.inLog(this.id, node.log.termAt(first.index - 1)!, effect.entries);
        this.disk.store(effect);
        return this.onStore?.(effect);
      }
      case "apply":
        return this.#later(() => this.#apply(effect.entries));
      case "restore":
        return this.#later(() => this.#restore(effect.meta.index));
      case "role":
        trace?.(() => `${this.id} is ${effect.role} of term ${effect.term}`);
        if (effect.role === "leader") oracle.leads(node);
        break;
      case "fate":
        oracle.told(effect satisfies FateEffect);
        break;
      default:
        break;
    }
    this.#options.onEffect(this.id, effect);
  }

  /** The state machine works on one thing after the other. */
  #later(work: () => void): void {
    const { loop } = this.#options;
    const life = this.#lives;
    if (this.applyMs === 0 && this.#busyUntilMs <= loop.nowMs) return work();
    const takesMs = unitReal(this.#random) * this.applyMs;
    this.#busyUntilMs = Math.max(loop.nowMs, this.#busyUntilMs) + takesMs;
    loop.at(this.#busyUntilMs, () => {
      if (life === this.#lives) this.#process?.whenAwake(work);
    });
  }

  #apply(entries: readonly Entry[]): void {
    const { oracle, plant, state } = this.#options;
    for (const entry of entries) {
      oracle.applied(this.id, this.state.index, entry);
      if (plant.losesApplies && chance(this.#random, 0.05)) this.state.index = entry.index;
      else this.state.apply(entry);
    }
    const { index, digest } = this.state;
    oracle.stateIs(this.id, index, digest);
    if (state.snapshotEvery > 0 && index - this.#snapshotIndex >= state.snapshotEvery) {
      this.#takeSnapshot();
    }
    this.tell({ kind: "applied", index });
  }

  #takeSnapshot(): void {
    const { loop, state } = this.#options;
    const { index } = this.state;
    this.#snapshotIndex = index;
    const bytes = this.state.snapshot();
    const life = this.#lives;
    const hand = (): void => {
      if (life !== this.#lives) return;
      this.disk.give(index, bytes);
      this.tell({ kind: "snapshotTaken", index, size: bytes.length });
    };
    loop.after(unitReal(this.#random) * state.snapshotMs, hand);
  }

  #restore(index: number): void {
    const bytes = this.disk.read(index, 0, Infinity);
    if (bytes === undefined) throw new Error(`node ${this.id}: snapshot ${index} is not there`);
    this.state.restore(bytes);
    this.#snapshotIndex = index;
    const { oracle } = this.#options;
    oracle.stateIs(this.id, this.state.index, this.state.digest);
    this.tell({ kind: "applied", index: this.state.index });
  }
}
