/**
 * A cluster of simulated whole nodes with its network, clients and oracle, and the hands that act
 * upon it.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import {
  isMember,
  type NodeId,
  type RaftParams,
  type ReplicaAnswer,
  type ReplicaEffect,
} from "../../raft/mod.ts";
import { type ClockQuirks } from "../engine/clock.ts";
import { Computer, PLAIN } from "../engine/computer.ts";
import { type DiskFaults, SimulatedDisk } from "../engine/disk.ts";
import { Loop } from "../engine/loop.ts";
import { Network } from "../engine/network.ts";
import { demand, runTill, tracer, type Transcript } from "../engine/trace.ts";
import type { Ledger } from "./ledger.ts";
import { RaftOracle } from "./oracle.ts";
import { addressOf, WholeNode } from "./whole_node.ts";

/** What a world is made of. */
export interface WholeWorldOptions {
  readonly seed: number;
  /** The first members: nodes 1..nodes; the spares behind them ask to be taken in. */
  readonly nodes: number;
  readonly spares: number;
  readonly params: RaftParams;
  readonly snapshotBytes: number;
  readonly clockOf: (id: NodeId) => ClockQuirks;
  readonly diskOf: (id: NodeId) => DiskFaults;
  readonly plant: { readonly losesOneIn: number; readonly lies: boolean };
  readonly transcript: Transcript | undefined;
}

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 5_000_000;

/** See the module. */
export class WholeWorld {
  readonly loop: Loop = new Loop();
  readonly network: Network;
  readonly nodes: Map<NodeId, WholeNode> = new Map();
  readonly computers: Map<NodeId, Computer> = new Map();
  readonly disks: Map<NodeId, SimulatedDisk> = new Map();
  readonly oracle: RaftOracle;
  /** Every command in the order in which all nodes apply them, as far as one has. */
  readonly history: string[] = [];
  readonly #answers = new Map<number, (answer: ReplicaAnswer) => void>();
  /** How far each ledger has been held against the history. */
  readonly #checked = new WeakMap<Ledger, number>();
  #lastId = 0;

  constructor(options: WholeWorldOptions) {
    const { seed, nodes, spares, transcript } = options;
    const trace = tracer(this.loop, transcript);
    this.network = new Network(this.loop, seededRandom(seed, 2));
    const voters = Array.from({ length: nodes }, (_, i) => i + 1);
    const durableTermAt = (id: NodeId, index: number): number | undefined =>
      this.nodes.get(id)?.durable.termAt(index);
    this.oracle = new RaftOracle({ durableTermAt }, { voters, outgoing: [], learners: [] });
    const members = new Map(voters.map((id) => [id, addressOf(id)] as const));
    for (let id = 1; id <= nodes + spares; id++) {
      const disk = new SimulatedDisk(this.loop, seededRandom(seed, 1000 + id), options.diskOf(id));
      const quirks = { ...PLAIN, ...options.clockOf(id) };
      const computer = new Computer({ name: `node ${id}`, loop: this.loop, quirks, disks: [disk] });
      const isFirst = id <= nodes;
      const node = new WholeNode({
        id,
        seed,
        computer,
        disk,
        network: this.network,
        replica: {
          members: isFirst ? members : new Map([[id, addressOf(id)]]),
          join: isFirst ? undefined : addressOf(1),
          params: options.params,
          snapshotBytes: options.snapshotBytes,
          sessionIdleMs: 0,
        },
        plant: options.plant,
        trace,
        onEffect: (one, effect) => this.#onEffect(one, effect),
        onSent: (from, to, message) => this.oracle.sent(from, to, message),
        onLook: (one) => this.#look(one),
      });
      this.nodes.set(id, node);
      this.computers.set(id, computer);
      this.disks.set(id, disk);
    }
  }

  get ids(): NodeId[] {
    return [...this.nodes.keys()];
  }

  node(id: NodeId): WholeNode {
    const node = this.nodes.get(id);
    demand(node, () => `there is no node ${id}`);
    return node;
  }

  /** The living node that leads the latest term. */
  get leader(): WholeNode | undefined {
    const leaders = [...this.nodes.values()].filter(({ isLeader }) => isLeader);
    return leaders.toSorted((a, b) => b.core!.raft!.node.term - a.core!.raft!.node.term)[0];
  }

  /** Nodes of the latest configuration that is known to be committed. */
  get members(): NodeId[] {
    return this.ids.filter((id) => isMember(this.oracle.config, id));
  }

  run(forMs: Millis): void {
    this.loop.runUntil(this.loop.nowMs + Math.max(0, forMs), () => {}, STEPS_MAX);
  }

  /** Runs until `isDone`, and fails with `what` if that takes longer than `withinMs`. */
  runUntil(isDone: () => boolean, withinMs: Millis, what: () => string): void {
    runTill(this.loop, isDone, withinMs, what, () => this.run(5));
  }

  /** Cuts every link of a node, both ways. */
  isolate(id: NodeId): void {
    for (const other of this.ids) {
      if (other !== id) this.network.cut(`node ${id}`, `node ${other}`);
    }
  }

  mendAll(): void {
    for (const link of this.network.links) link.isCut = false;
  }

  /** Asks something of a node; `answer` is told, unless the node is down or dies before. */
  ask(id: NodeId, ask: (id: number) => Parameters<WholeNode["tell"]>[0], answer: Answer): void {
    const number = ++this.#lastId;
    this.#answers.set(number, answer);
    this.node(id).tell(ask(number));
  }

  #onEffect(node: WholeNode, effect: ReplicaEffect): void {
    if (effect.kind === "answer") {
      const answer = this.#answers.get(effect.id);
      demand(answer, () => `node ${node.id} answers ${effect.id} twice`);
      this.#answers.delete(effect.id);
      answer(effect.answer);
    } else if (effect.kind === "role") {
      this.#begin(node);
      if (effect.role === "leader" && node.isLeader) this.oracle.leads(node.core!.raft!.node);
    } else if (effect.kind === "stop") {
      // The process ends; its supervisor starts it again.
      const { lives } = node;
      this.loop.after(0, () => {
        if (node.lives === lives) node.crash(false);
      });
    }
  }

  #begin(node: WholeNode): void {
    const raft = node.core?.raft;
    if (raft === undefined || node.isKnown) return;
    node.isKnown = true;
    this.oracle.started(raft.node);
  }

  /** After every event of a node: what Raft promises, and that the states agree. */
  #look(node: WholeNode): void {
    const { core, ledger } = node;
    if (core?.raft === undefined) return;
    this.#begin(node);
    this.oracle.looked(core.raft.node);
    const { entries } = ledger;
    const known = Math.min(this.#checked.get(ledger) ?? 0, entries.length);
    for (let i = known; i < entries.length; i++) {
      const truth = this.history[i];
      demand(
        truth === undefined || truth === entries[i],
        () => `node ${node.id} has applied ${entries[i]} at place ${i + 1}, another ${truth}`,
      );
      if (truth === undefined) this.history.push(entries[i]!);
    }
    this.#checked.set(ledger, entries.length);
  }
}

type Answer = (answer: ReplicaAnswer) => void;
