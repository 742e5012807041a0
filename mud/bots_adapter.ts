/**
 * Bots: players that type by dice, and keep books of every coin, piece of hardware and hit.
 *
 * @module
 */
import { seededRandom } from "../base/random.ts";
import { openGeo } from "../geo/mod.ts";
import { atMost } from "../run/patience.ts";
import { botLine } from "./bot.ts";
import { Books } from "./books.ts";
import { MudPlayer, type Search } from "./adapter.ts";
import type { GameEvent } from "./types.ts";
import { GeoGameWorld } from "./world_adapter.ts";

/** How long a bot that was told of trouble waits. */
const TROUBLE_MS = 500;
/** How long a goodbye may take. */
const GOODBYE_MS = 20_000;

/** How bots are made. */
export interface BotsOptions {
  /** Addresses of servers; bots begin on one after the other. */
  readonly servers: readonly string[];
  /** Their names. */
  readonly names: readonly string[];
  readonly seed: number;
  readonly search?: Search | undefined;
  readonly onEvent?: (name: string, event: GameEvent) => void;
}

/** Bots at play. */
export class Bots {
  readonly #worlds: GeoGameWorld[] = [];
  readonly #players: MudPlayer[] = [];
  readonly #left: Promise<void>[] = [];
  readonly #options: BotsOptions;
  #isOver = false;

  constructor(options: BotsOptions) {
    this.#options = options;
    options.names.forEach((name, at) => this.#start(name, at));
  }

  /** How many are in the game. */
  get joined(): number {
    return this.#players.filter(({ hasJoined }) => hasJoined).length;
  }

  /** What all of them did to counters. */
  get books(): Books {
    const books = new Books();
    for (const world of this.#worlds) books.addAll(world.books);
    return books;
  }

  /** Has them leave, behind what they do or, with `isNow`, at once. */
  async stop(isNow = false): Promise<void> {
    this.#isOver = true;
    for (const player of this.#players) player.leave(isNow);
    await atMost(GOODBYE_MS, Promise.all(this.#left));
    await Promise.all(this.#worlds.map((world) => world.close()));
  }

  #start(name: string, at: number): void {
    const { servers, seed, search, onEvent } = this.#options;
    const random = seededRandom(seed, at);
    const world = new GeoGameWorld({ servers, home: servers[at % servers.length] });
    let isTroubled = false;
    const type = (): void => {
      if (!this.#isOver) player.type(botLine(player.isFighting, random));
    };
    const player: MudPlayer = new MudPlayer({
      name,
      world,
      random,
      search,
      onEvent: (event) => {
        isTroubled ||= event.kind === "trouble";
        onEvent?.(name, event);
      },
      onReady: () => {
        if (isTroubled) setTimeout(type, TROUBLE_MS);
        else queueMicrotask(type);
        isTroubled = false;
      },
    });
    this.#worlds.push(world);
    this.#players.push(player);
    this.#left.push(
      player.left.then(() => {
        // No server answered it: it comes again.
        if (!this.#isOver && !player.hasJoined) setTimeout(() => this.#again(name), TROUBLE_MS);
      }),
    );
  }

  #again(name: string): void {
    const at = this.#players.length;
    if (!this.#isOver) this.#start(name, at);
  }
}

/** How books are checked. */
export interface CheckOptions {
  readonly servers: readonly string[];
  readonly books: Books;
  /** What the counters came to before. */
  readonly before: ReadonlyMap<string, number>;
  readonly keys: Iterable<string>;
  /** How long servers may take to agree. */
  readonly withinMs: number;
}

/** What a counter comes to on each server, in their order. Rejects with a GeoError. */
export async function countsOf(
  servers: readonly string[],
  keys: Iterable<string>,
): Promise<Map<string, readonly number[]>> {
  await using store = openGeo({ servers });
  const counts = new Map<string, readonly number[]>();
  for (const key of keys) {
    counts.set(key, await Promise.all(servers.map((server) => store.count(key, { server }))));
  }
  return counts;
}

/** What is wrong with the books once all servers agree; empty if nothing is. */
export async function checkBooks(options: CheckOptions): Promise<readonly string[]> {
  const { servers, books, before, keys, withinMs } = options;
  const all = [...keys];
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const wrong: string[] = [];
    for (const [key, [first = 0, ...others]] of await countsOf(servers, all)) {
      const why = books.whyNot(key, first - (before.get(key) ?? 0));
      if (why !== undefined) wrong.push(why);
      if (others.some((other) => other !== first)) {
        wrong.push(`${key}: servers do not agree: ${[first, ...others].join(", ")}`);
      }
    }
    if (wrong.length === 0 || performance.now() > untilMs) return wrong;
    await Bun.sleep(200);
  }
}
