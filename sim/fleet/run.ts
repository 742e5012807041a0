/**
 * One seed of the fleet simulation: the real server, miners and clients over the real LSP on a bad
 * network, classic peers among them. While faults last only safety is demanded (after every event:
 * accepted ranges are disjoint, inside the job and really hashed; books in order; answers true);
 * then everything heals, and every job of a living client must be answered within a bound.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { Loop } from "../engine/loop.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { calmFaults } from "../../base/link.ts";
import { Network } from "../engine/network.ts";
import { demand, tracer, type Transcript } from "../engine/trace.ts";
import { Forger } from "../lsp/forger.ts";
import { LSP_WIRE } from "../lsp/wire.ts";
import { ClientMachine } from "./client.ts";
import { Epilogue } from "./epilogue.ts";
import { Meddler } from "./meddler.ts";
import { MinerMachine } from "./miner.ts";
import { FleetOracle } from "./oracle.ts";
import {
  CALM_LATENCY_MS,
  drawFleetPlan,
  honestRate,
  type FleetClientPlan,
  type FleetPlan,
  type MinerPlan,
  type Mishap,
} from "./plan.ts";
import { FLEET_PLANTS, type FleetPlant } from "./plants.ts";
import { ServerMachine } from "./server.ts";
import { StrangerServer } from "./stranger_server.ts";
import { StrangerClient, StrangerMiner } from "./strangers.ts";
import { FleetWorld, SERVER, SERVER_ADDRESS } from "./world.ts";

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 3_000_000;
/** How often the healed fleet is looked at. */
const LOOK_MS = 10;
/** A round trip of the calm network, the ways between threads, and the clumsiness of looking. */
const IDLE_MS_MAX = 4 * CALM_LATENCY_MS + 2 * LOOK_MS;
/** After healing, what was lost on the way is repaired within this. */
const REPAIR_MS = 1000;
/** Miners wait up to 10 s before they dial again; a chunk that stands is given up after 5 s. */
const SETTLE_MS = 20_000;

/** The whole fleet. */
export const FLEET: Harness = {
  name: "fleet",
  about: "server, miners and clients over LSP",
  plants: FLEET_PLANTS,
  prepare: (seed, plant, transcript) => new FleetRun(seed, plant as FleetPlant, transcript),
};

/** Share of the runs that have an epilogue. */
const EPILOGUE_SHARE = 0.5;

/** Random streams of strangers, far from those of the cores. */
const FORGER_STREAM = 49;
const MEDDLER_STREAM = 48;

type AnyMiner = MinerMachine | StrangerMiner;
type AnyClient = ClientMachine | StrangerClient;

class FleetRun implements Run {
  readonly plan: FleetPlan;
  readonly #loop = new Loop();
  readonly #network: Network;
  readonly #oracle = new FleetOracle(this.#loop);
  readonly #world: FleetWorld;
  readonly #miners = new Map<string, AnyMiner>();
  readonly #clients = new Map<string, AnyClient>();
  readonly #strangers: { stop(): void }[] = [];
  readonly #seed: number;
  #server: ServerMachine | StrangerServer;
  #answeredMs = 0;
  /** Clients of the epilogue. */
  #guests: readonly ClientMachine[] = [];
  /** Every client has its answers; one that has crashed and is not back comes too late. */
  #isFinished = false;
  /** Since when some work has been waiting for a miner without a break. */
  #waitingSinceMs: Millis | undefined;

  constructor(seed: number, plant: FleetPlant | undefined, transcript: Transcript | undefined) {
    this.#seed = seed;
    this.plan = drawFleetPlan(seed);
    const trace = tracer(this.#loop, transcript);
    const random = seededRandom(seed, Stream.network);
    this.#network = new Network(this.#loop, random, LSP_WIRE, trace);
    const { params, miners, clients } = this.plan;
    for (const { name, up, down } of [...miners, ...clients]) {
      this.#network.link(name, SERVER).faults = up;
      this.#network.link(SERVER, name).faults = down;
    }
    this.#world = new FleetWorld(
      seed,
      this.#loop,
      this.#network,
      this.#oracle,
      params,
      trace,
      plant,
    );
    this.#world.isClassicServed = this.plan.hasClassicServer;
    this.#oracle.isWasteBounded = !this.plan.hasClassicServer;
    this.#server = this.#newServer();
  }

  run(): void {
    for (const miner of this.plan.miners) {
      this.#loop.at(miner.startMs, () => this.#startMiner(miner));
      for (const mishap of miner.mishaps) {
        this.#loop.at(mishap.atMs, () => this.#befallMiner(miner, mishap));
      }
    }
    for (const client of this.plan.clients) {
      this.#startClient(client);
      for (const mishap of client.mishaps) {
        this.#loop.at(mishap.atMs, () => this.#befallClient(client, mishap));
      }
    }
    this.#startStrangers();
    if (this.plan.serverCrashMs < Infinity) {
      this.#loop.at(this.plan.serverCrashMs, () => this.#crashServer());
    }
    while (this.plan.calm && this.#loop.nowMs < this.plan.faultyMs) {
      this.#runFor(LOOK_MS);
      this.#demandBusy(0);
    }
    this.#runFor(this.plan.faultyMs - this.#loop.nowMs);
    this.#heal();
    this.#finish();
    this.#epilogue();
    this.#demandRest();
  }

  counts(): Record<string, number> {
    const records = [...this.#oracle.jobs.values()];
    const states = records.map((record) => record.state);
    return {
      events: this.#loop.steps,
      jobs: states.length,
      answered: this.#oracle.answers,
      gone: states.filter((state) => state === "gone").length,
      cancelled: states.filter((state) => state === "cancelled").length,
      accepted: this.#oracle.acceptedRanges,
      resumed: records.filter(({ resumes }) => resumes > 0).length,
      sentAway: this.#oracle.minersSentAway,
      calm: this.plan.calm ? 1 : 0,
      virtualSeconds: Math.round(this.#loop.nowMs / 1000),
      answeredSeconds: Math.round(this.#answeredMs / 1000),
    };
  }

  #runFor(ms: Millis): void {
    this.#loop.runUntil(this.#loop.nowMs + ms, () => {}, STEPS_MAX);
  }

  #startStrangers(): void {
    const { meddler, forger } = this.plan;
    const [loop, network, { trace }] = [this.#loop, this.#network, this.#world];
    if (meddler !== undefined) {
      const dice = new Dice(this.#seed, MEDDLER_STREAM);
      this.#strangers.push(new Meddler(this.#world, "meddler", meddler, dice));
    }
    if (forger !== undefined) {
      const dice = new Dice(this.#seed, FORGER_STREAM);
      const { miners, clients } = this.plan;
      const all = [...miners, ...clients].filter(({ kind }) => kind === "stranger");
      const strangers = new Set(all.map(({ name }) => name));
      const isOurs = (place = ""): boolean => !strangers.has(place);
      const listener = SERVER_ADDRESS;
      this.#strangers.push(new Forger(loop, network, dice, forger, listener, trace, isOurs));
    }
  }

  #startMiner(plan: MinerPlan): void {
    if (this.#miners.has(plan.name)) return;
    const miner =
      plan.kind === "stranger"
        ? new StrangerMiner(this.#world, plan)
        : new MinerMachine(this.#world, plan);
    this.#miners.set(plan.name, miner);
  }

  #startClient(plan: FleetClientPlan, life = 0): void {
    if (this.#clients.has(plan.name) || this.#isFinished) return;
    const client =
      plan.kind === "stranger"
        ? new StrangerClient(this.#world, plan, life)
        : new ClientMachine(this.#world, plan, life);
    this.#clients.set(plan.name, client);
  }

  #befallMiner(plan: MinerPlan, { what, forMs }: Mishap): void {
    const miner = this.#miners.get(plan.name);
    if (miner === undefined) return;
    this.#world.trace?.(() => `incident: ${plan.name} ${what} for ${forMs.toFixed(0)} ms`);
    if (what === "stand") return miner.stand(forMs);
    if (what !== "crash") return this.#befall(plan, miner, { what, forMs });
    miner.crash();
    this.#miners.delete(plan.name);
    this.#loop.after(forMs, () => this.#startMiner(plan));
  }

  #befallClient(plan: FleetClientPlan, { what, forMs }: Mishap): void {
    const client = this.#clients.get(plan.name);
    if (client === undefined || what === "stand") return;
    if (what === "redial") return client.redial(forMs);
    this.#world.trace?.(() => `incident: ${plan.name} ${what} for ${forMs.toFixed(0)} ms`);
    if (what !== "crash") return this.#befall(plan, client, { what, forMs });
    client.crash();
    this.#clients.delete(plan.name);
    this.#loop.after(forMs, () => this.#startClient(plan, client.life));
  }

  #befall(
    plan: MinerPlan | FleetClientPlan,
    machine: AnyMiner | AnyClient,
    { what, forMs }: Pick<Mishap, "what" | "forMs">,
  ): void {
    if (what === "sleep") machine.sleep(forMs);
    else if (what === "rebind" && machine.host?.isAlive) this.#network.rebind(machine.host.socket);
    else this.#disturbLinks(plan.name, what, forMs);
  }

  /** One machine is cut off from the server, which the others still see; or comes and goes. */
  #disturbLinks(name: string, what: Mishap["what"], forMs: Millis): void {
    const up = this.#network.link(name, SERVER);
    const down = this.#network.link(SERVER, name);
    if (what === "flap") up.flapping = down.flapping = { upMs: forMs / 7, downMs: forMs / 5 };
    if (what === "cut" || what === "cutUp") up.isCut = true;
    if (what === "cut" || what === "cutDown") down.isCut = true;
    this.#loop.after(forMs, () => {
      up.isCut = down.isCut = false;
      up.flapping = down.flapping = undefined;
    });
  }

  #crashServer(): void {
    this.#world.trace?.(() => "the server crashes");
    this.#server.host.computer.crash();
    this.#loop.after(this.plan.serverDownMs, () => {
      if (!this.#server.host.isAlive) this.#restartServer();
    });
  }

  #restartServer(): void {
    this.#server = this.#newServer();
  }

  #newServer(): ServerMachine | StrangerServer {
    const { hasClassicServer, serverQuirks } = this.plan;
    if (hasClassicServer) return new StrangerServer(this.#world, serverQuirks);
    return new ServerMachine(this.#world, serverQuirks);
  }

  #heal(): void {
    this.#world.trace?.(() => "---- everything heals ----");
    for (const stranger of this.#strangers) stranger.stop();
    this.#network.heal(calmFaults(CALM_LATENCY_MS));
    for (const plan of this.plan.miners) this.#startMiner(plan);
    if (!this.#server.host.isAlive) this.#restartServer();
    this.#world.heal();
    for (const miner of this.#miners.values()) miner.heal();
  }

  /** Runs the healed fleet until every client has its answers. */
  #finish(): void {
    const boundMs = this.#boundMs();
    const beganMs = this.#loop.nowMs;
    while ([...this.#clients.values()].some((client) => !client.satisfied)) {
      this.#answeredMs = this.#loop.nowMs - beganMs;
      demand(
        this.#answeredMs <= boundMs,
        () => `not all jobs are answered ${(boundMs / 1000).toFixed(1)} s after healing`,
      );
      this.#runFor(LOOK_MS);
      this.#demandBusy(beganMs + REPAIR_MS);
    }
    this.#demandEfficient();
    this.#isFinished = true;
  }

  /** In some of the runs. */
  #epilogue(): void {
    const dice = this.plan.dice;
    const server = this.#server;
    if (!(server instanceof ServerMachine) || !dice.chance(EPILOGUE_SHARE, "hasEpilogue")) return;
    const runFor = (ms: Millis): void => this.#runFor(ms);
    const stage = { world: this.#world, server, miners: this.#miners, runFor };
    const epilogue = new Epilogue(stage, dice);
    epilogue.play();
    this.#guests = epilogue.clients;
  }

  /** All clients go without a word: a silence later nothing of them is left. */
  #demandRest(): void {
    const server = this.#server;
    if (!(server instanceof ServerMachine)) return;
    for (const client of [...this.#clients.values(), ...this.#guests]) client.crash();
    const { epochLimit, epochMillis } = this.plan.params;
    this.#runFor((epochLimit + 2) * epochMillis + REPAIR_MS);
    server.demandRest();
    for (const miner of this.#miners.values()) {
      const { pool, plan } = miner;
      if (plan.kind !== "native" || plan.conduct !== "honest") continue;
      demand(pool.idle, () => `all is over, and ${plan.name} hashes`);
    }
  }

  /** See docs/simulator.md. */
  #boundMs(): Millis {
    const { miners, params } = this.plan;
    const open = [...this.#oracle.jobs.values()].filter((record) => record.state === "open");
    const nonces = open.reduce((sum, { work }) => sum + Number(work.upper - work.lower + 1n), 0);
    const rate = honestRate(miners);
    const silenceMs = (params.epochLimit + 2) * params.epochMillis;
    return SETTLE_MS + 2 * silenceMs + (2000 * nonces) / rate;
  }

  /** While work waits, a cbor miner that was seen to work idles no longer than a round trip. */
  #demandBusy(fromMs: Millis): void {
    const snapshot = this.#server.snapshot();
    if (snapshot === undefined) return;
    const { miners, jobs } = snapshot;
    const waiting = jobs.some((job) => job.pending.length > 0);
    if (!waiting) this.#waitingSinceMs = undefined;
    else this.#waitingSinceMs ??= this.#loop.nowMs;
    if (this.#waitingSinceMs === undefined) return;
    const sinceMs = Math.max(this.#waitingSinceMs, fromMs);
    for (const miner of this.#miners.values()) {
      if (!(miner instanceof MinerMachine) || miner.plan.kind !== "native") continue;
      const { connId, plan } = miner;
      if (plan.conduct !== "honest") continue;
      // Numbers come again after a restart of the server; names do not.
      const known = miners.find((each) => each.connId === connId && each.label === plan.name);
      if (known?.standing !== "proven" || miner.idleSinceMs === undefined) continue;
      const { idleSinceMs, connectedAtMs } = miner;
      const idleMs = this.#loop.nowMs - Math.max(idleSinceMs, connectedAtMs, sinceMs);
      demand(
        idleMs <= IDLE_MS_MAX,
        () => `${plan.name} idles for ${idleMs.toFixed(1)} ms while work waits`,
      );
    }
  }

  /** Without faults, and with miners that can be shrunk, no nonce is ever hashed twice. */
  #demandEfficient(): void {
    const { calm, miners } = this.plan;
    const isSure = ({ kind, conduct }: MinerPlan): boolean =>
      kind === "native" && conduct === "honest";
    if (!calm || !miners.every(isSure)) return;
    for (const { work, hashedAgain } of this.#oracle.jobs.values()) {
      demand(
        hashedAgain === 0n,
        () => `${work.message}: ${hashedAgain} nonces were hashed more than once, without faults`,
      );
    }
  }
}
