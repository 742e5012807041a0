/**
 * A simulated store: servers, clients, the networks between them, and the truth. For the campaign
 * of seeds and for the tests by scenario alike.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { PART_BYTES } from "../../kv/limits.ts";
import { type Config, type NodeId, type RaftParams, raftParams } from "../../raft/mod.ts";
import { type ClockQuirks, PERFECT_CLOCK } from "../engine/clock.ts";
import { type LineFaults, Lines } from "../engine/lines.ts";
import { Loop } from "../engine/loop.ts";
import { demand, runTill, tracer, type TraceLine, type Transcript } from "../engine/trace.ts";
import { SimDisk } from "../raft/disk.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import { RaftNetwork } from "../raft/net.ts";
import { SimClient } from "./client.ts";
import { KvNode } from "./node.ts";
import { KvOracle } from "./oracle.ts";
import { CALM_PATHS, placeOfClient, placeOfNode } from "./paths.ts";
import { type KvParts, kvParts } from "./plants.ts";

/** What a world is made of; everything but the seed and the size has a calm default. */
export interface KvWorldOptions {
  readonly seed: number;
  readonly servers: number;
  readonly params?: Partial<RaftParams>;
  readonly clockOf?: (id: NodeId) => ClockQuirks;
  readonly logBytesMax?: number;
  readonly partBytes?: number;
  readonly parts?: KvParts;
  readonly transcript?: Transcript | undefined;
}

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 20_000_000;
/** Links and paths that lose and delay. */
export const LOSSY_LINK: Faults = {
  lossShare: 0.1,
  duplicateShare: 0.05,
  lateShare: 0.1,
  lateMs: 200,
  latencyMs: 1,
  jitterMs: 20,
};
export const LOSSY_PATH: LineFaults = {
  ...CALM_PATHS,
  latencyMs: 1,
  jitterMs: 10,
  lossShare: 0.1,
  breakShare: 0.01,
};

/** See the module. */
export class KvWorld {
  readonly seed: number;
  readonly loop: Loop = new Loop();
  readonly oracle: KvOracle;
  readonly network: RaftNetwork;
  /** Between clients and servers. */
  readonly paths: Lines<undefined>;
  readonly nodes: Map<NodeId, KvNode> = new Map();
  readonly clients: SimClient[] = [];
  readonly #trace: TraceLine | undefined;
  /** Whom a new client cannot reach. */
  #sides = new Map<NodeId, number>();

  constructor(options: KvWorldOptions) {
    const { seed, servers } = options;
    this.seed = seed;
    const trace = tracer(this.loop, options.transcript);
    this.#trace = trace;
    this.oracle = new KvOracle(() => this.loop.nowMs);
    this.network = new RaftNetwork(
      this.loop,
      seededRandom(seed, 2),
      (from, to, message) => this.nodes.get(to)?.receive(from, message),
      trace,
    );
    const { loop } = this;
    this.paths = new Lines({ loop, random: seededRandom(seed, 4), faults: CALM_PATHS });
    const voters = Array.from({ length: servers }, (_, i) => i + 1);
    const config: Config = { voters, outgoing: [], learners: [] };
    for (const id of voters) {
      const node = new KvNode({
        id,
        seed,
        loop: this.loop,
        network: this.network,
        paths: this.paths,
        oracle: this.oracle,
        disk: new SimDisk(this.loop, seededRandom(seed, 1000 + id), config),
        params: raftParams(options.params),
        clock: options.clockOf?.(id) ?? PERFECT_CLOCK,
        parts: options.parts ?? kvParts(undefined),
        logBytesMax: options.logBytesMax ?? Infinity,
        partBytes: options.partBytes ?? PART_BYTES,
        trace,
      });
      this.nodes.set(id, node);
    }
    for (const node of this.nodes.values()) node.start();
  }

  get ids(): NodeId[] {
    return [...this.nodes.keys()];
  }

  node(id: NodeId): KvNode {
    const node = this.nodes.get(id);
    demand(node, () => `there is no node ${id}`);
    return node;
  }

  /** The living leader of the latest term. */
  get leader(): KvNode | undefined {
    return [...this.nodes.values()]
      .filter(({ isLeader }) => isLeader)
      .toSorted((a, b) => b.node!.term - a.node!.term)[0];
  }

  /** A new client, which knows all servers, or these. */
  client(servers: readonly NodeId[] = this.ids): SimClient {
    const { seed, loop, paths, oracle } = this;
    const id = this.clients.length + 1;
    const common = { seed, loop, paths, oracle, trace: this.#trace };
    const client = new SimClient({ ...common, id, servers });
    this.clients.push(client);
    return client;
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

  /** Servers are on sides, and reach their own alone; clients reach those of side `clients`. */
  part(sideOf: (id: NodeId) => number, clients: (client: number) => number | "all"): void {
    this.network.mendAll();
    this.paths.heal();
    this.#sides = new Map(this.ids.map((id) => [id, sideOf(id)]));
    for (const a of this.ids) {
      for (const b of this.ids) {
        if (a < b && this.#sides.get(a) !== this.#sides.get(b)) this.network.cut(a, b);
      }
      for (const { id } of this.clients) {
        const side = clients(id);
        if (side !== "all" && side !== this.#sides.get(a)) this.#cutPath(id, a);
      }
    }
  }

  #cutPath(client: number, server: NodeId): void {
    const [a, b] = [placeOfClient(client), placeOfNode(server)];
    this.paths.cut(a, b);
    this.paths.cut(b, a);
  }

  /** Everything is well again, and everybody up. */
  heal(): void {
    this.network.mendAll();
    this.network.calm(calmFaults(1));
    this.paths.heal();
    this.paths.faults = CALM_PATHS;
    for (const node of this.nodes.values()) {
      node.disk.isFull = false;
      node.disk.failsNext = false;
      node.disk.faults = { stepMs: 1, jitterMs: 1 };
      node.rouse();
      node.start();
    }
  }

  /** All that clients asked is answered, and the history is right. */
  settle(withinMs: Millis): void {
    const open = (): number => this.clients.reduce((sum, client) => sum + client.open, 0);
    this.runUntil(() => open() === 0, withinMs, `the answers to ${open()} calls`);
    this.oracle.check();
  }
}
