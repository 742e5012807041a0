/**
 * Reading and changing the world in steps: generators that yield what they wait for, and are
 * resumed with the answer. So a rule reads like a story, and is still a plain state machine.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import {
  coinsKey,
  hardwareKey,
  hitsKey,
  placeKey,
  readPlace,
  readRound,
  risenPrefix,
  roundKey,
} from "./keys.ts";
import {
  FIRST_PLACE,
  HARDWARE_NAMES,
  type HardwareName,
  hitPoints,
  type Inventory,
  type Place,
  RETIRED,
} from "./rules.ts";
import type { WorldAnswer, WorldItem, WorldOperation } from "./types.ts";

/** What a command waits for. */
export type Step =
  | { readonly kind: "ask"; readonly operation: WorldOperation }
  | { readonly kind: "work"; readonly ms: Millis }
  | { readonly kind: "search"; readonly message: string; readonly count: number };

/** Steps that come to a `T`. A failed operation is thrown into it as a WorldError. */
export type Flow<T = void> = Generator<Step, T, WorldAnswer>;

/** The value of a register; undefined if there is none. */
export function* get(key: string): Flow<string | undefined> {
  return (yield { kind: "ask", operation: { kind: "get", key } }).value;
}

/** Sets a register. */
export function* put(key: string, value: string): Flow {
  yield { kind: "ask", operation: { kind: "put", key, value } };
}

/** All registers below a prefix. */
export function* list(prefix: string): Flow<readonly WorldItem[]> {
  return (yield { kind: "ask", operation: { kind: "list", prefix } }).items ?? [];
}

/** Adds to a counter, and returns its sum as the asked server sees it. */
export function* add(key: string, amount: number): Flow<number> {
  return (yield { kind: "ask", operation: { kind: "add", key, amount } }).sum ?? 0;
}

/** The sum of a counter. */
export function sum(key: string): Flow<number> {
  return add(key, 0);
}

/** Takes time. */
export function* work(ms: Millis): Flow {
  yield { kind: "work", ms };
}

/** How many ranks a player has left behind: its rank. */
export function* rankOf(name: string): Flow<number> {
  return Math.min(RETIRED, (yield* list(risenPrefix(name))).length);
}

/** Where a player is. */
export function* placeOfPlayer(name: string): Flow<Place> {
  return readPlace(yield* get(placeKey(name))) ?? FIRST_PLACE;
}

/** A player's coins; below zero if they were spent on two servers at once. */
export function coinsOf(name: string): Flow<number> {
  return sum(coinsKey(name));
}

/** A player's hardware. Everybody's first cpu is not in the store. */
export function* inventoryOf(name: string): Flow<Inventory> {
  const counts: Partial<Record<HardwareName, number>> = {};
  for (const kind of HARDWARE_NAMES) {
    const count = yield* sum(hardwareKey(name, kind));
    counts[kind] = Math.max(0, kind === "cpu" ? count + 1 : count);
  }
  const { cpu = 0, gpu = 0, asic = 0, quantum = 0, dark_matter = 0 } = counts;
  const isNothing = cpu + gpu + asic + quantum + dark_matter === 0;
  return { cpu: isNothing ? 1 : cpu, gpu, asic, quantum, dark_matter };
}

/** The problem of a rank now. */
export interface Problem {
  readonly rank: number;
  readonly round: number;
  /** Hit points that are left, above 0. */
  readonly left: number;
}

/**
 * The first round whose problem has hit points left. The register only says where to begin to look:
 * hits are never taken back, so a round that is over stays over, whatever the register says.
 */
export function* problemOf(rank: number): Flow<Problem> {
  for (let round = readRound(yield* get(roundKey(rank))); ; round++) {
    const left = hitPoints(rank) - (yield* sum(hitsKey(rank, round)));
    if (left > 0) return { rank, round, left };
  }
}
