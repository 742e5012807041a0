/**
 * One seed of the coordinator's simulation: one, three or five of the real servers, each with its
 * table on a real node's log, on a simulated disk; with real miner and client cores. Servers crash
 * and come back, the leader most of all; they are cut off from each other, in one direction or
 * both, and so are miners and clients from servers; disks are slow, fail and run full. No accepted
 * job is lost, none is answered twice differently or runs twice, every answer is true, nothing is
 * kept as searched that was not, and after healing every job is answered within a bound. While a
 * leader has work that nobody has in hand, no miner's threads idle for long.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { CALM_DISK } from "../engine/disk.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { demand, type Transcript } from "../engine/trace.ts";
import { ClientPeer, MinerPeer } from "./peers.ts";
import { COORDINATOR_PLANTS, type CoordinatorPlant } from "./plants.ts";
import type { CoordinatorPlan, Victim } from "./plan.ts";
import type { ServerBox } from "./box.ts";
import { IdleWatch } from "./idle.ts";
import { ServerLife } from "./server.ts";
import { BACK_MS, CoordinatorWorld } from "./world.ts";

const STEPS_MAX = 3_000_000;
const LOOK_MS = 10;
/** Miners wait up to 10 s before they dial again; clients up to 2 s. */
const SETTLE_MS = 15_000;
/** How often the server may have to work a job's part again, by count of its crashes. */
const AGAIN_SECONDS = 1;

/** The coordinator. */
export const COORDINATOR: Harness = {
  name: "coordinator",
  about: "1, 3 or 5 servers that crash and keep their jobs, on simulated disks",
  plants: COORDINATOR_PLANTS,
  prepare: (seed, plant, transcript) =>
    new CoordinatorRun(seed, plant as CoordinatorPlant | undefined, transcript),
};

class CoordinatorRun implements Run {
  readonly #world: CoordinatorWorld;
  readonly #idle: IdleWatch;
  readonly #clients: ClientPeer[];
  #answeredMs = 0;

  constructor(
    seed: number,
    plant: CoordinatorPlant | undefined,
    transcript: Transcript | undefined,
  ) {
    this.#world = new CoordinatorWorld(
      seed,
      plant,
      transcript,
      (world, box, life) => new ServerLife(world, box, life),
    );
    this.#idle = new IdleWatch(this.#world, BACK_MS);
    const jobs = this.plan.clients.flat();
    this.#clients = jobs.map(
      (job, i) => new ClientPeer(this.#world, `job ${i} of seed ${seed}`, job, 10_000 + i * 1000),
    );
  }

  get plan(): CoordinatorPlan {
    return this.#world.plan;
  }

  run(): void {
    const world = this.#world;
    const { miners, crashes, cuts, peerCuts, fullMs, fullForMs, faultyMs } = this.plan;
    for (const box of world.boxes) world.start(box);
    this.#idle.begin();
    for (const [i, { noncesPerSecond: rate, crashMs }] of miners.entries()) {
      const kind = { rate, isClassic: this.plan.classicMiners[i]! };
      const miner = new MinerPeer(world, `miner${i}`, kind, 2000 + i);
      if (crashMs === Infinity) continue;
      world.loop.at(crashMs, () => {
        miner.crash();
        world.loop.after(500, () => void new MinerPeer(world, `m${i}`, kind, 3000 + i));
      });
    }
    for (const { atMs, victim, downMs, isPowerCut } of crashes) {
      world.loop.at(atMs, () => world.crash(this.#box(victim), downMs, isPowerCut));
    }
    for (const { atMs, victim, how, forMs } of cuts) {
      world.loop.at(atMs, () => world.cut(this.#box(victim), how, forMs));
    }
    for (const { atMs, peer, from, how, forMs } of peerCuts) {
      world.loop.at(atMs, () => {
        const boxes = from === "all" ? world.boxes : [this.#box(from)];
        world.cutPeer(this.#place(peer), boxes, how, forMs);
      });
    }
    if (fullMs < Infinity) this.#fill(fullMs, fullForMs);
    this.#runFor(faultyMs);
    world.disturb();
    world.lines.heal();
    for (const box of world.boxes) {
      box.disk.faults = CALM_DISK;
      world.start(box);
    }
    this.#finish();
  }

  #box(victim: Victim): ServerBox {
    const { boxes } = this.#world;
    if (victim !== "leader") return boxes[victim - 1]!;
    return boxes.find(({ leads }) => leads) ?? boxes[0]!;
  }

  /** A miner or a client. */
  #place(peer: number): string {
    const clients = this.#clients.map(({ errand }) => errand.message);
    const all = [...this.#world.miners.keys(), ...clients];
    return all[peer % all.length]!;
  }

  counts(): Record<string, number> {
    const errands = [...this.#world.oracle.errands.values()];
    return {
      events: this.#world.loop.steps,
      jobs: errands.length,
      answered: errands.filter(({ isOver }) => isOver).length,
      crashes: this.#world.crashes,
      lives: this.#world.boxes.reduce((sum, { lives }) => sum + lives, 0),
      cuts: this.#world.cuts,
      peerCuts: this.#world.peerCuts,
      stays: this.#world.stays,
      busyLooks: this.#idle.looks,
      elections: this.#world.elections,
      returns: this.#world.returns,
      virtualSeconds: Math.round(this.#world.loop.nowMs / 1000),
      answeredSeconds: Math.round(this.#answeredMs / 1000),
    };
  }

  /** For a while now and then a write finds no space. */
  #fill(fromMs: Millis, forMs: Millis): void {
    const { loop, boxes } = this.#world;
    const { disk } = boxes[0]!;
    for (let atMs = fromMs; atMs < fromMs + forMs; atMs += 100) {
      loop.at(atMs, () => (disk.failNext = { op: "zeros", file: "spare", isFull: true }));
    }
    loop.at(fromMs + forMs, () => (disk.failNext = undefined));
  }

  #runFor(ms: Millis): void {
    this.#world.loop.runUntil(this.#world.loop.nowMs + ms, () => {}, STEPS_MAX);
  }

  #finish(): void {
    const { loop } = this.#world;
    const beganMs = loop.nowMs;
    const boundMs = this.#boundMs();
    while (this.#clients.some(({ errand }) => !errand.isOver)) {
      this.#answeredMs = loop.nowMs - beganMs;
      const late = this.#clients.find(({ errand }) => !errand.isOver)!;
      demand(
        this.#answeredMs <= boundMs,
        () => `${late.errand.message}: not answered ${(boundMs / 1000).toFixed(1)} s after healing`,
      );
      this.#runFor(LOOK_MS);
    }
    this.#demandLittleAgain();
  }

  #boundMs(): Millis {
    const { miners, clients } = this.plan;
    const rate = miners.reduce((sum, { noncesPerSecond }) => sum + noncesPerSecond, 0);
    const nonces = clients.flat().reduce((sum, { lower, upper }) => sum + Number(upper - lower), 0);
    return SETTLE_MS + (2000 * nonces) / rate;
  }

  /**
   * What was searched again: of each crash, what was reported since the last batch was durable and
   * what was under way; of each miner's crash and of probes, what that costs without any.
   */
  #demandLittleAgain(): void {
    const { miners, isDiskCalm } = this.plan;
    if (!isDiskCalm) return;
    const rate = miners.reduce((sum, { noncesPerSecond }) => sum + noncesPerSecond, 0);
    const lost = miners.filter(({ crashMs }) => crashMs < Infinity).length;
    const changes = this.#world.crashes + this.#world.elections;
    const mostSeconds = AGAIN_SECONDS * (changes + lost);
    // A job of the classic wire begins anew with every connection of its client.
    const kept = this.#clients.filter(({ isClassic }) => !isClassic);
    const again = kept.reduce((sum, { errand }) => sum + Number(errand.hashedAgain), 0);
    const most = mostSeconds * rate + 200_000 * (1 + changes) * miners.length;
    demand(again <= most, () => `${again} nonces were hashed again, at most ${most} are to be`);
  }
}
