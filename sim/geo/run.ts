/**
 * One seed of a geo store: clients put, delete and add while everything goes wrong; then all heals,
 * and all replicas must become the same, and hold all that was taken.
 *
 * @module
 */
import { encodeEnvelope } from "../../geo/envelope.ts";
import { AHEAD_MS_MAX, AWAY_MS } from "../../geo/limits.ts";
import { keyOf } from "../../geo/requests.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { CALM_DISK } from "../engine/disk.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { demand, type Transcript } from "../engine/trace.ts";
import type { GeoNode } from "./node.ts";
import { drawGeoPlan, type GeoDeed, type GeoPlan } from "./plan.ts";
import { GEO_PLANTS, type GeoPlant, geoParts } from "./plants.ts";
import { GeoWorld } from "./world.ts";

/** After healing all replicas are the same within this. */
const SETTLE_MS = 60_000;
/** What a server sent last has come by then. */
const LATEST_MS = 1000;
/** More servers do not join. */
const SERVERS_MAX = 5;
/** Clocks are off by up to so much. */
const SKEW_MS = 600_000;
/** The key that a lying server puts in the far future. */
const LIE = "lie";

/** The geo store, message by message. */
export const GEO: Harness = {
  name: "geo-messages",
  about: "the geo-replicated store: replicas that agree when all is well again",
  plants: GEO_PLANTS,
  prepare: (seed, plant, transcript) => new GeoRun(seed, plant as GeoPlant, transcript, false),
};

/** The same with systems of actors, over LSP. */
export const GEO_NODES: Harness = {
  name: "geo-nodes",
  about: "the geo-replicated store: whole nodes over LSP, on disks",
  plants: GEO_PLANTS,
  prepare: (seed, plant, transcript) => new GeoRun(seed, plant as GeoPlant, transcript, true),
};

class GeoRun implements Run {
  readonly plan: GeoPlan;
  readonly #world: GeoWorld;
  readonly #dice: Dice;
  #isHealed = false;
  #settledMs = 0;
  #lies = 0;
  #retired = 0;

  constructor(
    seed: number,
    plant: GeoPlant | undefined,
    transcript: Transcript | undefined,
    isWhole: boolean,
  ) {
    this.plan = drawGeoPlan(seed);
    this.#dice = new Dice(seed, Stream.script);
    this.#world = new GeoWorld({ seed, parts: geoParts(plant), transcript, isWhole });
  }

  run(): void {
    const world = this.#world;
    const { servers, faults, deeds, healAtMs } = this.plan;
    world.network.faults = faults;
    world.disks = this.plan.disks;
    for (let i = 0; i < servers; i++) this.#addServer();
    this.#work();
    for (const { atMs, deed } of deeds) {
      world.run(Math.max(0, atMs - world.loop.nowMs));
      this.#do(deed);
    }
    world.run(Math.max(0, healAtMs - world.loop.nowMs));
    const retired = this.plan.retires ? this.#retire() : undefined;
    this.#heal();
    if (retired !== undefined) this.#forget(retired);
    this.#settledMs = world.runUntil(() => this.#isSettled, SETTLE_MS, "the same replicas");
    for (const { cores } of world.nodes.values()) {
      for (const { replica } of cores) {
        demand(replica.register(LIE) === undefined, () => "a put of the far future was merged");
        world.oracle.check(replica.entries());
      }
    }
  }

  counts(): Record<string, number> {
    const { oracle, nodes, network } = this.#world;
    const all = [...nodes.values()];
    return {
      puts: oracle.puts,
      adds: oracle.adds,
      lives: all.reduce((sum, { lives }) => sum + lives, 0),
      lies: this.#lies,
      forgotten: this.#retired,
      bytes: network.bytes(),
      "ms to settle": Math.round(this.#settledMs),
    };
  }

  /** Everybody knows everybody, and all is the same everywhere. */
  get #isSettled(): boolean {
    const { nodes, areEqual } = this.#world;
    return areEqual && [...nodes.values()].every(({ cores }) => knowsAll(cores[0], nodes.size));
  }

  #addServer(): void {
    const { nodes } = this.#world;
    const { actors, durableShare } = this.plan;
    const joins = nodes.size === 0 ? [] : [this.#dice.pick([...nodes.keys()])];
    const isDurable = this.#dice.chance(durableShare);
    this.#world.server(nodes.size + 1, actors, joins, isDurable);
  }

  /** A client does something somewhere, and again. */
  #work(): void {
    if (this.#isHealed) return;
    const world = this.#world;
    const dice = this.#dice;
    const { keys, pauseMs, actors } = this.plan;
    const node = this.#anyNode();
    const actor = dice.integer(0, actors - 1);
    const key = `key${dice.integer(1, keys)}`;
    const what = dice.real(0, 1);
    if (what < 0.5) world.put(node, actor, key, `value ${world.oracle.puts}`);
    else if (what < 0.65) world.put(node, actor, key, undefined);
    else world.add(node, actor, `n${dice.integer(1, 3)}`, dice.pick([1, 5, -1, -3]));
    world.loop.after(dice.real(0, 2 * pauseMs), () => this.#work());
  }

  #anyNode(): GeoNode {
    const { nodes } = this.#world;
    return nodes.get(this.#dice.pick([...nodes.keys()]))!;
  }

  #do(deed: GeoDeed): void {
    const { network, nodes } = this.#world;
    const node = this.#anyNode();
    const all = [...nodes.keys()];
    switch (deed) {
      case "crash":
        return node.crash();
      case "restart":
        for (const one of nodes.values()) if (this.#dice.chance(0.7)) one.start();
        return;
      case "loseDisk":
        return node.loseDisk();
      case "isolate":
        for (const other of all) if (other !== node.address) network.cut(node.address, other);
        return;
      case "halve": {
        const side = new Map(all.map((one) => [one, this.#dice.chance(0.5)]));
        for (const a of all) {
          for (const b of all) if (side.get(a) !== side.get(b)) network.cut(a, b);
        }
        return;
      }
      case "cutOneWay":
        return network.cutOneWay(node.address, this.#anyNode().address);
      case "mend":
        return network.mendAll();
      case "setClock":
        node.aheadMs = this.#dice.real(-SKEW_MS, SKEW_MS);
        return;
      case "join":
        if (nodes.size < SERVERS_MAX) this.#addServer();
        return;
      case "lie":
        return this.#lie(node);
    }
  }

  /** Somebody claims to be a server, and sends what is dated two days ahead. */
  #lie(node: GeoNode): void {
    if (!node.isUp) return;
    this.#lies++;
    const wallMs = Math.floor(node.wallMs()) + 2 * AHEAD_MS_MAX;
    const from = [...this.#world.nodes.values()].find((one) => one !== node && one.isUp);
    if (from === undefined) return;
    const head = { address: from.address, life: from.life, actors: this.plan.actors, index: 0 };
    const rest = { toLife: 0, calls: "", calledAs: "", acks: [], digest: undefined };
    const bytes = encodeEnvelope({
      ...head,
      ...rest,
      seq: 1_000_000,
      rows: [],
      items: [],
      wants: [],
      entries: [
        { kind: "register", key: keyOf(LIE), wallMs, counter: 0, actor: 1, value: keyBytes },
      ],
    });
    node.receive(0, { from: `${from.address}#0`, to: `${node.address}#0`, bytes });
  }

  /** A server is gone for good, with its disk; unless others would not find each other any more. */
  #retire(): string | undefined {
    const { nodes } = this.#world;
    const node = this.#anyNode();
    const others = [...nodes.values()].filter((one) => one !== node);
    const areMet = others.every(({ address: own, cores }) =>
      others.every(({ address }) => address === own || cores[0]?.sync.knows(address)),
    );
    if (others.length === 0 || !areMet) return undefined;
    node.loseDisk();
    nodes.delete(node.address);
    return node.address;
  }

  /** The others forget it, those too that hear of it only now. */
  #forget(server: string): void {
    const world = this.#world;
    world.run(AWAY_MS + LATEST_MS);
    world.runUntil(() => world.areEqual, SETTLE_MS, "the same replicas without the one");
    const answers = [...world.nodes.values()].map((node) => {
      let why: string | undefined;
      world.ask(node, 0, { kind: "forget", server: keyOf(server) }, (answer) => {
        why = answer.kind === "refused" ? answer.why : undefined;
      });
      return why;
    });
    this.#retired++;
    demand(!answers.includes("still there"), () => `${server} is said to be still there`);
  }

  #heal(): void {
    this.#isHealed = true;
    const { network, nodes } = this.#world;
    network.mendAll();
    network.faults = { ...network.faults, lossShare: 0, duplicateShare: 0 };
    for (const node of nodes.values()) {
      if (node.disk !== undefined) node.disk.faults = CALM_DISK;
      node.start();
    }
  }
}

const keyBytes = new TextEncoder().encode("?");

function knowsAll(gateway: GeoNode["cores"][number] | undefined, servers: number): boolean {
  if (gateway === undefined) return false;
  const others = [...gateway.sync.links.values()].filter(({ isLocal }) => !isLocal);
  return others.length === servers - 1;
}
