/**
 * One seed of the game: bots play while servers crash and are cut off from each other; then all
 * heals, and every coin, piece of hardware and hit must have a reason.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { keyOf } from "../../geo/requests.ts";
import {
  coinsKey,
  HARDWARE_NAMES,
  hardwareKey,
  hitPoints,
  hitsKey,
  RETIRED,
  RISEN,
} from "../../mud/mod.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { tracer, type Transcript } from "../engine/trace.ts";
import type { GeoNode } from "../geo/node.ts";
import { GeoWorld } from "../geo/world.ts";
import { Ledger } from "./ledger.ts";
import { drawMudPlan, type MudDeed, type MudPlan } from "./plan.ts";
import { MUD_PLANTS, type MudPlant, mudParts } from "./plants.ts";
import { SimPlayer } from "./player.ts";

/** After healing all replicas are the same within this, and all players have come to rest. */
const SETTLE_MS = 60_000;
/** Bots look this often whether they have something to do. */
const LOOK_MS = 100;

/** The game on the geo store. */
export const MUD: Harness = {
  name: "mud",
  about: "the game: coins, hardware and hit points that add up, whatever is cut off",
  plants: MUD_PLANTS,
  prepare: (seed, plant, transcript) => new MudRun(seed, plant as MudPlant, transcript),
};

class MudRun implements Run {
  readonly plan: MudPlan;
  readonly #world: GeoWorld;
  readonly #dice: Dice;
  readonly #ledger = new Ledger();
  readonly #players = new Map<string, SimPlayer>();
  readonly #seed: number;
  readonly #plant: MudPlant | undefined;
  readonly #trace: ReturnType<typeof tracer>;
  #isHealed = false;
  #lives = 0;

  constructor(seed: number, plant: MudPlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawMudPlan(seed);
    this.#seed = seed;
    this.#plant = plant;
    this.#dice = new Dice(seed, Stream.script);
    this.#world = new GeoWorld({ seed, transcript });
    this.#trace = tracer(this.#world.loop, transcript);
  }

  run(): void {
    const world = this.#world;
    const { faults, deeds, healAtMs, players, isRestless } = this.plan;
    this.#start();
    world.network.faults = faults;
    for (const name of players) this.#join(name);
    this.#work();
    for (const { atMs, deed } of deeds) {
      world.run(Math.max(0, atMs - world.loop.nowMs));
      this.#do(deed);
      if (isRestless && this.#dice.chance(0.3)) this.#replace(this.#dice.pick(players));
    }
    world.run(Math.max(0, healAtMs - world.loop.nowMs));
    this.#heal();
    world.runUntil(() => this.#isAtRest, SETTLE_MS, "players at rest and the same replicas");
    this.#check();
  }

  counts(): Record<string, number> {
    const nodes = [...this.#world.nodes.values()];
    const servers = nodes.reduce((sum, { lives }) => sum + lives, 0);
    return { ...this.#ledger.counts, clients: this.#lives, "lives of servers": servers };
  }

  get #isAtRest(): boolean {
    return [...this.#players.values()].every(({ isIdle }) => isIdle) && this.#world.areEqual;
  }

  /** The servers, and a world that has had a past. */
  #start(): void {
    const world = this.#world;
    const { servers, actors, hits, coins, players } = this.plan;
    world.network.faults = { latencyMs: 1, jitterMs: 0, lossShare: 0, duplicateShare: 0 };
    const first = world.server(1, actors, [], true);
    for (let number = 2; number <= servers; number++) {
      world.server(number, actors, [first.address], true);
    }
    hits.forEach((amount, rank) => this.#give(first, hitsKey(rank, 0), amount));
    for (const name of players) this.#give(first, coinsKey(name), coins);
    world.runUntil(() => world.areEqual, SETTLE_MS, "the same replicas at the start");
  }

  #give(node: GeoNode, key: string, delta: number): void {
    if (delta === 0) return;
    this.#world.ask(node, 0, { kind: "add", key: keyOf(key), delta });
    this.#ledger.books.gave(key, delta);
  }

  #join(name: string): void {
    const { nodes } = this.#world;
    const home = nodes.get(this.#dice.pick([...nodes.keys()]))!;
    const random = seededRandom(this.#seed, Stream.cores + ++this.#lives);
    const player = new SimPlayer(
      {
        name,
        world: this.#world,
        ledger: this.#ledger,
        random,
        parts: mudParts(this.#plant),
        trace: this.#trace,
      },
      home,
      this.#dice.integer(0, this.plan.actors - 1),
    );
    this.#players.set(name, player);
  }

  /** A player goes, politely or not, and comes back somewhere else. */
  #replace(name: string): void {
    const isNow = this.#dice.chance(0.5);
    if (isNow) this.#ledger.left(name);
    this.#players.get(name)?.leave(isNow);
    if (this.#players.get(name)?.hasLeft === true) this.#join(name);
  }

  #work(): void {
    if (this.#isHealed) return;
    for (const player of this.#players.values()) player.play();
    this.#world.loop.after(LOOK_MS, () => this.#work());
  }

  #do(deed: MudDeed): void {
    const { network, nodes } = this.#world;
    const all = [...nodes.keys()];
    if (deed === "crash") return nodes.get(this.#dice.pick(all))!.crash();
    if (deed === "restart") {
      for (const node of nodes.values()) node.start();
      return;
    }
    if (deed === "mend") return network.mendAll();
    const side = new Map(all.map((one) => [one, this.#dice.chance(0.5)]));
    for (const a of all) for (const b of all) if (side.get(a) !== side.get(b)) network.cut(a, b);
  }

  #heal(): void {
    this.#isHealed = true;
    const { network, nodes } = this.#world;
    network.mendAll();
    network.faults = { ...network.faults, lossShare: 0, duplicateShare: 0 };
    for (const node of nodes.values()) node.start();
  }

  #check(): void {
    const { players, coins } = this.plan;
    const [node] = this.#world.nodes.values();
    const count = (key: string): number => this.#world.count(node!, 0, key) ?? 0;
    for (const name of players) {
      this.#ledger.check(coinsKey(name), count(coinsKey(name)));
      this.#ledger.checkCoins(name, coinsKey(name), coins, count(coinsKey(name)));
      for (const kind of HARDWARE_NAMES) {
        this.#ledger.check(hardwareKey(name, kind), count(hardwareKey(name, kind)));
      }
    }
    for (let rank = 0; rank < RETIRED; rank++) {
      let round = 0;
      for (; count(hitsKey(rank, round)) >= hitPoints(rank); round++) {
        this.#ledger.check(hitsKey(rank, round), count(hitsKey(rank, round)));
      }
      this.#ledger.check(hitsKey(rank, round), count(hitsKey(rank, round)));
    }
    this.#ledger.checkRises();
    const risen = this.#world.list(node!, 0, RISEN).map((item) => item.split("=")[0]!);
    this.#ledger.checkRisen(new Set(risen));
  }
}
