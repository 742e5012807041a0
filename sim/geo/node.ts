/**
 * A simulated server of the geo store: its actors' cores, its keeper with a disk, and a wall clock
 * of its own, which may be wrong and may jump.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { integerBetween, type Random } from "../../base/random.ts";
import { QueryCore } from "../../geo/core.ts";
import type { Report } from "../../geo/actor.ts";
import { Keeper, type KeeperEffect, type KeeperInput } from "../../geo/keeper.ts";
import type { QueryEffect, QueryInput, QueryOptions } from "../../geo/types.ts";
import type { Disk } from "../../run/disk_open.ts";
import { Computer } from "../engine/computer.ts";
import type { SimulatedDisk } from "../engine/disk.ts";
import type { Loop } from "../engine/loop.ts";
import type { Network } from "../engine/network.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import type { GeoMessage, GeoNetwork } from "./net.ts";
import type { GeoParts } from "./plants.ts";
import { WholeActors } from "./whole.ts";

/** The wall clocks of simulated servers read about this at the start of a run: in 2025. */
const WALL_ORIGIN_MS = 1_750_000_000_000;

/** What a server is made of. */
export interface GeoNodeOptions {
  readonly address: string;
  readonly actors: number;
  readonly joins: readonly string[];
  readonly loop: Loop;
  readonly random: Random;
  readonly network: GeoNetwork;
  readonly seed: number;
  /** Makes its disks; left out: it keeps nothing. */
  readonly newDisk: (() => SimulatedDisk) | undefined;
  readonly parts: GeoParts;
  readonly onReply: (address: string, client: number, bytes: Uint8Array) => void;
  readonly trace: TraceLine | undefined;
}

/** See the module. */
export class GeoNode {
  readonly address: string;
  disk: SimulatedDisk | undefined;
  readonly cores: QueryCore[] = [];
  readonly warnings: string[] = [];
  /** How far its wall clock is ahead. */
  aheadMs: Millis = 0;
  /** Lives so far, and the number of the last. */
  lives = 0;
  life = 0;
  readonly #options: GeoNodeOptions;
  readonly #computer: Computer;
  #actors: Pick<Process<QueryInput, QueryEffect>, "tell">[] = [];
  #whole: WholeActors | undefined;
  #keeper: Process<KeeperInput, KeeperEffect> | undefined;
  #open: Disk | undefined;

  constructor(options: GeoNodeOptions) {
    this.#options = options;
    this.address = options.address;
    this.#computer = new Computer({ name: options.address, loop: options.loop });
    this.disk = options.newDisk?.();
  }

  get isUp(): boolean {
    return this.#actors.length > 0;
  }

  wallMs(): Millis {
    return WALL_ORIGIN_MS + this.#options.loop.nowMs + this.aheadMs;
  }

  /** Starts a life with what the disk has. */
  start(): void {
    if (this.isUp) return;
    const { address, actors, joins, random, parts, trace } = this.#options;
    const keeper = this.#openKeeper();
    if (this.disk !== undefined && keeper === undefined) return;
    const life = parts.life?.(address) ?? integerBetween(random, 1, 2 ** 31) * 2 ** 10;
    trace?.(() => `${address}: life ${life} begins`);
    this.lives++;
    this.life = life;
    const wallMs = (): Millis => this.wallMs();
    const entries = keeper === undefined ? [] : [...keeper.replica.entries()];
    const isDurable = keeper !== undefined;
    const own = { address, life, actors, joins, entries, wallMs, isDurable, rules: parts.rules };
    const query = parts.paceMs === undefined ? own : { ...own, paceMs: parts.paceMs };
    if (this.#options.network.lsp === undefined) this.#startAlone(query);
    else this.#startWhole(query, this.#options.network.lsp);
  }

  /** The actors' cores alone, each a process. */
  #startAlone(query: Omit<QueryOptions, "index">): void {
    for (let index = 0; index < query.actors; index++) {
      const core = new QueryCore({ ...query, index }, this.#options.loop.nowMs);
      this.#options.parts.spoil?.(core);
      this.cores.push(core);
      const carryOut = (effect: QueryEffect): void => this.#carryOut(index, effect);
      this.#actors.push(new Process({ computer: this.#computer, core, carryOut }));
    }
    for (const one of this.#actors) one.tell({ kind: "wake" });
  }

  /** The actors in a system that talks over LSP. */
  #startWhole(query: Omit<QueryOptions, "index">, network: Network): void {
    const { seed, parts, trace } = this.#options;
    // Before they are made: what they were told then is done at once.
    for (let index = 0; index < query.actors; index++) {
      this.#actors.push({ tell: (input) => this.#whole?.tell(index, input) });
    }
    this.#whole = new WholeActors({
      seed: seed * 16 + this.lives,
      computer: this.#computer,
      network,
      trace,
      query,
      onCore: (core, index) => {
        parts.spoil?.(core);
        this.cores.push(core);
        const poll = core.poll.bind(core);
        core.poll = () => {
          const effect = poll();
          if (effect?.kind === "tell") this.#count(index, effect);
          return effect;
        };
      },
      onReport: (report) => this.#onReport(report),
    });
  }

  /** Gone at once, with all that was not durable. */
  crash(): void {
    if (!this.isUp) return;
    this.#options.trace?.(() => `${this.address} crashes`);
    this.#computer.crash();
    this.#actors = [];
    this.#whole?.crash();
    this.#whole = undefined;
    this.cores.length = 0;
    this.#keeper = undefined;
    this.#open?.abandon(() => {});
    this.#open = undefined;
    this.disk?.crashProcess();
    this.disk?.cutPower();
  }

  receive(index: number, { from, bytes }: GeoMessage): void {
    this.#options.trace?.(() => `${this.address}#${index} hears ${bytes.length} B of ${from}`);
    this.#actors[index]?.tell({ kind: "envelope", bytes });
  }

  request(actor: number, client: number, bytes: Uint8Array): void {
    this.#actors[actor]?.tell({ kind: "request", client, bytes });
  }

  /** The disk is lost, with all that it had. */
  loseDisk(): void {
    this.crash();
    this.disk = this.#options.newDisk?.();
  }

  #openKeeper(): Keeper | undefined {
    if (this.disk === undefined) return undefined;
    const { loop } = this.#options;
    const { disk, state } = this.disk.open({ kind: "geo", segmentBytes: 64 << 10 });
    const snapshotBytes = 2000;
    const keeper = new Keeper({ state, wallMs: () => this.wallMs(), snapshotBytes }, loop.nowMs);
    const carryOut = (effect: KeeperEffect): void => {
      if (effect.kind === "kept") {
        this.#actors[effect.actor]?.tell({ kind: "kept", ticket: effect.ticket });
      } else if (effect.kind !== "trouble") disk.handle(effect);
      else if (effect.isFinal) loop.after(0, () => this.crash());
    };
    const process = new Process({ computer: this.#computer, core: keeper, carryOut });
    this.#open = disk;
    this.#keeper = process;
    disk.start((input) => process.tell(input));
    process.tell({ kind: "wake" });
    return keeper;
  }

  #carryOut(index: number, effect: QueryEffect): void {
    if (effect.kind === "tell") {
      const { server, index: other, bytes } = effect;
      const from = `${this.address}#${index}@${this.life}`;
      this.#options.network.send({ from, to: `${server}#${other}`, bytes });
    } else this.#onReport(effect.kind === "keep" ? { ...effect, actor: index } : effect);
  }

  /** What an actor sends by its system counts as if it were sent here. */
  #count(index: number, { server, index: other, bytes }: QueryEffect & { kind: "tell" }): void {
    const from = `${this.address}#${index}@${this.life}`;
    this.#options.network.count({ from, to: `${server}#${other}`, bytes });
  }

  #onReport(report: Report): void {
    switch (report.kind) {
      case "reply":
        return this.#options.onReply(this.address, report.client, report.bytes);
      case "keep":
        return this.#keeper?.tell(report);
      case "warn":
        this.warnings.push(report.text);
        return this.#options.trace?.(() => `${this.address} warns: ${report.text}`);
    }
  }
}
