/**
 * Where the server, its miners and its clients live: ordered connections with a delay, which end
 * when the server does. LSP under faults is simulated elsewhere (sim/lsp, sim/fleet).
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { Computer } from "../engine/computer.ts";
import { SimulatedDisk } from "../engine/disk.ts";
import { Loop } from "../engine/loop.ts";
import { type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { CoordinatorOracle } from "./oracle.ts";
import { type CoordinatorPlan, drawPlan } from "./plan.ts";
import type { CoordinatorPlant } from "./plants.ts";
import { ServerLife } from "./server.ts";

/** How soon a peer knows that nobody is there, or not any more. */
const SILENCE_MS = 300;
/** A server that had to end is started again after this. */
const AGAIN_MS = 500;

/** What a miner or a client is told of its connection. */
export interface Peer {
  connected(connId: number): void;
  received(payload: Uint8Array): void;
  gone(): void;
  /** The server says something to it, which may never arrive. */
  overheard?(payload: Uint8Array): void;
}

/** See the module. */
export class CoordinatorWorld {
  readonly seed: number;
  readonly plan: CoordinatorPlan;
  readonly loop: Loop = new Loop();
  readonly oracle: CoordinatorOracle = new CoordinatorOracle();
  readonly plant: CoordinatorPlant | undefined;
  readonly trace: TraceLine | undefined;
  readonly disk: SimulatedDisk;
  readonly computer: Computer;
  /** A server that runs, and leads or will. */
  server: ServerLife | undefined;
  lives = 0;
  crashes = 0;
  readonly #lines = new Map<number, { readonly peer: Peer; upMs: Millis; downMs: Millis }>();
  #lastConn = 0;

  constructor(
    seed: number,
    plant: CoordinatorPlant | undefined,
    transcript: Transcript | undefined,
  ) {
    this.seed = seed;
    this.plant = plant;
    this.plan = drawPlan(seed);
    this.trace = tracer(this.loop, transcript);
    this.disk = new SimulatedDisk(this.loop, seededRandom(seed, 500), this.plan.disk);
    this.computer = new Computer({ name: "server", loop: this.loop, disks: [this.disk] });
  }

  /** Begins a life of the server, unless it runs. */
  start(): void {
    if (this.server !== undefined) return;
    this.trace?.(() => "the server starts");
    this.server = new ServerLife(this, ++this.lives);
  }

  /** It leads: those who dialled meanwhile come in when they dial again. */
  serves(): void {
    this.trace?.(() => "the server leads");
  }

  /** The server is gone at once, for `downMs`; perhaps with what its disk had not synced. */
  crash(downMs: Millis, isPowerCut: boolean): void {
    if (this.server === undefined) return;
    this.crashes++;
    this.trace?.(() => `the server ${isPowerCut ? "loses its power" : "crashes"}`);
    this.server = undefined;
    if (isPowerCut) this.computer.cutPower();
    else this.computer.crash();
    const peers = [...this.#lines.values()].map(({ peer }) => peer);
    this.#lines.clear();
    for (const peer of peers) this.loop.after(SILENCE_MS, () => peer.gone());
    this.loop.after(downMs, () => this.start());
  }

  /** Its disk failed: the process ends. */
  stopped(reason: string): void {
    this.trace?.(() => `the server stops: ${reason}`);
    this.loop.after(0, () => this.crash(AGAIN_MS, false));
  }

  /** A peer dials; it is told `connected`, or `gone`. */
  dial(peer: Peer): void {
    this.loop.after(2 * this.plan.latencyMs, () => {
      if (this.server?.leads !== true) {
        this.loop.after(SILENCE_MS, () => peer.gone());
        return;
      }
      const connId = ++this.#lastConn;
      const nowMs = this.loop.nowMs;
      this.#lines.set(connId, { peer, upMs: nowMs, downMs: nowMs });
      peer.connected(connId);
    });
  }

  /** A peer says something to the server. */
  hear(connId: number, payload: Uint8Array): void {
    const line = this.#lines.get(connId);
    if (line === undefined) return;
    line.upMs = Math.max(line.upMs, this.loop.nowMs + this.plan.latencyMs);
    this.loop.at(line.upMs, () => {
      if (!this.#lines.has(connId)) return;
      this.server?.tell({ kind: "payload", connId, wire: "cbor", payload });
    });
  }

  /** The server says something to a peer. */
  said(connId: number, payload: Uint8Array): void {
    const line = this.#lines.get(connId);
    if (line === undefined) return;
    line.peer.overheard?.(payload);
    line.downMs = Math.max(line.downMs, this.loop.nowMs + this.plan.latencyMs);
    this.loop.at(line.downMs, () => {
      if (this.#lines.has(connId)) line.peer.received(payload);
    });
  }

  /** The server closes a connection. */
  closed(connId: number): void {
    const line = this.#lines.get(connId);
    this.left(connId);
    if (line !== undefined) this.loop.after(this.plan.latencyMs, () => line.peer.gone());
  }

  /** A peer has ended its connection. */
  left(connId: number): void {
    if (!this.#lines.delete(connId)) return;
    this.loop.after(this.plan.latencyMs, () => this.server?.tell({ kind: "gone", connId }));
  }
}
