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
import { decodeMessage } from "../../work/wire.ts";
import { Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import type { Line } from "../engine/lines.ts";
import { Loop } from "../engine/loop.ts";
import { demand, type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { ClientMachine } from "./client.ts";
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
import { SERVER, ServerMachine } from "./server.ts";
import { WorkerMachine } from "./worker.ts";

const STEPS_MAX = 400_000;
/** After healing every job is over within this: slow runs last long, and are backed up late. */
const SETTLE_MS = 240_000;
/** After the last job's end nothing is left within this. */
const TIDY_MS = 80_000;

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
  readonly #server: ServerMachine;
  readonly #workers = new Map<string, WorkerMachine>();
  readonly #clients: ClientMachine[] = [];
  /** Connections that clients have, or had. */
  readonly #connections = new Set<number>();
  readonly #seen = new Set<number>();
  #crashes = 0;
  /** Jobs that were at work and in the table when the server crashed. */
  #kept: readonly number[] = [];
  #isHealed = false;
  #lost = 0;

  constructor(seed: number, plant: MapReducePlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawMapReducePlan(seed);
    this.#plant = plant;
    this.#random = seededRandom(seed, Stream.network);
    this.#trace = tracer(this.#loop, transcript);
    this.#oracle = new Oracle(this.#loop);
    this.#net = new PeerNet(this.#loop, this.#random, this.plan);
    this.#server = new ServerMachine({
      loop: this.#loop,
      random: this.#random,
      plan: this.plan,
      plant,
      says: (connId, payload) => this.#say(connId, payload),
      log: (text) => this.#trace?.(() => `server: ${text}`),
      look: () => this.#look(),
      hears: (connId, payload) => this.#hear(connId, payload),
      heard: (connId, payload) => this.#heard(connId, payload),
      loses: (connId) => this.#lose(connId),
    });
    this.#server.start();
  }

  run(): void {
    const { workers, clients, healMs, isCalm, outages } = this.plan;
    for (const worker of workers) {
      this.#loop.at(worker.startMs, () => this.#startWorker(worker));
      for (const mishap of worker.mishaps) {
        this.#loop.at(mishap.atMs, () => this.#befall(worker, mishap));
      }
    }
    for (const client of clients) this.#loop.at(client.startMs, () => this.#startClient(client));
    for (const { atMs, forMs } of outages) this.#loop.at(atMs, () => this.#crashServer(forMs));
    this.#runUntil(healMs);
    this.#isHealed = true;
    this.#startServer();
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
          ((plan.breaksMs !== undefined || outages.length > 0) &&
            end.failed === "the connection was lost"),
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
    const { assigned, again, found, adopted } = this.#oracle;
    const [lost, crashes] = [this.#lost, this.#crashes];
    return {
      done,
      failed,
      assigned,
      again,
      lost,
      crashes,
      found,
      adopted,
      direct: this.#net.messages,
    };
  }

  #runUntil(untilMs: Millis): void {
    this.#loop.runUntil(untilMs, () => {}, STEPS_MAX);
  }

  // ---- the server

  #startServer(): void {
    if (this.#server.isUp) return;
    this.#trace?.(() => "the server starts");
    this.#server.start();
    const jobs = new Set([...this.#server.coordinator.jobs].map(({ origin }) => origin.id));
    for (const uid of this.#kept) demand(jobs.has(uid), () => `job ${uid} is not kept`);
    this.#oracle.leads();
  }

  #crashServer(forMs: Millis): void {
    if (!this.#server.isUp || this.#isHealed) return;
    this.#trace?.(() => "the server crashes");
    this.#crashes++;
    this.#kept = [...this.#seen].filter((uid) => this.#server.rows.has(`mr/${uid}`));
    this.#server.crash();
    this.#oracle.crashes(this.plan.keepsTable ? this.#server.rows : undefined);
    this.#loop.after(forMs, () => this.#startServer());
  }

  #say(connId: number, payload: Uint8Array): void {
    const message = decodeMessage(payload);
    demand(typeof message !== "string", () => "the server says what cannot be read");
    if (message.kind === "mr-map" || message.kind === "mr-reduce") {
      const { coordinator, snapshot } = this.#server;
      const job = [...coordinator.jobs].find(({ origin }) => origin.id === message.uid)!;
      const miner = snapshot.miners.find((each) => each.connId === connId);
      const isThere = (holder: number): boolean => this.#server.isConnected(holder);
      this.#oracle.assigns(connId, message, job, miner?.standing === "suspect", isThere);
    }
    if (message.kind === "mr-adopt") this.#oracle.adopts(connId, message);
    if (message.kind === "stop") this.#oracle.stops(connId, message.chunk);
    if (message.kind !== "mr-piece" && message.kind !== "mr-asked") {
      this.#trace?.(() => `server to ${connId}: ${JSON.stringify(message)}`);
    }
  }

  #look(): void {
    const live = new Set([...this.#server.coordinator.jobs].map(({ origin }) => origin.id));
    for (const uid of this.#seen) {
      if (live.has(uid)) continue;
      this.#seen.delete(uid);
      this.#oracle.over(uid);
    }
    for (const job of this.#server.coordinator.jobs) {
      if (this.#seen.has(job.origin.id)) continue;
      this.#seen.add(job.origin.id);
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
      for (const { origin, followers } of this.#server.coordinator.jobs) {
        if (followers.has(connId)) this.#oracle.misses(origin.id, message.reduce);
      }
    }
  }

  #heard(connId: number, payload: Uint8Array): void {
    const message = decodeMessage(payload);
    if (typeof message === "string" || message.kind !== "mr-have") return;
    const job = [...this.#server.coordinator.jobs].find(({ origin }) => {
      return origin.id === message.uid;
    });
    for (const { isMap, index } of job === undefined ? [] : message.rows) {
      const task = (isMap ? job!.plan.maps : job!.plan.reduces)[index];
      if (task?.holder === connId) this.#oracle.returned(connId, task, message.uid);
    }
  }

  #lose(connId: number): boolean {
    // Forgotten: what it held is never made again.
    if (this.#plant === "forgetful" && !this.#connections.has(connId)) return false;
    this.#oracle.loses(connId);
    return true;
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
    worker.onGone = () => this.#loop.after(this.plan.rejoinMs, () => this.#connectWorker(worker));
    this.#connectWorker(worker);
  }

  #connectWorker(worker: WorkerMachine): void {
    if (!worker.isAlive) return;
    if (!this.#server.isUp) return worker.onGone();
    this.#dial(worker, (line) => {
      this.#trace?.(() => `${worker.plan.name} is connection ${line.id}`);
      worker.connect(line);
    });
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
    if (!this.#server.isUp) return void this.#loop.after(1, () => client.gone());
    this.#dial(client, (line) => {
      client.connection = line.id;
      this.#connections.add(line.id);
      this.#oracle.client(line.id, client.plan);
      client.connect(line);
    });
  }

  /** Connects a machine with the server. */
  #dial(machine: WorkerMachine | ClientMachine, connected: (line: Line) => void): void {
    this.#server.lines.dial(machine.plan.name, SERVER, undefined, {
      connected: (line) => {
        if (!machine.isAlive) return line.drop();
        this.#net.add(line.id, machine);
        connected(line);
      },
      received: (payload) => machine.payload(payload),
      gone: () => machine.gone(),
    });
  }

  /** Nothing of the jobs is left. */
  #demandTidy(): void {
    const { coordinator, rows } = this.#server;
    const kept = [...rows.keys()].filter((group) => group.startsWith("mr/"));
    demand(kept.length === 0, () => `the table keeps ${kept.join()}, which are over`);
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
