/**
 * A simulated server of the geo store: its actors' cores, its keeper with a disk, and a wall clock
 * of its own, which may be wrong and may jump.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { integerBetween, type Random } from "../../base/random.ts";
import { QueryCore } from "../../geo/core.ts";
import { Keeper, type KeeperEffect, type KeeperInput } from "../../geo/keeper.ts";
import type { QueryEffect, QueryInput } from "../../geo/types.ts";
import type { Disk } from "../../run/disk_open.ts";
import { Computer } from "../engine/computer.ts";
import type { SimulatedDisk } from "../engine/disk.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import type { GeoMessage, GeoNetwork } from "./net.ts";
import type { GeoParts } from "./plants.ts";

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
  #actors: Process<QueryInput, QueryEffect>[] = [];
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
    const { address, actors, joins, loop, random, parts, trace } = this.#options;
    const keeper = this.#openKeeper();
    if (this.disk !== undefined && keeper === undefined) return;
    const life = parts.life?.(address) ?? integerBetween(random, 1, 2 ** 31) * 2 ** 10;
    trace?.(() => `${address}: life ${life} begins`);
    this.lives++;
    this.life = life;
    const wallMs = (): Millis => this.wallMs();
    const entries = keeper === undefined ? [] : [...keeper.replica.entries()];
    const isDurable = keeper !== undefined;
    const own = { address, life, actors, joins, entries, wallMs };
    for (let index = 0; index < actors; index++) {
      const made = { ...own, index, isDurable, rules: parts.rules };
      const options = parts.paceMs === undefined ? made : { ...made, paceMs: parts.paceMs };
      const core = new QueryCore(options, loop.nowMs);
      parts.spoil?.(core);
      this.cores.push(core);
      const carryOut = (effect: QueryEffect): void => this.#carryOut(index, effect);
      this.#actors.push(new Process({ computer: this.#computer, core, carryOut }));
    }
    for (const one of this.#actors) one.tell({ kind: "wake" });
  }

  /** Gone at once, with all that was not durable. */
  crash(): void {
    if (!this.isUp) return;
    this.#options.trace?.(() => `${this.address} crashes`);
    this.#computer.crash();
    this.#actors = [];
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
    const { address, network, onReply } = this.#options;
    switch (effect.kind) {
      case "tell": {
        const to = `${effect.server}#${effect.index}`;
        return network.send({ from: `${address}#${index}@${this.life}`, to, bytes: effect.bytes });
      }
      case "reply":
        return onReply(address, effect.client, effect.bytes);
      case "keep": {
        const { ticket, entry } = effect;
        return this.#keeper?.tell({ kind: "keep", actor: index, ticket, entry });
      }
      case "warn":
        this.warnings.push(effect.text);
        return this.#options.trace?.(() => `${address}#${index} warns: ${effect.text}`);
    }
  }
}
