/**
 * What one seed of the coordinator's simulation draws: miners, clients and their jobs, when the
 * server crashes, and what its disk is like.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { CALM_DISK, type DiskFaults, drawDiskFaults } from "../engine/disk.ts";

/** A crash of the server. */
export interface CrashPlan {
  readonly atMs: Millis;
  readonly downMs: Millis;
  /** What its disk had not synced is lost, too. */
  readonly isPowerCut: boolean;
}

export interface JobPlan {
  readonly atMs: Millis;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Its client leaves at once, and comes back after so long; undefined: it waits. */
  readonly backAfterMs: Millis | undefined;
}

export interface CoordinatorPlan {
  readonly dice: Dice;
  readonly miners: readonly { readonly noncesPerSecond: number; readonly crashMs: Millis }[];
  readonly clients: readonly (readonly JobPlan[])[];
  readonly crashes: readonly CrashPlan[];
  readonly isDiskCalm: boolean;
  readonly disk: DiskFaults;
  /** When the disk has no space for a while; Infinity for never. */
  readonly fullMs: Millis;
  readonly fullForMs: Millis;
  /** A snapshot is taken after so many bytes of commands. */
  readonly snapshotBytes: number;
  readonly latencyMs: Millis;
  readonly faultyMs: Millis;
}

/** Draws the plan of `seed`. */
export function drawPlan(seed: number): CoordinatorPlan {
  const dice = new Dice(seed, Stream.plan);
  const faultyMs = dice.real(3000, 12_000, "faultyMs");
  const miners = Array.from({ length: dice.integer(1, 4, "miners") }, (_, i) => ({
    noncesPerSecond: dice.scale(1e5, 1e7, `miner${i}.rate`),
    crashMs: dice.chance(0.3) ? dice.real(0, faultyMs, `miner${i}.crashMs`) : Infinity,
  }));
  const rate = miners.reduce((sum, { noncesPerSecond }) => sum + noncesPerSecond, 0);
  const clients = Array.from({ length: dice.integer(1, 3, "clients") }, () =>
    Array.from({ length: dice.integer(1, 3) }, () => drawJob(dice, faultyMs, rate)),
  );
  const crashes = Array.from({ length: dice.integer(0, 4, "crashes") }, () => ({
    atMs: dice.real(0, faultyMs),
    downMs: dice.scale(1, 3000),
    isPowerCut: dice.chance(0.5),
  }));
  const isDiskCalm = dice.chance(0.4, "calmDisk");
  return {
    dice,
    miners,
    clients,
    crashes,
    isDiskCalm,
    disk: isDiskCalm ? CALM_DISK : drawDiskFaults(dice, "disk"),
    fullMs: !isDiskCalm && dice.chance(0.3) ? dice.real(0, faultyMs, "fullMs") : Infinity,
    fullForMs: dice.scale(10, 3000),
    snapshotBytes: Math.round(dice.scale(300, 100_000, "snapshotBytes")),
    latencyMs: dice.scale(0.5, 50, "latencyMs"),
    faultyMs,
  };
}

function drawJob(dice: Dice, faultyMs: Millis, rate: number): JobPlan {
  const size = BigInt(Math.ceil(rate * dice.scale(1e-3, 5)));
  const lower = BigInt(dice.integer(0, 2 ** 31));
  return {
    atMs: dice.chance(0.6) ? 0 : dice.real(0, faultyMs),
    lower,
    upper: lower + size,
    backAfterMs: dice.chance(0.4) ? dice.real(0, faultyMs) : undefined,
  };
}
