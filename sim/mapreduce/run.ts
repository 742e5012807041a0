/**
 * One seed of map-reduce: the real server, workers and clients over connections that keep the order
 * of messages and may end, with the real maps, sorts, merges and reduces on files in memory. While
 * faults last only safety is demanded; then everything heals, and every job of a client that is
 * still there must be done, or have failed for a reason, within a bound. At last nothing of them is
 * left anywhere.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { Coordinator } from "../../mapreduce/coordinator.ts";
import { ServerCore, type ServerEffect, type ServerInput } from "../../server/mod.ts";
import { decodeMessage } from "../../work/wire.ts";
import { Computer } from "../engine/computer.ts";
import { Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import { demand, type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { ClientMachine } from "./client.ts";
import { type End, Link } from "./link.ts";
import { PeerNet } from "./peer_net.ts";
import { Oracle } from "./oracle.ts";
import {
  type ClientPlan,
  drawMapReducePlan,
  type MapReducePlan,
  type WorkerMishap,
  type WorkerPlan,
} from "./plan.ts";
import { MAPREDUCE_PLANTS, type MapReducePlant } from "./plants.ts";
import { WorkerMachine } from "./worker.ts";

const STEPS_MAX = 400_000;
/** After healing every job is over within this: slow runs last long, and are backed up late. */
const SETTLE_MS = 240_000;
/** After the last job's end nothing is left within this. */
const TIDY_MS = 40_000;

/** Map-reduce. */
export const MAPREDUCE: Harness = {
  name: "mapreduce",
  about: "map-reduce jobs on workers that crash, freeze and damage",
  plants: MAPREDUCE_PLANTS,
  prepare: (seed, plant, transcript) => new MapReduceRun(seed, plant as MapReducePlant, transcript),
};

class MapReduceRun implements Run {
  readonly plan: MapReducePlan;
  readonly #loop = new Loop();
  readonly #random: Random;
  readonly #trace: TraceLine | undefined;
  readonly #oracle: Oracle;
  readonly #net: PeerNet;
  readonly #plant: MapReducePlant | undefined;
  readonly #server: Process<ServerInput, ServerEffect>;
  readonly #core: ServerCore;
  #coordinator: Coordinator | undefined;
  readonly #links = new Map<number, Link>();
  readonly #workers = new Map<string, WorkerMachine>();
  readonly #clients: ClientMachine[] = [];
  /** Connections that clients have, or had. */
  readonly #connections = new Set<number>();
  readonly #seen = new Set<number>();
  #lastConn = 0;
  #isHealed = false;
  #lost = 0;

  constructor(seed: number, plant: MapReducePlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawMapReducePlan(seed);
    this.#plant = plant;
    this.#random = seededRandom(seed, Stream.network);
    this.#trace = tracer(this.#loop, transcript);
    this.#oracle = new Oracle(this.#loop);
    this.#net = new PeerNet(this.#loop, this.#random, this.plan);
    this.#core = new ServerCore({
      addressOf: PeerNet.addressOf,
      kinds: [
        (fleet, port) => (this.#coordinator = new Coordinator(fleet, port, this.plan.awayMs)),
      ],
    });
    this.#server = new Process({
      computer: new Computer({ name: "server", loop: this.#loop }),
      core: this.#core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => this.#look(),
    });
  }

  run(): void {
    const { workers, clients, healMs, isCalm } = this.plan;
    for (const worker of workers) {
      this.#loop.at(worker.startMs, () => this.#startWorker(worker));
      for (const mishap of worker.mishaps) {
        this.#loop.at(mishap.atMs, () => this.#befall(worker, mishap));
      }
    }
    for (const client of clients) this.#loop.at(client.startMs, () => this.#startClient(client));
    this.#runUntil(healMs);
    this.#isHealed = true;
    for (const worker of workers) {
      this.#workers.get(worker.name)?.computer.heal();
      this.#startWorker(worker);
    }
    const endMs = healMs + SETTLE_MS;
    while (this.#clients.length < clients.length || this.#clients.some(isWaiting)) {
      const unfinished = (): string =>
        this.#clients
          .filter(isWaiting)
          .map(({ plan }) => plan.name)
          .join(", ");
      demand(this.#loop.nowMs < endMs, () => `after healing ${unfinished()} waits for ever`);
      this.#runUntil(this.#loop.nowMs + 100);
    }
    this.#runUntil(this.#loop.nowMs + TIDY_MS);
    this.#demandTidy();
    for (const { end, plan } of this.#clients) {
      if (plan.leavesMs !== undefined || end === "done" || end === undefined) continue;
      demand(!isCalm, () => `${plan.name} failed although nothing did: ${end.failed}`);
      demand(
        // A connection that breaks before the job is accepted is an end, too.
        /failed (3|12) times/.test(end.failed) ||
          (plan.breaksMs !== undefined && end.failed === "the connection was lost"),
        () => `${plan.name} failed for no reason: ${end.failed}`,
      );
    }
    if (isCalm) {
      const tasks = clients.reduce(
        (sum, { splits, reducers }) => sum + splits.length + reducers,
        0,
      );
      const ran = this.#oracle.assigned - this.#oracle.revoked;
      demand(ran === tasks, () => `nothing failed, and ${ran} tasks ran instead of ${tasks}`);
    }
  }

  counts(): Record<string, number> {
    const done = this.#clients.filter(({ end }) => end === "done").length;
    const failed = this.#clients.filter(({ end }) => typeof end === "object").length;
    const { assigned, again } = this.#oracle;
    return { done, failed, assigned, again, lost: this.#lost, direct: this.#net.messages };
  }

  #runUntil(untilMs: Millis): void {
    this.#loop.runUntil(untilMs, () => {}, STEPS_MAX);
  }

  // ---- the server

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") return this.#trace?.(() => `server: ${effect.text}`);
    if (effect.kind === "propose") return;
    const link = this.#links.get(effect.connId);
    if (effect.kind === "close") {
      link?.close(1);
      return this.#tellGone(effect.connId);
    }
    const message = decodeMessage(effect.payload);
    demand(typeof message !== "string", () => "the server says what cannot be read");
    if (message.kind === "mr-map" || message.kind === "mr-reduce") {
      const job = [...this.#coordinator!.jobs].find(({ origin }) => origin.uid === message.uid)!;
      const { miners } = this.#core.snapshot();
      const miner = miners.find(({ connId }) => connId === effect.connId);
      this.#oracle.assigns(effect.connId, message, job, miner?.standing === "suspect");
    }
    if (message.kind === "stop") this.#oracle.stops(effect.connId, message.chunk);
    if (message.kind !== "mr-piece" && message.kind !== "mr-asked") {
      this.#trace?.(() => `server to ${effect.connId}: ${JSON.stringify(message)}`);
    }
    link?.write(1, effect.payload);
  }

  #look(): void {
    for (const job of this.#coordinator!.jobs) {
      if (this.#seen.has(job.origin.uid)) continue;
      this.#seen.add(job.origin.uid);
      this.#oracle.job(job);
    }
  }

  #hear(connId: number, payload: Uint8Array): void {
    const message = decodeMessage(payload);
    demand(typeof message !== "string", () => `connection ${connId} says what cannot be read`);
    if (message.kind !== "mr-piece" && message.kind !== "mr-get") {
      this.#trace?.(() => `${connId} to server: ${JSON.stringify(message)}`);
    }
    this.#oracle.hears(connId, message);
    if (message.kind === "mr-final" && !message.good) {
      for (const { origin, followers } of this.#coordinator!.jobs) {
        if (followers.has(connId)) this.#oracle.misses(origin.uid, message.reduce);
      }
    }
    this.#server.tell({ kind: "payload", connId, wire: "cbor", payload });
  }

  #tellGone(connId: number): void {
    if (!this.#links.delete(connId)) return;
    // Forgotten: what it held is never made again.
    if (this.#plant === "forgetful" && !this.#connections.has(connId)) return;
    this.#oracle.loses(connId);
    this.#server.tell({ kind: "gone", connId, why: "it was lost" });
  }

  /** A connection to the server; its number and the link. */
  #connect(end: End): { readonly connId: number; readonly link: Link } {
    const connId = ++this.#lastConn;
    const ends: [End, End] = [
      end,
      {
        payload: (payload) => this.#hear(connId, payload),
        gone: () => this.#tellGone(connId),
      },
    ];
    const link = new Link(this.#loop, this.#random, this.plan, ends);
    this.#links.set(connId, link);
    return { connId, link };
  }

  // ---- workers and clients

  #startWorker(plan: WorkerPlan): void {
    if (this.#workers.get(plan.name)?.isAlive === true) return;
    const worker = new WorkerMachine(plan, {
      loop: this.#loop,
      random: this.#random,
      oracle: this.#oracle,
      trace: this.#trace,
      plant: this.#plant,
      isHealed: () => this.#isHealed,
      net: this.#net,
      shared: (path) => this.#shared(path),
    });
    this.#workers.set(plan.name, worker);
    const { connId, link } = this.#connect(worker);
    this.#net.add(connId, worker);
    this.#trace?.(() => `${plan.name} is connection ${connId}`);
    worker.connect(link);
  }

  /** A split in the shared directory. */
  #shared(path: string): Uint8Array | undefined {
    const [name, index] = path.split("/");
    return this.#clients.find(({ plan }) => plan.name === name)?.split(Number(index));
  }

  #befall(plan: WorkerPlan, { kind, forMs }: WorkerMishap): void {
    const worker = this.#workers.get(plan.name);
    if (worker?.isAlive !== true || this.#isHealed) return;
    this.#trace?.(() => `${kind} of ${plan.name}`);
    if (kind === "freeze") return worker.computer.sleep(forMs);
    this.#lost++;
    worker.crash();
    this.#loop.after(forMs, () => this.#startWorker(plan));
  }

  #startClient(plan: ClientPlan): void {
    const client = new ClientMachine(plan, this.#loop, this.#net);
    this.#clients.push(client);
    client.onDone = () => this.#oracle.done(client);
    client.onRedial = () => this.#connectClient(client);
    this.#connectClient(client);
    const { leavesMs, breaksMs } = plan;
    if (leavesMs !== undefined) this.#loop.at(leavesMs, () => client.leave());
    if (breaksMs !== undefined && breaksMs > plan.startMs) {
      this.#loop.at(breaksMs, () => client.breakLink());
    }
  }

  #connectClient(client: ClientMachine): void {
    const { connId, link } = this.#connect(client);
    this.#net.add(connId, client);
    client.connection = connId;
    this.#connections.add(connId);
    this.#oracle.client(connId, client.plan);
    client.connect(link);
  }

  /** Nothing of the jobs is left. */
  #demandTidy(): void {
    const coordinator = this.#coordinator!;
    demand([...coordinator.jobs].length === 0, () => "the server keeps jobs that are over");
    demand(coordinator.relay.size === 0, () => `${coordinator.relay.size} pieces are under way`);
    for (const worker of this.#workers.values()) {
      const { files, plan } = worker;
      demand(files === 0, () => `${plan.name} keeps ${files} files of jobs that are over`);
    }
  }
}

function isWaiting({ end, isAlive }: ClientMachine): boolean {
  return isAlive && end === undefined;
}
