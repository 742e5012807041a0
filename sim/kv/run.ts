/**
 * One seed of a store: clients work, watch and hold leases while everything goes wrong; then all
 * heals, everybody is answered, and what all of them saw must be possible.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import type { NodeId } from "../../raft/mod.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { demand, type Transcript } from "../engine/trace.ts";
import { LeaseHolder } from "./lease_holder.ts";
import { drawKvPlan, type KvDeed, type KvPlan } from "./plan.ts";
import { KV_PLANTS, kvParts, type KvPlant } from "./plants.ts";
import { KvWorld } from "./world.ts";
import { work } from "./workload.ts";

/** After healing everybody is answered within this; a clock may be slow, a message late. */
const SETTLE_MS = 12_000;
/** A leader sees that a lease is over within this, of its clock, and has that committed. */
const LEASE_SLACK_MS = 1000;
const SLOWEST_CLOCK = 0.8;
/** A watch has seen everything within this, after healing. */
const WATCH_MS = 8000;

/** The store, message by message. */
export const KV: Harness = {
  name: "kv",
  about: "the replicated store with its clients, whose histories are checked",
  plants: KV_PLANTS,
  prepare: (seed, plant, transcript) => new KvRun(seed, plant as KvPlant, transcript),
};

class KvRun implements Run {
  readonly plan: KvPlan;
  readonly #world: KvWorld;
  readonly #dice: Dice;
  readonly #holders: LeaseHolder[] = [];
  #isHealed = false;
  #steps = 0;

  constructor(seed: number, plant: KvPlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawKvPlan(seed);
    this.#dice = new Dice(seed, Stream.script);
    const { servers, clocks, disks, links, paths, trailingEntries } = this.plan;
    const { logBytesMax, partBytes } = this.plan;
    this.#world = new KvWorld({
      seed,
      servers,
      params: { trailingEntries, catchUpMs: 2000 },
      clockOf: (id) => clocks.get(id)!,
      logBytesMax,
      partBytes,
      parts: kvParts(plant),
      transcript,
    });
    this.#world.network.faults = links;
    this.#world.paths.faults = paths;
    for (const [id, faults] of disks) this.#world.node(id).disk.faults = faults;
  }

  run(): void {
    const world = this.#world;
    const { seed, clients, mix, ttlMs, deeds, healAtMs } = this.plan;
    for (let i = 0; i < clients; i++) {
      const client = world.client();
      work(world, client, seededRandom(seed, 300_000 + i), mix, healAtMs);
      if (i % 2 === 0) client.watch(i === 0 ? "" : mix.keys[0]!, i === 0 ? 0 : undefined);
    }
    // One that only watches stays where it is, at a follower perhaps.
    for (let i = 0; i < 2; i++) world.client().watch("", 0);
    for (let i = 0; i < 2; i++) {
      const holder = new LeaseHolder(world, world.client(), ttlMs);
      this.#holders.push(holder);
      holder.start();
    }
    for (const { atMs, deed } of deeds) {
      world.run(Math.max(0, atMs - world.loop.nowMs));
      this.#do(deed);
    }
    world.run(Math.max(0, healAtMs - world.loop.nowMs));
    for (const holder of this.#holders) holder.fallSilent();
    this.#isHealed = true;
    world.heal();
    world.runUntil(() => world.clients.every(({ open }) => open === 0), SETTLE_MS, "all answers");
    this.#leasesEnd();
    this.#watchesCatchUp();
    this.#steps = world.oracle.check();
  }

  counts(): Record<string, number> {
    const { oracle, clients, nodes } = this.#world;
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
    const watches = clients.flatMap((client) => [...client.watches.values()]);
    const all = [...nodes.values()];
    return {
      operations: oracle.history.length,
      changes: oracle.revision,
      answered: sum(clients.map(({ answered }) => answered)),
      unknown: sum(clients.map(({ unknown }) => unknown)),
      maybes: sum(clients.map(({ maybes }) => maybes)),
      "events watched": sum(watches.map(({ events }) => events)),
      compacted: watches.filter(({ ended }) => ended === "compacted").length,
      leases: this.#holders.filter(({ lease }) => lease > 0).length,
      "leases lost": this.#holders.filter(({ isLost }) => isLost).length,
      snapshots: sum(all.map(({ snapshotsTaken }) => snapshotsTaken)),
      "snapshots restored": sum(all.map(({ snapshotsRestored }) => snapshotsRestored)),
      "steps of the checker": this.#steps,
    };
  }

  /** Nobody renews: every lease, and its key, must go. */
  #leasesEnd(): void {
    const world = this.#world;
    const withinMs = (this.plan.ttlMs + LEASE_SLACK_MS) / SLOWEST_CLOCK;
    const areGone = (): boolean => {
      const store = world.leader?.store;
      return store !== undefined && store.leases.size === 0;
    };
    world.runUntil(areGone, withinMs, "the end of all leases");
    const store = world.leader!.store!;
    for (const { key } of this.#holders) {
      demand(store.get(key) === undefined, () => `${key} is there without its lease`);
    }
  }

  /** Every watch sees everything, or was told that it cannot. */
  #watchesCatchUp(): void {
    const { clients, oracle } = this.#world;
    const watches = clients.flatMap((client) => [...client.watches.values()]);
    const haveAll = (): boolean =>
      watches.every(({ upTo, ended }) => ended === "compacted" || upTo === oracle.revision);
    this.#world.runUntil(haveAll, WATCH_MS, "all events at all watches");
  }

  #do(deed: KvDeed): void {
    const world = this.#world;
    const dice = this.#dice;
    const id = dice.pick(world.ids);
    const leader = world.leader?.id ?? id;
    switch (deed) {
      case "crash":
        return world.node(id).crash();
      case "crashLeader":
        return world.node(leader).crash();
      case "crashAll":
        return world.ids.forEach((one) => world.node(one).crash());
      case "restart":
        return world.ids.forEach((one) => {
          if (dice.chance(0.7)) world.node(one).start();
        });
      case "pause":
        return world.node(dice.chance(0.5) ? leader : id).sleep(dice.scale(10, 1500));
      case "isolate":
        return this.#part((one) => (one === id ? 1 : 0));
      case "isolateLeader":
        return this.#part((one) => (one === leader ? 1 : 0));
      case "cutOneWay":
        return world.network.cutOneWay(dice.pick(world.ids), id);
      case "halve": {
        const sides = new Map(world.ids.map((one) => [one, dice.integer(0, 1)]));
        return this.#part((one) => sides.get(one)!);
      }
      case "mend":
        world.network.mendAll();
        return world.paths.heal();
      case "diskFull":
        return this.#fillDisk(dice.chance(0.5) ? leader : id, dice.scale(50, 1000));
      case "diskFails":
        world.node(id).disk.failsNext = true;
        return;
      case "transfer":
        return world.node(leader).transfer(dice.chance(0.3) ? 0 : id);
      case "change":
        return world.node(leader).change(world.ids.filter(() => dice.chance(0.7)));
    }
  }

  /** Some clients reach everybody, others one side only. */
  #part(sideOf: (id: NodeId) => number): void {
    const sides = new Map(
      this.#world.clients.map(({ id }) => {
        return [id, this.#dice.chance(0.4) ? "all" : this.#dice.integer(0, 1)] as const;
      }),
    );
    this.#world.part(sideOf, (client) => sides.get(client)!);
  }

  #fillDisk(id: NodeId, forMs: number): void {
    const { disk } = this.#world.node(id);
    disk.isFull = true;
    this.#world.loop.after(forMs, () => {
      if (!this.#isHealed) disk.isFull = false;
    });
  }
}
