/**
 * What one seed draws for a simulated game: its servers, its players, and what goes wrong.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Faults } from "../../base/link.ts";

/** Something that happens to the servers while faults last. */
export type MudDeed = "crash" | "restart" | "halve" | "mend";

/** Everything that a run is told. */
export interface MudPlan {
  readonly dice: Dice;
  readonly servers: number;
  readonly actors: number;
  readonly players: readonly string[];
  readonly faults: Faults;
  readonly deeds: readonly { readonly atMs: Millis; readonly deed: MudDeed }[];
  /** Hits that the first two problems have had at the start, so that rounds end within the run. */
  readonly hits: readonly [number, number];
  /** Coins that everybody has at the start. */
  readonly coins: number;
  /** Players come and go, and other servers take their place. */
  readonly isRestless: boolean;
  readonly healAtMs: Millis;
}

/** Some begin like others, and some are called like ranks. */
const NAMES = ["bob", "bobby", "PhD", "a", "a-b", "Retired"] as const;

/** Draws the plan of a seed. */
export function drawMudPlan(seed: number): MudPlan {
  const dice = new Dice(seed, Stream.plan);
  const healAtMs = dice.real(8000, 25_000, "healAtMs");
  const servers = dice.pick([1, 2, 2, 3, 3], "servers");
  const isCalm = dice.chance(0.25, "isCalm");
  return {
    dice,
    servers,
    actors: dice.pick([1, 1, 2], "actors"),
    players: NAMES.slice(0, dice.integer(2, NAMES.length, "players")),
    faults: {
      latencyMs: dice.scale(1, 250, "latencyMs"),
      jitterMs: dice.sometimes(0.3, 0, 200, "jitterMs"),
      lossShare: isCalm ? 0 : dice.sometimes(0.5, 0, 0.3, "loss"),
      duplicateShare: isCalm ? 0 : dice.sometimes(0.3, 0, 0.3, "duplicates"),
    },
    deeds: isCalm ? [] : drawDeeds(dice, servers, healAtMs),
    hits: [dice.integer(0, 99, "hits"), dice.integer(0, 999, "hits of Masters")],
    coins: dice.pick([0, 3, 40], "coins"),
    isRestless: dice.chance(0.5, "isRestless"),
    healAtMs,
  };
}

function drawDeeds(
  dice: Dice,
  servers: number,
  untilMs: Millis,
): { readonly atMs: Millis; readonly deed: MudDeed }[] {
  const kinds: readonly MudDeed[] =
    servers === 1
      ? ["crash", "restart", "restart"]
      : ["crash", "restart", "restart", "restart", "halve", "mend", "mend"];
  const deeds: { atMs: Millis; deed: MudDeed }[] = [];
  const paceMs = dice.scale(500, 4000, "paceMs");
  for (let atMs = 500; atMs < untilMs; atMs += dice.real(0, 2 * paceMs)) {
    deeds.push({ atMs, deed: dice.pick(kinds) });
  }
  return deeds;
}
