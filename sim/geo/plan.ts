/**
 * What one seed draws for a simulated geo store: its servers, its clients' work, and everything
 * that goes wrong.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { type DiskFaults, drawDiskFaults } from "../engine/disk.ts";
import type { Faults } from "../../base/link.ts";

/** Something that is done to the store while faults last. */
export type GeoDeed =
  | "crash"
  | "restart"
  | "loseDisk"
  | "isolate"
  | "halve"
  | "cutOneWay"
  | "mend"
  | "setClock"
  | "join"
  | "lie";

const WEIGHTS: Readonly<Record<GeoDeed, number>> = {
  crash: 5,
  restart: 8,
  loseDisk: 1,
  isolate: 3,
  halve: 2,
  cutOneWay: 3,
  mend: 5,
  setClock: 3,
  join: 2,
  lie: 1,
};

/** Everything that a run is told. */
export interface GeoPlan {
  readonly seed: number;
  readonly dice: Dice;
  readonly servers: number;
  readonly actors: number;
  readonly durableShare: number;
  readonly faults: Faults;
  readonly disks: DiskFaults;
  readonly keys: number;
  /** Between two operations, on average. */
  readonly pauseMs: Millis;
  readonly deeds: readonly { readonly atMs: Millis; readonly deed: GeoDeed }[];
  readonly healAtMs: Millis;
  /** Whether a server is gone for good when all heals, and is to be forgotten. */
  readonly retires: boolean;
}

/** Draws the plan of a seed. */
export function drawGeoPlan(seed: number): GeoPlan {
  const dice = new Dice(seed, Stream.plan);
  const healAtMs = dice.real(2500, 6500, "healAtMs");
  const isLossy = dice.chance(0.5, "isLossy");
  return {
    seed,
    dice,
    servers: dice.pick([1, 2, 2, 3, 3, 4], "servers"),
    actors: dice.pick([1, 1, 2, 2, 4], "actors"),
    durableShare: dice.pick([0, 0.5, 1], "durableShare"),
    faults: {
      latencyMs: dice.scale(1, 250, "latencyMs"),
      jitterMs: dice.sometimes(0.5, 0, 400, "jitterMs"),
      lossShare: isLossy ? dice.real(0, 0.4, "loss") : 0,
      duplicateShare: isLossy ? dice.real(0, 0.3, "duplicates") : 0,
    },
    disks: drawDiskFaults(dice, "disk"),
    keys: dice.integer(1, 12, "keys"),
    pauseMs: dice.scale(10, 200, "pauseMs"),
    deeds: drawDeeds(dice, healAtMs),
    healAtMs,
    retires: dice.chance(0.3, "retires"),
  };
}

function drawDeeds(dice: Dice, untilMs: Millis): { atMs: Millis; deed: GeoDeed }[] {
  const kinds = (Object.keys(WEIGHTS) as GeoDeed[]).filter((deed) => {
    return deed === "restart" || deed === "mend" || dice.chance(0.6);
  });
  const sum = kinds.reduce((total, deed) => total + WEIGHTS[deed], 0);
  const deeds: { atMs: Millis; deed: GeoDeed }[] = [];
  const paceMs = dice.scale(200, 2000, "paceMs");
  for (let atMs = 300; atMs < untilMs; atMs += dice.real(0, 2 * paceMs)) {
    let rest = dice.real(0, sum);
    deeds.push({ atMs, deed: kinds.find((one) => (rest -= WEIGHTS[one]) < 0) ?? "mend" });
  }
  return deeds;
}
