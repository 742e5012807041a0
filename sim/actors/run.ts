/**
 * One seed of actors: systems that tell and watch each other over LSP while connections break and
 * machines crash; then everything heals. Safety is demanded always; where nothing is in the way,
 * that all arrives, and soon; at last that all who watch were told.
 *
 * @module
 */
import type { SystemCore, SystemEffect } from "../../actors/mod.ts";
import { ITEM_OVERHEAD_BYTES } from "../../actors/cell.ts";
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { Computer, PLAIN } from "../engine/computer.ts";
import { Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { calmFaults } from "../../base/link.ts";
import { Loop } from "../engine/loop.ts";
import { Network } from "../engine/network.ts";
import { demand, runTill, type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { LSP_WIRE } from "../lsp/wire.ts";
import { sink, type Stage, watcher, writer } from "./cast.ts";
import { ActorNode } from "./node.ts";
import { addressOf, type Letter, MAILBOX, Oracle, SINK, WATCH_MS } from "./oracle.ts";
import { type ActorsPlan, type Deed, drawActorsPlan, EPOCH_LIMIT, EPOCH_MS } from "./plan.ts";
import { ACTORS_PLANTS, type ActorsPlant, Meddler } from "./plants.ts";

const STEPS_MAX = 400_000;
/** Inputs from one look at the bounds to the next. */
const LOOK_ONE_IN = 4;
/** How often it is looked at whether all is over. */
const LOOK_MS: Millis = 500;
/** A message of a writer has at most so many bytes beside its pad. */
const LETTER_BYTES_MAX = 300;
/** After healing, what waits is told within this: LSP may have backed off for long. */
const SETTLE_MS: Millis = 10_000;

/** Actors on several systems. */
export const ACTORS: Harness = {
  name: "actors",
  about: "systems of actors that tell and watch each other over LSP",
  plants: ACTORS_PLANTS,
  prepare: (seed, plant, transcript) => new ActorsRun(seed, plant as ActorsPlant, transcript),
};

class ActorsRun implements Run {
  readonly plan: ActorsPlan;
  readonly #loop = new Loop();
  readonly #network: Network;
  readonly #oracle: Oracle;
  readonly #trace: TraceLine | undefined;
  readonly #nodes: ActorNode[];
  readonly #lives: number[][];
  readonly #stage: Stage;
  readonly #plant: ActorsPlant | undefined;
  #isOver = false;
  #crashes = 0;
  #looks = 0;
  #unsettled = 0;

  constructor(seed: number, plant: ActorsPlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawActorsPlan(seed);
    this.#plant = plant;
    this.#trace = tracer(this.#loop, transcript);
    const random = seededRandom(seed, Stream.network);
    this.#network = new Network(this.#loop, random, LSP_WIRE, this.#trace);
    this.#oracle = new Oracle(this.#loop, this.plan);
    const { systems } = this.plan;
    this.#lives = Array.from({ length: systems }, () => []);
    this.#stage = {
      plan: this.plan,
      oracle: this.#oracle,
      isOver: () => this.#isOver,
      someLife: (system, pick) => {
        const lives = this.#lives[system]!;
        return lives[Math.min(lives.length - 1, Math.floor(pick * lives.length))] ?? 0;
      },
    };
    this.#nodes = Array.from({ length: systems }, (_, system) => this.#createNode(system));
    for (const from of this.#nodes.keys()) {
      for (const to of this.#nodes.keys()) {
        this.#network.link(`system ${from}`, `system ${to}`).faults = this.plan.faultsOf(from, to);
      }
    }
  }

  run(): void {
    const { healMs, deeds, emptyMs } = this.plan;
    for (const node of this.#nodes) node.start();
    for (const deed of deeds) this.#loop.at(deed.atMs, () => this.#do(deed));
    for (let atMs = emptyMs; atMs < healMs; atMs += emptyMs) {
      this.#loop.at(atMs, () => this.#emptyAll());
    }
    this.#runUntil(healMs);
    this.#heal();
    const look = (): void => {
      this.#runUntil(this.#loop.nowMs + LOOK_MS);
      this.#emptyAll();
    };
    look();
    let account = this.#account();
    const isSettled = (): boolean => {
      account = this.#account();
      return account.missing >= 0 && account.missing <= account.unsettled;
    };
    const what = (): string => `${JSON.stringify(account)}: not all messages are got or counted`;
    runTill(this.#loop, isSettled, SETTLE_MS, what, look);
    const late = (): string => "somebody who watches was not told";
    runTill(this.#loop, () => this.#oracle.overdue() === 0, 2 * WATCH_MS, late, look);
  }

  counts(): Record<string, number> {
    return { ...this.#oracle.sums, crashes: this.#crashes, unsettled: this.#unsettled };
  }

  #runUntil(untilMs: Millis): void {
    this.#loop.runUntil(untilMs, () => {}, STEPS_MAX);
  }

  #createNode(system: number): ActorNode {
    const { seed, limits } = this.plan;
    const name = `system ${system}`;
    const random = seededRandom(seed, Stream.cores + system);
    const computer = new Computer({ name, loop: this.#loop, quirks: PLAIN, random });
    let meddler = new Meddler(this.#plant);
    return new ActorNode({
      address: addressOf(system),
      computer,
      network: this.#network,
      seed: seed * 8 + system,
      params: { epochMillis: EPOCH_MS, epochLimit: EPOCH_LIMIT },
      limits,
      trace: this.#trace,
      boot: (node, core) => {
        meddler = new Meddler(this.#plant);
        this.#boot(system, node, core);
      },
      onEffect: (_, effect) => this.#onEffect(system, effect),
      onLook: (_, core) => this.#look(core),
      onDial: (conn, address) => meddler.dialled(conn, address),
      meddle: (_, conn, payload) => meddler.writes(conn, payload),
      meddleIn: (_, conn, payload) => meddler.reads(conn, payload),
    });
  }

  #boot(system: number, node: ActorNode, core: SystemCore): void {
    this.#oracle.begins(system, core.incarnation);
    this.#lives[system]!.push(core.incarnation);
    const nowMs = node.computer.nowMs();
    core.startActor(sink(this.#stage, system), nowMs);
    core.startActor(watcher(this.#stage, system), nowMs);
    core.openMailbox();
    for (let i = 0; i < this.plan.writers; i++) {
      const name = `writer ${i} of life ${node.lives} of system ${system}`;
      core.startActor(writer(this.#stage, system, name), nowMs);
    }
  }

  #onEffect(system: number, effect: SystemEffect): void {
    if (effect.kind === "failed") throw effect.error;
    demand(effect.kind === "mail", () => `system ${system} asks for ${effect.kind}`);
  }

  #emptyAll(): void {
    for (const [system, { core, computer }] of this.#nodes.entries()) {
      if (core === undefined || computer.isAsleep) continue;
      for (let next = core.take(MAILBOX); next; next = core.take(MAILBOX)) {
        this.#oracle.gets(system, MAILBOX, next.message as Letter);
      }
    }
  }

  /** What waits anywhere is within its bounds. */
  #look(core: SystemCore): void {
    if (this.#looks++ % LOOK_ONE_IN !== 0) return;
    const { queueBytesMax, mailboxesBytesMax } = this.plan.limits;
    const { waitingBytes, unreadBytes } = core.stats();
    // One message may always wait, however large it is.
    const one = this.plan.padBytes + LETTER_BYTES_MAX + ITEM_OVERHEAD_BYTES;
    const most = Math.max(queueBytesMax, one);
    demand(waitingBytes <= most, () => `${waitingBytes} bytes wait toward a system`);
    demand(unreadBytes <= mailboxesBytesMax, () => `${unreadBytes} bytes wait in mailboxes`);
  }

  #do(deed: Deed): void {
    const node = this.#nodes[deed.system]!;
    this.#trace?.(() => JSON.stringify(deed));
    switch (deed.kind) {
      case "crash":
        if (!node.isUp) return;
        this.#crashes++;
        this.#oracle.ends(deed.system);
        return node.crash();
      case "start":
        return node.start();
      case "stopSink":
        return node.tell({ address: node.address, incarnation: 0, counter: SINK }, "stop");
      case "sleep":
        return node.computer.sleep(deed.forMs);
    }
    const [a, b] = [`system ${deed.system}`, `system ${deed.other}`];
    if (deed.kind === "cut") this.#network.cut(a, b);
    else if (deed.kind === "mend") this.#network.mend(a, b);
    else this.#network.link(a, b).isCut = true;
  }

  #heal(): void {
    this.#isOver = true;
    this.#network.heal(calmFaults(this.plan.latencyMs));
    for (const node of this.#nodes) node.computer.heal();
  }

  /** What is neither delivered nor counted, and how much of it may have been lost unseen. */
  #account(): { readonly missing: number; readonly unsettled: number } {
    let missing = 0;
    let unsettled = 0;
    for (const { core } of this.#nodes) {
      if (core === undefined) continue;
      const { sent, delivered, dropped, rejected } = core.stats();
      missing += sent - delivered;
      for (const [reason, messages] of Object.entries(dropped)) {
        if (reason === "unsettled") unsettled += messages;
        else missing -= messages;
        const isCalm = this.plan.mood === "calm" && messages > 0;
        demand(!isCalm, () => `${messages} messages were dropped (${reason}): nothing happened`);
      }
      const isSound = Object.keys(rejected).every((reason) => reason === "older connection");
      demand(isSound, () => `rejected: ${JSON.stringify(rejected)}`);
    }
    this.#unsettled = unsettled;
    // What a system that crashed knew is gone with it.
    return this.#crashes > 0 ? { missing: 0, unsettled } : { missing, unsettled };
  }
}
