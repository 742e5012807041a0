/**
 * The rules of the game as numbers: ranks, problems, hardware, and what dice decide. No world, no
 * time; docs/mud.md tells the same in words.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { chance, integerBetween, type Random } from "../base/random.ts";

/** What a player may be, from the first rank to the last. A rank is an index into this. */
export const RANKS = [
  "Undergraduate",
  "Masters",
  "PhD",
  "PostDoc",
  "Professor",
  "Retired",
] as const;

/** The last rank: nothing is left to solve. */
export const RETIRED: number = RANKS.length - 1;

/** Hit points of a whole problem, by the rank of those who work on it. */
const HIT_POINTS: readonly number[] = [100, 1_000, 10_000, 500_000, 10_000_000];

/** Hit points of the problem of a rank below {@link RETIRED}. */
export function hitPoints(rank: number): number {
  return HIT_POINTS[rank] ?? Infinity;
}

/** A kind of hardware. */
export interface Hardware {
  readonly name: HardwareName;
  /** Coins for one. */
  readonly price: number;
  /** What one adds to its owner's power. */
  readonly power: number;
}

/** The names of hardware, cheapest first. */
export const HARDWARE_NAMES = ["cpu", "gpu", "asic", "quantum", "dark_matter"] as const;
export type HardwareName = (typeof HARDWARE_NAMES)[number];

/** All hardware, cheapest first. */
export const HARDWARE: readonly Hardware[] = [
  { name: "cpu", price: 1, power: 1 },
  { name: "gpu", price: 5, power: 10 },
  { name: "asic", price: 25, power: 100 },
  { name: "quantum", price: 125, power: 1_000 },
  { name: "dark_matter", price: 625, power: 10_000 },
];

/** What the shop shows to a player of that rank, and sells: the first `rank + 1` kinds. */
export function sold(rank: number): readonly Hardware[] {
  return HARDWARE.slice(0, rank + 1);
}

/** How many of each kind somebody has. */
export type Inventory = Readonly<Record<HardwareName, number>>;

/** Most of one kind that a player buys into: sums stay far below what a counter holds. */
export const OWNED_MAX = 1_000_000;
/** Nobody mines beyond this. */
export const COINS_MAX: number = 10 ** 12;

/** What all of it can do together. */
export function powerOf(inventory: Inventory): number {
  return HARDWARE.reduce((sum, { name, power }) => sum + power * inventory[name], 0);
}

/**
 * How many `coins` pay for, with at most {@link OWNED_MAX} in all; 0 if they are fewer than the
 * price.
 */
export function affordable(coins: number, price: number, owned: number): number {
  return Math.max(0, Math.min(Math.floor(coins / price), OWNED_MAX - owned));
}

/** What is left of a kind when it breaks: a quarter, rounded down. */
export function quarter(count: number): number {
  return Math.floor(count / 4);
}

/** Longest that one mining, or one hit at a problem, takes. */
export const WORK_MS_MAX: Millis = 4_000;
const WORK_MS_MIN: Millis = 400;

/** How long this one takes. */
export function workMs(random: Random): Millis {
  return integerBetween(random, WORK_MS_MIN, WORK_MS_MAX);
}

/** Coins that were mined: 9 of 10 times 1..power, else none. */
export function minedCoins(power: number, random: Random): number {
  if (!chance(random, 0.9)) return 0;
  return Math.min(COINS_MAX, 1 + Math.floor((random() / 2 ** 32) * power));
}

/** Nonces of a hash job that a power is worth: a second or two of a small fleet at most. */
export function nonceCount(power: number): number {
  return Math.min(10_000_000_000, Math.max(1, power) * 1_000_000);
}

/**
 * Coins for the least hash of a real search over `count` nonces. The least of `count` uniform
 * hashes is above h with probability (1 - h/2^64)^count, so that probability is itself uniform: a
 * lucky hash is worth as much as a lucky die, and 1 of 10 is worth nothing.
 */
export function coinsOfHash(hash: bigint, count: number, power: number): number {
  const luck = Math.exp(count * Math.log1p(-Number(hash) / 2 ** 64));
  const share = (luck - 0.1) / 0.9;
  return share <= 0 ? 0 : Math.min(COINS_MAX, 1 + Math.floor(Math.min(share, 1 - 1e-12) * power));
}

/** What an attempt at the problem comes to. */
export type Attempt = "breaks" | "hits" | "nothing";

/** Of 20: 3 break the hardware, 16 hit, 1 does nothing. */
export function attempt(random: Random): Attempt {
  const die = integerBetween(random, 1, 20);
  if (die <= 3) return "breaks";
  return die <= 19 ? "hits" : "nothing";
}

/** Where players can be. */
export const PLACES = ["fence", "bridge", "1", "2", "3", "4", "5", "6", "7", "8", "9"] as const;
export type Place = (typeof PLACES)[number];

/** Where a new player stands. */
export const FIRST_PLACE: Place = "5";

/** How a place is called in a sentence. */
export function placeName(place: Place): string {
  return place.length === 1 ? `floor ${place}` : `the ${place}`;
}

/** The place that somebody means by `4`, `floor 4` or `the bridge`; undefined if there is none. */
export function placeOf(text: string): Place | undefined {
  const bare = text.toLowerCase().replace(/^(the|floor) */, "");
  return PLACES.find((place) => place === bare);
}
