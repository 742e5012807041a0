/**
 * What a player can do, one generator a command.
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import { nearest } from "../base/text.ts";
import { type Fighter, solve, takeOn } from "./fight.ts";
import {
  coinsKey,
  hardwareKey,
  HERE,
  ownerOf,
  PLACE,
  placeKey,
  readPlace,
  RISEN,
  saidKey,
  SAYING_MAX,
  writeSaid,
} from "./keys.ts";
import {
  affordable,
  coinsOfHash,
  COINS_MAX,
  FIRST_PLACE,
  HARDWARE,
  minedCoins,
  nonceCount,
  OWNED_MAX,
  type Place,
  placeOf,
  PLACES,
  powerOf,
  RANKS,
  RETIRED,
  sold,
  workMs,
} from "./rules.ts";
import type { Person } from "./types.ts";
import {
  add,
  coinsOf,
  type Flow,
  inventoryOf,
  list,
  placeOfPlayer,
  problemOf,
  put,
  rankOf,
  work,
} from "./world.ts";

/** What commands need of the player. */
export interface Player extends Fighter {
  readonly random: Random;
  /** Whether mining is a search on a fleet. */
  readonly isFleet: boolean;
  /** Searches so far: what makes their messages differ. */
  searches: number;
  /** Whom this client has not heard of for too long. */
  isGone(name: string): boolean;
  leave(): void;
}

/** Mines one after another with one command. */
export const MINES_MAX = 100;
/** Players that `top` shows, and among how many of one rank it compares coins. */
const TOP = 10;
const COMPARED_MAX = 100;

/** A command: what stands behind its name, and the steps that it takes. */
type Command = (player: Player, rest: string) => Flow;

/** What can be done outside a fight. */
const COMMANDS: Readonly<Record<string, Command>> = {
  help,
  stats,
  map,
  move,
  mine,
  shop,
  buy,
  inv,
  solve: takeOn,
  who,
  say,
  top,
  quit,
};

/** What can be done in a fight. */
const FIGHT_COMMANDS: Readonly<Record<string, Command>> = {
  solve: (player) => solve(player, player.fight ?? { rank: 0, round: 0 }),
  resign,
  inv,
  help,
  quit,
};

/** The names of commands, for people. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);
export const FIGHT_COMMAND_NAMES: readonly string[] = Object.keys(FIGHT_COMMANDS);

/** The steps of the line that a player typed; undefined for an empty one. */
export function commandOf(player: Player, line: string): Flow | undefined {
  const [, word = "", rest = ""] = /^\s*(\S*)\s*(.*?)\s*$/su.exec(line) ?? [];
  const name = word.toLowerCase();
  if (name === "") return undefined;
  const commands = player.fight === undefined ? COMMANDS : FIGHT_COMMANDS;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return command?.(player, rest) ?? unknown(player, name);
}

// oxlint-disable-next-line require-yield -- a flow like the others, which waits for nothing
function* unknown(player: Player, name: string): Flow {
  if (player.fight !== undefined && Object.hasOwn(COMMANDS, name)) {
    const allowed = FIGHT_COMMAND_NAMES.join(", ");
    player.tell({ kind: "refused", text: `${name}: not in a fight; here you can ${allowed}` });
    return;
  }
  const near = nearest(name, player.fight === undefined ? COMMAND_NAMES : FIGHT_COMMAND_NAMES);
  const hint = near === undefined ? "help lists the commands" : `did you mean ${near}?`;
  player.tell({ kind: "refused", text: `${name.slice(0, 40)}: no such command; ${hint}` });
}

// oxlint-disable-next-line require-yield
function* help(player: Player): Flow {
  player.tell({ kind: "help", isFight: player.fight !== undefined });
}

// oxlint-disable-next-line require-yield
function* quit(player: Player): Flow {
  player.leave();
}

// oxlint-disable-next-line require-yield
function* resign(player: Player): Flow {
  player.fight = undefined;
  player.tell({ kind: "resigned" });
}

function* stats(player: Player): Flow {
  const rank = yield* rankOf(player.name);
  const place = yield* placeOfPlayer(player.name);
  const coins = yield* coinsOf(player.name);
  const power = powerOf(yield* inventoryOf(player.name));
  const all = { kind: "stats", name: player.name, rank, place, coins, power } as const;
  player.tell(rank === RETIRED ? all : { ...all, left: (yield* problemOf(rank)).left });
}

function* map(player: Player): Flow {
  const here = yield* placeOfPlayer(player.name);
  const players: Record<string, number> = {};
  for (const { place } of yield* present(player)) players[place] = (players[place] ?? 0) + 1;
  player.tell({ kind: "map", here, players });
}

function* move(player: Player, rest: string): Flow {
  const place = placeOf(rest);
  if (place === undefined) {
    const got = rest === "" ? "move where?" : `${rest.slice(0, 40)}: no such place;`;
    player.tell({ kind: "refused", text: `${got} there are ${PLACES.join(", ")}` });
    return;
  }
  yield* put(placeKey(player.name), place);
  const others = (yield* present(player)).filter(
    (one) => one.place === place && one.name !== player.name,
  );
  player.tell({ kind: "moved", place, others: others.map(({ name }) => name) });
}

function* mine(player: Player, rest: string): Flow {
  const times = rest === "" ? 1 : Number(rest);
  if (!Number.isInteger(times) || times < 1 || times > MINES_MAX) {
    const text = `mine ${rest.slice(0, 40)}: expected a number from 1 to ${MINES_MAX}`;
    player.tell({ kind: "refused", text });
    return;
  }
  for (let time = 0; time < times; time++) yield* mineOnce(player);
}

function* mineOnce(player: Player): Flow {
  const power = powerOf(yield* inventoryOf(player.name));
  const found = player.isFleet ? yield* searched(player, power) : yield* dug(player, power);
  const before = yield* coinsOf(player.name);
  const coins = Math.max(0, Math.min(found, COINS_MAX - before));
  const total = coins === 0 ? before : yield* add(coinsKey(player.name), coins);
  player.tell({ kind: "mined", coins, total });
}

function* dug(player: Player, power: number): Flow<number> {
  const ms = workMs(player.random);
  player.tell({ kind: "working", ms, what: "mine" });
  yield* work(ms);
  return minedCoins(power, player.random);
}

function* searched(player: Player, power: number): Flow<number> {
  const count = nonceCount(power);
  player.tell({ kind: "searching", count });
  // A message that nobody has searched before, as its answer would be known.
  const message = `mud ${player.name} ${player.random()} ${player.searches++}`;
  const { hash } = yield { kind: "search", message, count };
  return hash === undefined ? 0 : coinsOfHash(hash, count, power);
}

function* shop(player: Player): Flow {
  const items = sold(yield* rankOf(player.name));
  player.tell({ kind: "shop", coins: yield* coinsOf(player.name), items });
}

function* buy(player: Player, rest: string): Flow {
  const item = HARDWARE.find(({ name }) => name === rest.toLowerCase().replace(/[ -]/g, "_"));
  const rank = yield* rankOf(player.name);
  const names = sold(rank).map(({ name }) => name);
  if (item === undefined) {
    const got = rest === "" ? "buy what?" : `${rest.slice(0, 40)}: no such hardware;`;
    player.tell({ kind: "refused", text: `${got} the shop sells you ${names.join(", ")}` });
    return;
  }
  if (!names.includes(item.name)) {
    const from = RANKS[HARDWARE.indexOf(item)] ?? "";
    player.tell({ kind: "refused", text: `${item.name} is sold from ${from} on` });
    return;
  }
  const coins = yield* coinsOf(player.name);
  const owned = (yield* inventoryOf(player.name))[item.name];
  const count = affordable(coins, item.price, owned);
  if (count === 0) {
    const text =
      owned >= OWNED_MAX
        ? `nobody may have more than ${OWNED_MAX} of ${item.name}`
        : `one ${item.name} costs ${item.price}; you have ${coins}`;
    player.tell({ kind: "refused", text });
    return;
  }
  const cost = count * item.price;
  // Paid first: who is cut off in between has lost coins, and not got hardware for nothing.
  const left = yield* add(coinsKey(player.name), -cost);
  yield* add(hardwareKey(player.name, item.name), count);
  player.tell({ kind: "bought", hardware: item.name, count, cost, coins: left });
}

function* inv(player: Player): Flow {
  const inventory = yield* inventoryOf(player.name);
  player.tell({ kind: "inventory", inventory, power: powerOf(inventory) });
}

/** Everybody who is in the game, this player included. */
function* present(player: Player): Flow<readonly Person[]> {
  const names = new Set<string>();
  for (const { key } of yield* list(HERE)) {
    const name = ownerOf(key, HERE);
    if (name !== undefined && !player.isGone(name)) names.add(name);
  }
  return (yield* people()).filter(({ name }) => names.has(name));
}

/** Everybody who ever played. */
function* people(): Flow<readonly Person[]> {
  const ranks = new Map<string, number>();
  for (const { key } of yield* list(RISEN)) {
    const name = ownerOf(key, RISEN);
    if (name !== undefined) ranks.set(name, Math.min(RETIRED, (ranks.get(name) ?? 0) + 1));
  }
  const all: Person[] = [];
  for (const { key, value } of yield* list(PLACE)) {
    const name = ownerOf(key, PLACE);
    if (name === undefined || key !== placeKey(name)) continue;
    const place: Place = readPlace(value) ?? FIRST_PLACE;
    all.push({ name, rank: ranks.get(name) ?? 0, place });
  }
  return all;
}

function* who(player: Player): Flow {
  player.tell({ kind: "who", players: yield* present(player) });
}

function* say(player: Player, rest: string): Flow {
  const text = rest.replace(/\p{C}/gu, "");
  if (text === "") {
    player.tell({ kind: "refused", text: "say what?" });
    return;
  }
  if (text.length > SAYING_MAX) {
    const got = `that is ${text.length} characters long`;
    player.tell({ kind: "refused", text: `${got}; at most ${SAYING_MAX} can be said at once` });
    return;
  }
  const place = yield* placeOfPlayer(player.name);
  yield* put(saidKey(player.name), writeSaid({ place, text }));
  player.tell({ kind: "said", name: player.name, text });
}

function* top(player: Player): Flow {
  const all = [...(yield* people())].sort((a, b) => b.rank - a.rank).slice(0, COMPARED_MAX);
  const rich: (Person & { readonly coins: number })[] = [];
  for (const one of all) rich.push({ ...one, coins: yield* coinsOf(one.name) });
  rich.sort((a, b) => b.rank - a.rank || b.coins - a.coins || (a.name < b.name ? -1 : 1));
  player.tell({ kind: "top", players: rich.slice(0, TOP) });
}
