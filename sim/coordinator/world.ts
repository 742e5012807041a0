/**
 * Where the servers, their miners and their clients live: one loop, the connections between them,
 * the servers' computers, and the oracle.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Wire } from "../../lsp/mod.ts";
import type { JobTable } from "../../server/table.ts";
import { calmLines, Lines } from "../engine/lines.ts";
import { Loop } from "../engine/loop.ts";
import { demand, type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { addressOf, type RunningServer, ServerBox } from "./box.ts";
import { CoordinatorOracle } from "./oracle.ts";
import { type CoordinatorPlan, type CutPlan, drawPlan } from "./plan.ts";
import type { CoordinatorPlant } from "./plants.ts";

/** How soon a peer knows that its one server is gone. */
const SILENCE_MS = 300;
/** And one of several, as with the parameters of peer/targets.ts. */
const CLUSTER_SILENCE_MS = 800;
/** A server that had to end is started again after this. */
const AGAIN_MS = 500;
/** After an election all miners are at the new leader within this, and none idles for longer. */
export const BACK_MS = 1_500;
/** Plants that only a cluster shows. */
const OF_CLUSTERS: readonly (CoordinatorPlant | undefined)[] = ["stale-lead", "slow-return"];

/** Begins the n-th life of a server in its box. */
type BeginServer = (world: CoordinatorWorld, box: ServerBox, life: number) => RunningServer;

/** See the module. */
export class CoordinatorWorld {
  readonly seed: number;
  readonly plan: CoordinatorPlan;
  readonly loop: Loop = new Loop();
  readonly oracle: CoordinatorOracle = new CoordinatorOracle();
  readonly plant: CoordinatorPlant | undefined;
  readonly trace: TraceLine | undefined;
  /** Between all of them; the note is the wire. */
  readonly lines: Lines<Wire>;
  readonly boxes: readonly ServerBox[];
  /** Miners that are alive, by the names that they give; whether their threads idle. */
  readonly miners: Map<string, { readonly isIdle: boolean; readonly isClassic: boolean }> =
    new Map();
  crashes = 0;
  cuts = 0;
  peerCuts = 0;
  /** Classic peers that have their server; how often one of them kept it under another leader. */
  readonly classics: Set<object> = new Set();
  stays = 0;
  readonly #cutsOf = new Map<string, number>();
  /** How often a server came to lead. */
  elections = 0;
  /** Elections after which all miners were seen to be back. */
  returns = 0;
  /** Changes with everything that disturbs. */
  disturbances = 0;
  /** Who is to hear what a server says, by the line. */
  readonly #listeners = new Map<number, (payload: Uint8Array) => void>();

  readonly #begin: BeginServer;

  constructor(
    seed: number,
    plant: CoordinatorPlant | undefined,
    transcript: Transcript | undefined,
    begin: BeginServer,
  ) {
    this.seed = seed;
    this.#begin = begin;
    this.plant = plant;
    const planted = OF_CLUSTERS.includes(plant) ? 3 : 1;
    this.plan = drawPlan(seed, plant === undefined ? undefined : planted);
    this.trace = tracer(this.loop, transcript);
    const { servers, disk, latencyMs } = this.plan;
    const silenceMs = this.isAlone ? SILENCE_MS : CLUSTER_SILENCE_MS;
    this.lines = new Lines({
      loop: this.loop,
      faults: calmLines(latencyMs, silenceMs),
      onSilence: () => this.disturb(),
    });
    this.boxes = Array.from(
      { length: servers },
      (_, i) => new ServerBox(this.loop, seed, i + 1, addressOf(i + 1), disk),
    );
  }

  /** Whether there is one server only. */
  get isAlone(): boolean {
    return this.plan.servers === 1;
  }

  get addresses(): string[] {
    return this.boxes.map(({ place }) => place);
  }

  /** Begins a life of a server, unless it runs. */
  start(box: ServerBox): void {
    if (box.server !== undefined) return;
    this.trace?.(() => `server ${box.number} starts`);
    box.server = this.#begin(this, box, ++box.lives);
  }

  /** A server leads, and is about to serve. */
  leads(box: ServerBox, table: JobTable): void {
    if (box.leads) return;
    this.elections++;
    this.stays += this.isAlone ? 0 : this.classics.size;
    this.trace?.(() => `server ${box.number} leads`);
    this.oracle.restored(table);
    const before = this.disturbances;
    if (this.isAlone || this.boxes.filter(({ server }) => server === undefined).length > 1) return;
    // Somebody may be cut off from it already.
    if (this.lines.areCut) return;
    const { server } = box;
    this.loop.after(BACK_MS, () => {
      if (this.disturbances !== before || box.server !== server || !box.leads) return;
      this.returns++;
      const here = server!.node.snapshot().miners.filter(({ wire }) => wire === "cbor").length;
      const all = [...this.miners.values()].filter(({ isClassic }) => !isClassic).length;
      demand(
        here >= all,
        () => `${here} of ${all} miners are back ${BACK_MS} ms after an election`,
      );
    });
  }

  /** A miner, a link or a server is not what it was. */
  disturb(): void {
    this.disturbances++;
  }

  /** A server is gone at once, for `downMs`; perhaps with what its disk had not synced. */
  crash(box: ServerBox, downMs: Millis, isPowerCut: boolean): void {
    if (box.server === undefined) return;
    this.crashes++;
    this.disturb();
    this.trace?.(() => `server ${box.number} ${isPowerCut ? "loses its power" : "crashes"}`);
    box.server = undefined;
    if (isPowerCut) box.computer.cutPower();
    else box.computer.crash();
    this.lines.crash(box.place);
    this.loop.after(downMs, () => {
      this.disturb();
      this.start(box);
    });
  }

  /** Nothing passes from the server to the others, or from them to it, or both, for a while. */
  cut(box: ServerBox, how: CutPlan["how"], forMs: Millis): void {
    this.cuts++;
    const others = this.boxes.filter((other) => other !== box);
    this.#cut(box.place, others, how, forMs);
  }

  /** The same of a miner or client, with some servers. */
  cutPeer(place: string, from: readonly ServerBox[], how: CutPlan["how"], forMs: Millis): void {
    this.peerCuts++;
    this.#cutsOf.set(place, this.cutsOf(place) + 1);
    this.#cut(place, from, how, forMs);
  }

  /** How often a miner or client was cut off. */
  cutsOf(place: string): number {
    return this.#cutsOf.get(place) ?? 0;
  }

  #cut(place: string, others: readonly ServerBox[], how: CutPlan["how"], forMs: Millis): void {
    this.disturb();
    const whom = others.map(({ number }) => number).join();
    this.trace?.(() => `${place} is cut off (${how}) from ${whom} for ${forMs.toFixed(0)} ms`);
    for (const other of others) {
      if (how !== "in") this.lines.cut(place, other.place, forMs);
      if (how !== "out") this.lines.cut(other.place, place, forMs);
    }
    this.loop.after(forMs, () => this.disturb());
  }

  /** Its disk failed: the process ends. */
  stopped(box: ServerBox, reason: string): void {
    this.trace?.(() => `server ${box.number} stops: ${reason}`);
    this.loop.after(0, () => this.crash(box, AGAIN_MS, false));
  }

  /** Has `hear` told what servers say on a line, whether it arrives or not. */
  listenOn(line: number, hear: (payload: Uint8Array) => void): void {
    this.#listeners.set(line, hear);
  }

  overheard(line: number, payload: Uint8Array): void {
    this.#listeners.get(line)?.(payload);
  }
}
