/**
 * A simulated server of map-reduce: the real core on connections that may end, with a job table
 * that outlives a crash if it is kept. What was proposed and is not committed a moment later, a
 * crash loses.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, unitReal } from "../../base/random.ts";
import { Coordinator } from "../../mapreduce/coordinator.ts";
import {
  type RowGroups,
  ServerCore,
  type ServerEffect,
  type ServerInput,
  type ServerSnapshot,
} from "../../server/mod.ts";
import { TableMachine } from "../../server/table_machine.ts";
import { Computer } from "../engine/computer.ts";
import { type Line, type LineEnd, Lines } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import { addressOf } from "./peer_net.ts";
import type { MapReducePlan } from "./plan.ts";
import type { MapReducePlant } from "./plants.ts";

/** What is told of it. */
export interface ServerWorld {
  readonly loop: Loop;
  readonly random: Random;
  readonly plan: MapReducePlan;
  readonly plant: MapReducePlant | undefined;
  /** It says something to a connection. */
  says(connId: number, payload: Uint8Array): void;
  log(text: string): void;
  /** An input is carried out. */
  look(): void;
  /** A connection says something, before the core hears it; and after that. */
  hears(connId: number, payload: Uint8Array): void;
  heard(connId: number, payload: Uint8Array): void;
  /** A connection is gone; false: the server is not to notice. */
  loses(connId: number): boolean;
}

/** Where it is. */
export const SERVER = "server";
/** A command of the table takes so long to be committed. */
const COMMIT_MS: readonly [Millis, Millis] = [0.5, 20];

/** See the module. */
export class ServerMachine {
  coordinator!: Coordinator;
  readonly #world: ServerWorld;
  #core!: ServerCore;
  #process: Process<ServerInput, ServerEffect> | undefined;
  /** Between it, workers and clients. */
  readonly lines: Lines<undefined>;
  readonly #lines = new Map<number, Line>();
  #table = new TableMachine();
  /** The newest connection. */
  #newest = 0;
  #committedMs: Millis = 0;

  constructor(world: ServerWorld) {
    this.#world = world;
    const { loop, random, plan } = world;
    this.lines = new Lines({ loop, random, faults: plan.lines });
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  get snapshot(): ServerSnapshot {
    return this.#core.snapshot();
  }

  /** What map-reduce has in the table. */
  get rows(): RowGroups {
    return this.#table.table.rows.groups;
  }

  isConnected(connId: number): boolean {
    return this.#lines.has(connId);
  }

  /** Begins with the table as it is kept. */
  start(): void {
    if (this.isUp) return;
    const { loop, plan, plant } = this.#world;
    const saved = this.#table.snapshot();
    this.#table = new TableMachine();
    if (plan.keepsTable && plant !== "plan-lost") this.#table.restore(saved);
    const table = plan.keepsTable ? { table: this.#table } : {};
    this.#core = new ServerCore({
      addressOf,
      ...table,
      kinds: [(fleet, port) => (this.coordinator = new Coordinator(fleet, port, plan.awayMs))],
    });
    this.#process = new Process<ServerInput, ServerEffect>({
      computer: new Computer({ name: "server", loop }),
      core: this.#core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => this.#world.look(),
    });
    this.lines.listen(SERVER, (line) => this.#accept(line));
    if (plan.keepsTable) this.#process.tell({ kind: "lead" });
    if (plant !== "ghost") return;
    for (const job of this.coordinator.jobs) {
      for (const task of job.plan.maps) job.plan.found(task, this.#newest);
    }
  }

  /** Gone at once: its peers notice after a while. */
  crash(): void {
    this.#process?.crash();
    this.#process = undefined;
    this.#lines.clear();
    this.lines.crash(SERVER);
  }

  #accept(line: Line): LineEnd {
    const connId = line.id;
    this.#newest = connId;
    this.#lines.set(connId, line);
    return {
      received: (payload) => this.#hear(connId, payload),
      gone: () => this.#tellGone(connId),
    };
  }

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") return this.#world.log(effect.text);
    if (effect.kind === "propose") return this.#propose(effect.id, effect.command);
    const line = this.#lines.get(effect.connId);
    if (effect.kind === "close") {
      line?.hangUp();
      return this.#tellGone(effect.connId);
    }
    this.#world.says(effect.connId, effect.payload);
    line?.say(effect.payload);
  }

  /** Commands are committed in order. */
  #propose(id: number, command: Uint8Array): void {
    const { loop, random } = this.#world;
    const [least, most] = COMMIT_MS;
    const atMs = loop.nowMs + least + unitReal(random) * (most - least);
    this.#committedMs = Math.max(this.#committedMs, atMs);
    const process = this.#process;
    const table = this.#table;
    loop.at(this.#committedMs, () => {
      // What a crash came before is lost.
      if (this.#process !== process || this.#table !== table) return;
      table.apply(command);
      process?.tell({ kind: "decided", id });
    });
  }

  #hear(connId: number, payload: Uint8Array): void {
    if (!this.isUp) return;
    this.#world.hears(connId, payload);
    this.#process!.tell({ kind: "payload", connId, wire: "cbor", payload });
    this.#world.heard(connId, payload);
  }

  #tellGone(connId: number): void {
    if (!this.#lines.delete(connId) || !this.#world.loses(connId)) return;
    this.#process?.tell({ kind: "gone", connId, why: "it was lost" });
  }
}
