/**
 * A group of simulated nodes, and the hands that act upon it: for the campaign of seeds and for the
 * tests by scenario alike.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import {
  type Config,
  type FateEffect,
  type Message,
  type NodeId,
  type ProposedEffect,
  type RaftEffect,
  type RaftInput,
  raftParams,
  type RaftParams,
  type Refusal,
} from "../../raft/mod.ts";
import { type ClockQuirks, PERFECT_CLOCK } from "../engine/clock.ts";
import { Loop } from "../engine/loop.ts";
import { demand, runTill, tracer, type Transcript } from "../engine/trace.ts";
import { type DiskPlant, SimDisk } from "./disk.ts";
import { RaftMachine, type StateFaults } from "./machine.ts";
import { RaftNetwork } from "./net.ts";
import { RaftOracle } from "./oracle.ts";
import { type NodePlant, nodePlantOf } from "./plants.ts";

/** What a world is made of; everything but the seed and the size has a calm default. */
export interface WorldOptions {
  readonly seed: number;
  /** The first members: nodes 1..nodes. */
  readonly nodes: number;
  /** Nodes beyond them, which belong to no group yet. */
  readonly spares?: number;
  readonly params?: Partial<RaftParams>;
  readonly clockOf?: (id: NodeId) => ClockQuirks;
  readonly state?: StateFaults;
  readonly nodePlant?: NodePlant;
  readonly diskPlant?: DiskPlant;
  readonly transcript?: Transcript | undefined;
}

/** A proposal as its proposer knows it. */
export interface Proposal {
  readonly node: NodeId;
  readonly count: number;
  answer: ProposedEffect | undefined;
  /** The last thing that was told about its fate. */
  fate: FateEffect["fate"] | undefined;
  /** How often it was told something. */
  told: number;
}

/** A read as its asker knows it. */
export interface Read {
  readonly node: NodeId;
  /** What was committed when it was asked for. */
  readonly least: number;
  index: number | undefined;
  why: Refusal | undefined;
}

/** A change of members or a transfer, as who asked for it knows it. */
export interface Errand {
  readonly node: NodeId;
  outcome: "done" | "unknown" | "refused" | undefined;
  why: Refusal | undefined;
}

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 20_000_000;
const CALM_STATE: StateFaults = {
  snapshotEvery: 0,
  snapshotBytes: 100,
  snapshotMs: 0,
  applyMs: 0,
};

/** Nodes, network, clock and oracle. */
export class RaftWorld {
  readonly loop: Loop = new Loop();
  readonly params: RaftParams;
  readonly network: RaftNetwork;
  readonly oracle: RaftOracle;
  readonly machines: Map<NodeId, RaftMachine> = new Map();
  readonly proposals: Map<number, Proposal> = new Map();
  readonly reads: Map<number, Read> = new Map();
  readonly errands: Map<number, Errand> = new Map();
  #ids = 0;
  /** Reads and errands of living nodes that are not answered. */
  readonly #waiting = new Map<NodeId, Set<number>>();
  /** Proposals of living nodes whose fate is not final, by node. */
  readonly #open = new Map<NodeId, Set<Proposal>>();

  constructor(options: WorldOptions) {
    const { seed, nodes, spares = 0 } = options;
    this.params = raftParams(options.params);
    const trace = tracer(this.loop, options.transcript);
    const deliver = (from: NodeId, to: NodeId, message: Message): void =>
      this.machines.get(to)?.receive(from, message);
    this.network = new RaftNetwork(this.loop, seededRandom(seed, 2), deliver, trace);
    const voters = Array.from({ length: nodes }, (_, i) => i + 1);
    const config: Config = { voters, outgoing: [], learners: [] };
    const nobody: Config = { voters: [], outgoing: [], learners: [] };
    const durableTermAt = (id: NodeId, index: number): number | undefined =>
      this.machines.get(id)?.disk.termAt(index);
    this.oracle = new RaftOracle({ durableTermAt }, config);
    for (let id = 1; id <= nodes + spares; id++) {
      const diskRandom = seededRandom(seed, 1000 + id);
      const first = id <= nodes ? config : nobody;
      const machine = new RaftMachine({
        id,
        seed,
        loop: this.loop,
        network: this.network,
        oracle: this.oracle,
        disk: new SimDisk(this.loop, diskRandom, first, options.diskPlant),
        params: this.params,
        clock: options.clockOf?.(id) ?? PERFECT_CLOCK,
        state: options.state ?? CALM_STATE,
        plant: options.nodePlant ?? nodePlantOf(undefined),
        trace,
        onEffect: (node, effect) => this.#onEffect(node, effect),
      });
      this.machines.set(id, machine);
      this.#open.set(id, new Set());
      this.#waiting.set(id, new Set());
    }
    for (const machine of this.machines.values()) machine.start();
  }

  get ids(): NodeId[] {
    return [...this.machines.keys()];
  }

  machine(id: NodeId): RaftMachine {
    const machine = this.machines.get(id);
    demand(machine, () => `there is no node ${id}`);
    return machine;
  }

  /** Living nodes that say they lead, of the latest term first. */
  get leaders(): RaftMachine[] {
    return [...this.machines.values()]
      .filter((machine) => machine.isLeader)
      .toSorted((a, b) => b.node!.term - a.node!.term);
  }

  /** The one living leader of the latest term. */
  get leader(): RaftMachine | undefined {
    return this.leaders[0];
  }

  run(forMs: Millis): void {
    this.loop.runUntil(this.loop.nowMs + forMs, () => {}, STEPS_MAX);
  }

  /** Runs until `isDone`, and fails with `what` if that takes longer than `withinMs`. */
  runUntil(isDone: () => boolean, withinMs: Millis, what: string): void {
    runTill(
      this.loop,
      isDone,
      withinMs,
      () => what,
      () => this.run(1),
    );
  }

  crash(id: NodeId): void {
    this.machine(id).crash();
    this.#open.get(id)!.clear();
    this.#waiting.get(id)!.clear();
  }

  restart(id: NodeId): void {
    this.machine(id).start();
  }

  /** Cuts every link of `id`, both ways. */
  isolate(id: NodeId): void {
    for (const other of this.ids) if (other !== id) this.network.cut(id, other);
  }

  rejoin(id: NodeId): void {
    for (const other of this.ids) if (other !== id) this.network.mend(id, other);
  }

  /** Proposes commands at a node. */
  propose(id: NodeId, ...commands: Uint8Array[]): Proposal {
    const number = ++this.#ids;
    const { length: count } = commands;
    const proposal: Proposal = { node: id, count, answer: undefined, fate: undefined, told: 0 };
    this.proposals.set(number, proposal);
    this.machine(id).tell({ kind: "propose", id: number, commands });
    return proposal;
  }

  read(id: NodeId, lease = false): Read {
    const number = ++this.#ids;
    const least = this.oracle.lastCommitted;
    const read: Read = { node: id, least, index: undefined, why: undefined };
    this.reads.set(number, read);
    if (this.machine(id).isUp) this.#waiting.get(id)!.add(number);
    this.machine(id).tell({ kind: "read", id: number, lease });
    return read;
  }

  change(id: NodeId, voters: readonly NodeId[], learners: readonly NodeId[] = []): Errand {
    return this.#errand(id, (number) => ({ kind: "change", id: number, voters, learners }));
  }

  transfer(id: NodeId, to: NodeId): Errand {
    return this.#errand(id, (number) => ({ kind: "transfer", id: number, to }));
  }

  /** Proposals that were accepted by a node that has lived since, and whose fate is open. */
  openProposals(id: NodeId): ReadonlySet<Proposal> {
    return this.#open.get(id)!;
  }

  /** How many reads, changes and transfers a node has left unanswered in this life. */
  openRequests(id: NodeId): number {
    return this.#waiting.get(id)!.size;
  }

  #errand(id: NodeId, input: (number: number) => RaftInput): Errand {
    const number = ++this.#ids;
    const errand: Errand = { node: id, outcome: undefined, why: undefined };
    this.errands.set(number, errand);
    if (this.machine(id).isUp) this.#waiting.get(id)!.add(number);
    this.machine(id).tell(input(number));
    return errand;
  }

  #onEffect(node: NodeId, effect: RaftEffect): void {
    switch (effect.kind) {
      case "proposed": {
        const proposal = this.proposals.get(effect.id)!;
        demand(proposal.answer === undefined, () => `proposal ${effect.id} was answered twice`);
        proposal.answer = effect;
        if (effect.isAccepted) this.#open.get(node)!.add(proposal);
        return;
      }
      case "fate":
        return this.#fate(node, effect);
      case "read": {
        const read = this.reads.get(effect.id)!;
        this.#waiting.get(node)!.delete(effect.id);
        demand(read.index === undefined, () => `read ${effect.id} was answered twice`);
        read.index = effect.index;
        read.why = effect.why;
        if (effect.index < 0) return;
        const { index } = this.machine(node).state;
        this.oracle.readAnswered(node, effect.index, index, read.least);
        return;
      }
      case "changed":
      case "transferred": {
        const errand = this.errands.get(effect.id)!;
        this.#waiting.get(node)!.delete(effect.id);
        demand(errand.outcome === undefined, () => `errand ${effect.id} was answered twice`);
        const isDone = effect.kind === "transferred" && effect.isDone;
        errand.why = effect.why;
        errand.outcome = effect.kind === "changed" ? effect.outcome : isDone ? "done" : "refused";
        return;
      }
      case "stop":
        // The process ends; the world may start it again.
        this.loop.after(0, () => this.crash(node));
        return;
      default:
    }
  }

  #fate(node: NodeId, { fate, term, first, last }: FateEffect): void {
    const open = this.#open.get(node)!;
    for (const proposal of open) {
      const answer = proposal.answer!;
      if (!answer.isAccepted || answer.term !== term) continue;
      if (answer.last < first || answer.first > last) continue;
      const isFinal = proposal.fate !== undefined && proposal.fate !== "unknown";
      demand(!isFinal || proposal.count > 1, () => `a fate of ${term} was told twice`);
      proposal.fate = fate;
      proposal.told++;
      const isOver = fate === "lost" || (fate === "committed" && answer.last <= last);
      if (isOver) open.delete(proposal);
    }
  }
}
