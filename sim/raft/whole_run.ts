/**
 * One seed of a cluster of whole nodes over LSP, on disks: founded while faults last, and under
 * load; then everything heals, and the cluster must come to rest with every client answered.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type NodeId, raftParams } from "../../raft/mod.ts";
import type { ClockQuirks } from "../engine/clock.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { CALM_DISK, type DiskFaults, drawDiskFaults } from "../engine/disk.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import { drawFaults } from "../engine/faults.ts";
import { demand, type Transcript } from "../engine/trace.ts";
import { Account, Client } from "./whole_clients.ts";
import { WholeWorld } from "./whole_world.ts";

/** T of every cluster. */
const ELECTION_MS = 300;
const SLOWEST_CLOCK = 0.8;
/** After healing: connections are made again, the cluster founded if it was not, a leader there. */
const LEADER_MS: Millis = 30 * ELECTION_MS;
/** From then on: every client is answered; and all members are at the same index. */
const CLIENTS_MS: Millis = 40 * ELECTION_MS;
const AGREE_MS: Millis = 20 * ELECTION_MS;
/** How long nothing may disturb a healed cluster. */
const PEACE_MS: Millis = 5 * ELECTION_MS;
const CALM_LATENCY_MS = 1;
const LATE_MS: Millis = 3 * ELECTION_MS;
/** The scale of what a link does to datagrams. */
const LINK_MS = 60;

/** Mistakes put into a node on purpose. */
const PLANTS = {
  "raft-hasty-disk": "everything is said to be durable at once",
  "raft-lost-command": "one command in 20 is not applied",
} as const;

/** What is done to a cluster while faults last, and how often against the others. */
const WEIGHTS = {
  crash: 5,
  powerCut: 4,
  crashLeader: 3,
  cutAllPower: 0.6,
  restart: 14,
  pause: 4,
  cut: 4,
  cutOneWay: 3,
  isolate: 3,
  mend: 10,
  diskFull: 1.5,
  change: 2,
  transfer: 3,
  snapshot: 2,
} as const;

type Deed = keyof typeof WEIGHTS;

/** Whole nodes over LSP. */
export const RAFT_NODES: Harness = {
  name: "raft-nodes",
  about: "a replicated state machine: whole nodes over LSP, on disks, with sessions",
  plants: PLANTS,
  prepare: (seed, plant, transcript) =>
    new WholeRun(seed, plant as keyof typeof PLANTS, transcript),
};

/** Everything that a run is told. */
interface Plan {
  readonly dice: Dice;
  readonly nodes: number;
  readonly spares: number;
  readonly clients: number;
  readonly faults: Faults;
  readonly clocks: ReadonlyMap<NodeId, ClockQuirks>;
  readonly disks: ReadonlyMap<NodeId, DiskFaults>;
  readonly snapshotBytes: number;
  readonly trailingEntries: number;
  readonly healAtMs: Millis;
  readonly paceMs: Millis;
}

function drawPlan(seed: number): Plan {
  const dice = new Dice(seed, Stream.plan);
  const nodes = dice.pick([1, 2, 3, 3, 3, 4, 5, 7], "nodes");
  const spares = dice.pick([0, 0, 1], "spares");
  const drawn = drawFaults(dice, LINK_MS, "net");
  const skewed = dice.chance(0.5, "skewedClocks");
  const disk = drawDiskFaults(dice, "disk");
  const clocks = new Map<NodeId, ClockQuirks>();
  const disks = new Map<NodeId, DiskFaults>();
  for (let id = 1; id <= nodes + spares; id++) {
    const clockRate = skewed ? dice.real(SLOWEST_CLOCK, 1.25) : 1;
    clocks.set(id, { clockOriginMs: dice.real(0, 1e6), clockRate });
    disks.set(id, dice.chance(0.6) ? disk : { ...CALM_DISK, operationMs: dice.scale(0.01, 1) });
  }
  return {
    dice,
    nodes,
    spares,
    clients: dice.integer(1, 4, "clients"),
    // LSP's own campaign has damaged datagrams.
    faults: { ...drawn, flipShare: 0, truncateShare: 0 },
    clocks,
    disks,
    snapshotBytes: dice.pick([500, 3000, 1 << 20], "snapshotBytes"),
    trailingEntries: dice.pick([0, 0, 5, 50], "trailingEntries"),
    healAtMs: dice.real(1500, 3500, "healAtMs"),
    paceMs: dice.scale(50, 800, "paceMs"),
  };
}

class WholeRun implements Run {
  readonly plan: Plan;
  readonly #world: WholeWorld;
  readonly #dice: Dice;
  readonly #account = new Account();
  readonly #clients: Client[];
  #crashes = 0;
  #isOver = false;

  constructor(
    seed: number,
    plant: keyof typeof PLANTS | undefined,
    transcript: Transcript | undefined,
  ) {
    this.plan = drawPlan(seed);
    const { nodes, spares, clients, faults, clocks, disks, snapshotBytes } = this.plan;
    this.#dice = new Dice(seed, Stream.script);
    this.#world = new WholeWorld({
      seed,
      nodes,
      spares,
      params: raftParams({
        electionMs: ELECTION_MS,
        catchUpMs: 2000,
        trailingEntries: this.plan.trailingEntries,
        chunkBytesMax: 500,
      }),
      snapshotBytes,
      clockOf: (id) => clocks.get(id)!,
      diskOf: (id) => disks.get(id)!,
      plant: {
        losesOneIn: plant === "raft-lost-command" ? 20 : 0,
        lies: plant === "raft-hasty-disk",
      },
      transcript,
    });
    this.#world.network.heal(faults);
    this.#clients = Array.from({ length: clients }, (_, i) => {
      return new Client(this.#world, this.#account, new Dice(seed, 500 + i), i + 1);
    });
  }

  run(): void {
    const world = this.#world;
    const { healAtMs, paceMs } = this.plan;
    for (const id of world.ids) world.loop.after(this.#dice.scale(1, 1000), () => this.#start(id));
    for (const client of this.#clients) client.start();
    while (world.loop.nowMs < healAtMs) {
      world.run(this.#dice.real(0, 2 * paceMs));
      this.#do(this.#draw());
    }
    this.#heal();
    // What was sent before may still be on its way, and a transfer under way.
    world.run(LATE_MS);
    const scale = 1 / SLOWEST_CLOCK;
    world.runUntil(
      () => world.leader !== undefined,
      LEADER_MS * scale,
      () => "a leader",
    );
    const busy = (): Client[] => this.#clients.filter(({ isIdle }) => !isIdle);
    const who = (): string =>
      `answers to clients ${busy()
        .map(({ number }) => number)
        .join()}`;
    world.runUntil(() => busy().length === 0, CLIENTS_MS * scale, who);
    world.runUntil(
      () => this.#agree(),
      AGREE_MS * scale,
      () => "agreement",
    );
    this.#peace();
    this.#account.check(world.history);
  }

  counts(): Record<string, number> {
    const { oracle, network, history } = this.#world;
    return {
      applied: history.length,
      told: this.#account.told.size,
      unknown: this.#account.unknown,
      reads: this.#account.reads,
      elections: oracle.elections,
      crashes: this.#crashes,
      "with snapshots": this.#snapshots,
      "grown or shrunk": oracle.config.voters.length === this.plan.nodes ? 0 : 1,
      datagrams: network.counts.sent,
    };
  }

  /** Nodes that have a snapshot. */
  get #snapshots(): number {
    const nodes = [...this.#world.nodes.values()];
    return nodes.filter(({ core }) => (core?.raft?.node.snapshot.index ?? 0) > 0).length;
  }

  #draw(): Deed {
    const deeds = Object.keys(WEIGHTS) as Deed[];
    let rest = this.#dice.real(
      0,
      deeds.reduce((sum, deed) => sum + WEIGHTS[deed], 0),
    );
    return deeds.find((deed) => (rest -= WEIGHTS[deed]) < 0) ?? "restart";
  }

  #do(deed: Deed): void {
    const world = this.#world;
    const dice = this.#dice;
    const id = dice.pick(world.ids);
    const other = dice.pick(world.ids);
    const leader = world.leader?.id ?? id;
    const [a, b] = [`node ${id}`, `node ${other}`];
    switch (deed) {
      case "crash":
        return this.#crash(id, false);
      case "powerCut":
        return this.#crash(id, true);
      case "crashLeader":
        return this.#crash(leader, dice.chance(0.5));
      case "cutAllPower":
        return world.ids.forEach((one) => this.#crash(one, true));
      case "restart":
        return world.ids.forEach((one) => {
          if (dice.chance(0.7)) this.#start(one);
        });
      case "pause":
        return void (world.node(id).isUp && world.computers.get(id)!.sleep(dice.scale(5, 800)));
      case "cut":
        return void (id !== other && world.network.cut(a, b));
      case "cutOneWay":
        return void (world.network.link(a, b).isCut = true);
      case "isolate":
        return world.isolate(dice.chance(0.5) ? leader : id);
      case "mend":
        return world.mendAll();
      case "diskFull":
        return this.#fill(dice.chance(0.5) ? leader : id);
      case "change":
        return this.#change(leader);
      case "transfer":
        return world.ask(
          leader,
          (n) => ({ kind: "transfer", id: n, to: 0 }),
          () => {},
        );
      case "snapshot":
        return world.node(id).tell({ kind: "snapshot" });
    }
  }

  #start(id: NodeId): void {
    this.#world.node(id).start();
  }

  #crash(id: NodeId, isPowerCut: boolean): void {
    if (this.#world.node(id).isUp) this.#crashes++;
    this.#world.node(id).crash(isPowerCut);
  }

  #fill(id: NodeId): void {
    const { files } = this.#world.disks.get(id)!;
    files.capacityBytes = 0;
    this.#world.loop.after(this.#dice.scale(20, 1500), () => (files.capacityBytes = Infinity));
  }

  #change(leader: NodeId): void {
    const dice = this.#dice;
    const world = this.#world;
    // A number that is of no cluster yet could never catch up.
    const known = world.ids.filter((id) => world.node(id).core?.raft !== undefined);
    const voters = known.filter(() => dice.chance(0.75));
    if (voters.length === 0) return;
    world.ask(
      leader,
      (id) => ({ kind: "change", id, voters, learners: [] }),
      () => {},
    );
  }

  #heal(): void {
    const world = this.#world;
    this.#isOver = true;
    for (const client of this.#clients) client.stop();
    world.mendAll();
    world.network.heal(calmFaults(CALM_LATENCY_MS));
    for (const id of world.ids) {
      const disk = world.disks.get(id)!;
      disk.files.capacityBytes = Infinity;
      disk.faults = CALM_DISK;
      world.computers.get(id)!.heal();
    }
    this.#rouse();
  }

  /** The supervisor of the nodes starts those that have ended. */
  #rouse(): void {
    for (const id of this.#world.ids) this.#start(id);
    if (this.#isOver) this.#world.loop.after(100, () => this.#rouse());
  }

  #agree(): boolean {
    const world = this.#world;
    const leader = world.leader?.core?.raft?.node;
    if (leader === undefined) return false;
    const { commit, term, config, log } = leader;
    if (commit !== log.lastIndex || config.outgoing.length > 0) return false;
    return world.members.every((id) => {
      const node = world.node(id).core?.raft?.node;
      if (node === undefined || node.leader !== leader.id) return false;
      return node.term === term && node.commit === commit && node.applied === commit;
    });
  }

  #peace(): void {
    const world = this.#world;
    const { id, core } = world.leader!;
    const { term } = core!.raft!.node;
    world.run(PEACE_MS);
    demand(
      world.leader?.id === id && world.leader.core!.raft!.node.term === term,
      () => `node ${id} led term ${term} in peace, now ${world.leader?.id} leads`,
    );
    for (const member of world.members) {
      const { waiting } = world.node(member).core!;
      demand(waiting === 0, () => `node ${member} leaves ${waiting} requests unanswered`);
      const { length } = world.node(member).ledger.entries;
      demand(length === world.history.length, () => `node ${member} has ${length} commands`);
    }
  }
}
