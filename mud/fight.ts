/**
 * The fight with the problem that all players of a rank share.
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import { hardwareKey, hitsKey, risenKey, roundKey } from "./keys.ts";
import {
  attempt,
  HARDWARE_NAMES,
  type HardwareName,
  hitPoints,
  type Inventory,
  powerOf,
  quarter,
  RETIRED,
  workMs,
} from "./rules.ts";
import type { GameEvent } from "./types.ts";
import { add, type Flow, inventoryOf, problemOf, put, rankOf, work } from "./world.ts";

/** What a fight needs of the player. */
export interface Fighter {
  readonly name: string;
  readonly random: Random;
  /** The round that is fought; undefined when there is no fight. */
  fight: { readonly rank: number; readonly round: number } | undefined;
  tell(event: GameEvent): void;
}

/** Begins a fight; the first `solve`. */
export function* takeOn(player: Fighter): Flow {
  const rank = yield* rankOf(player.name);
  if (rank === RETIRED) {
    player.tell({ kind: "refused", text: "you are Retired: there is nothing left to solve" });
    return;
  }
  const problem = yield* problemOf(rank);
  player.fight = { rank, round: problem.round };
  player.tell({ kind: "problem", ...problem });
}

/** One attempt; every further `solve`. */
export function* solve(player: Fighter, fight: NonNullable<Fighter["fight"]>): Flow {
  const ms = workMs(player.random);
  player.tell({ kind: "working", ms, what: "solve" });
  yield* work(ms);
  const problem = yield* problemOf(fight.rank);
  if (problem.round !== fight.round) {
    player.fight = undefined;
    player.tell({ kind: "beaten", ...fight });
    return;
  }
  const outcome = attempt(player.random);
  if (outcome === "hits") yield* hit(player, fight);
  else if (outcome === "breaks") yield* breakDown(player);
  else player.tell({ kind: "missed" });
}

/**
 * Hits with all power. Whose own server saw this very hit empty the problem rises: where servers
 * are cut off from each other that may be several.
 */
function* hit(player: Fighter, { rank, round }: NonNullable<Fighter["fight"]>): Flow {
  const power = powerOf(yield* inventoryOf(player.name));
  const left = hitPoints(rank) - (yield* add(hitsKey(rank, round), power));
  player.tell({ kind: "hit", rank, round, power, left: Math.max(0, left) });
  if (left > 0) return;
  player.fight = undefined;
  if (left + power <= 0) {
    player.tell({ kind: "beaten", rank, round });
    return;
  }
  // The rise first: should the second operation fail, the round moves on by itself.
  yield* put(risenKey(player.name, rank), String(round));
  player.tell({ kind: "risen", rank: rank + 1 });
  yield* put(roundKey(rank), String(round + 1));
}

/** All hardware in use breaks: a quarter of each kind is left. */
function* breakDown(player: Fighter): Flow {
  const inventory = yield* inventoryOf(player.name);
  const isAllLost = HARDWARE_NAMES.every((kind) => quarter(inventory[kind]) === 0);
  const lost: Record<HardwareName, number> = {
    cpu: 0,
    gpu: 0,
    asic: 0,
    quantum: 0,
    dark_matter: 0,
  };
  for (const kind of HARDWARE_NAMES) {
    const kept = isAllLost && kind === "cpu" ? 1 : quarter(inventory[kind]);
    // Who had no cpu gets one: of that, less than nothing is lost.
    lost[kind] = inventory[kind] - kept;
    if (lost[kind] !== 0) yield* add(hardwareKey(player.name, kind), -lost[kind]);
  }
  if (isAllLost) player.fight = undefined;
  player.tell({ kind: "broke", lost: lost satisfies Inventory, isLostFight: isAllLost });
}
