/**
 * Where things are in the store. A name cannot hold a slash, so no two players share a key, and no
 * key begins with another player's: lists of a player's things end their prefix with a slash.
 *
 * @module
 */
import { type HardwareName, type Place, PLACES, RANKS } from "./rules.ts";

/** 1 to 20 letters, digits, `_` and `-`; a name like a rank's is one like any other. */
const NAME = /^[A-Za-z0-9_-]{1,20}$/;

/** Whether somebody may be called so. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Where a player is: a register of {@link Place}. */
export const placeKey = (name: string): string => `mud/place/${name}`;
/** A player's coins: a counter, which spending on two servers at once may take below zero. */
export const coinsKey = (name: string): string => `mud/coins/${name}`;
/** A player's hardware of one kind: a counter. That of cpus counts those beyond the first. */
export const hardwareKey = (name: string, kind: HardwareName): string =>
  `mud/hardware/${name}/${kind}`;
/** A register that is there once the player has left that rank behind. */
export const risenKey = (name: string, rank: number): string =>
  `mud/risen/${name}/${RANKS[rank] ?? ""}`;
/** Registers of all ranks that a player has left behind: as many as the rank that it has. */
export const risenPrefix = (name: string): string => `mud/risen/${name}/`;
/** Of all players. */
export const RISEN = "mud/risen/";
/** Hits on the problem of a rank, in a round: a counter that only grows. */
export const hitsKey = (rank: number, round: number): string =>
  `mud/hits/${RANKS[rank] ?? ""}/${round}`;
/** The round that a rank's problem is in, or an earlier one: a register. */
export const roundKey = (rank: number): string => `mud/round/${RANKS[rank] ?? ""}`;
/** A register that a player who is in the game renews. */
export const hereKey = (name: string): string => `mud/here/${name}`;
export const HERE = "mud/here/";
/** What a player said last: a register of {@link Said}. */
export const saidKey = (name: string): string => `mud/said/${name}`;
export const SAID = "mud/said/";
export const PLACE = "mud/place/";

/** The prefixes whose changes a client watches. */
export const WATCHED: readonly string[] = [HERE, PLACE, RISEN, SAID];

/** Whose a key below a prefix is; undefined if that is no player's. */
export function ownerOf(key: string, prefix: string): string | undefined {
  const rest = key.startsWith(prefix) ? (key.slice(prefix.length).split("/")[0] ?? "") : "";
  return isName(rest) ? rest : undefined;
}

/** The rank that a key of {@link risenKey} names; undefined if it names none. */
export function rankLeft(key: string): number | undefined {
  const rank = RANKS.findIndex((name) => key.endsWith(`/${name}`));
  return rank < 0 ? undefined : rank;
}

/** A place that was read from the store. */
export function readPlace(value: string | undefined): Place | undefined {
  return PLACES.find((place) => place === value);
}

/** A round that was read from the store: 0 if that is none. */
export function readRound(value: string | undefined): number {
  return value !== undefined && /^[0-9]{1,9}$/.test(value) ? Number(value) : 0;
}

/** Something that was said. */
export interface Said {
  /** Where; only those who are there hear it. */
  readonly place: Place;
  readonly text: string;
}

/** Characters of one saying. */
export const SAYING_MAX = 200;

/** How a saying is kept: the place, a blank, the text. */
export function writeSaid({ place, text }: Said): string {
  return `${place} ${text}`;
}

/** A saying that was read from the store; undefined if that is none. */
export function readSaid(value: string | undefined): Said | undefined {
  const at = value?.indexOf(" ") ?? -1;
  const place = readPlace(value?.slice(0, at));
  if (value === undefined || at < 0 || place === undefined) return undefined;
  return { place, text: value.slice(at + 1, at + 1 + SAYING_MAX) };
}
