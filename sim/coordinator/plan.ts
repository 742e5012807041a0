/**
 * What one seed of the coordinator's simulation draws: miners, clients and their jobs, when the
 * server crashes, and what its disk is like.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { CALM_DISK, type DiskFaults, drawDiskFaults } from "../engine/disk.ts";

/** Which server: the one that leads then, if any, or that number. */
export type Victim = "leader" | number;

/** A crash of a server. */
export interface CrashPlan {
  readonly atMs: Millis;
  readonly victim: Victim;
  readonly downMs: Millis;
  /** What its disk had not synced is lost, too. */
  readonly isPowerCut: boolean;
}

/** A server that is cut off from the others, in one direction or both. */
export interface CutPlan {
  readonly atMs: Millis;
  readonly victim: Victim;
  readonly how: "out" | "in" | "both";
  readonly forMs: Millis;
}

/** A miner or client that is cut off from one server, or from all. */
export interface PeerCutPlan {
  readonly atMs: Millis;
  /** Which of the miners and clients, by chance. */
  readonly peer: number;
  readonly from: Victim | "all";
  readonly how: CutPlan["how"];
  readonly forMs: Millis;
}

export interface JobPlan {
  readonly atMs: Millis;
  /** It speaks the json wire, with one server; a peer that loses it begins anew. */
  readonly isClassic: boolean;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Its client leaves at once, and comes back after so long; undefined: it waits. */
  readonly backAfterMs: Millis | undefined;
}

export interface CoordinatorPlan {
  readonly dice: Dice;
  /** 1, 3 or 5. */
  readonly servers: number;
  readonly miners: readonly { readonly noncesPerSecond: number; readonly crashMs: Millis }[];
  readonly clients: readonly (readonly JobPlan[])[];
  readonly crashes: readonly CrashPlan[];
  readonly cuts: readonly CutPlan[];
  readonly peerCuts: readonly PeerCutPlan[];
  /** Which of the miners speak the json wire, with one server each. */
  readonly classicMiners: readonly boolean[];
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

/** Draws the plan of `seed`; `given`: of so many servers. */
export function drawPlan(seed: number, given?: number): CoordinatorPlan {
  const dice = new Dice(seed, Stream.plan);
  const drawn = dice.pick([1, 1, 1, 1, 1, 1, 3, 3, 5], "servers");
  const servers = given ?? drawn;
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
    victim: drawVictim(dice, servers),
    downMs: dice.scale(1, 3000),
    isPowerCut: dice.chance(0.5),
  }));
  const cuts = Array.from({ length: servers === 1 ? 0 : dice.integer(0, 3, "cuts") }, () => ({
    atMs: dice.real(0, faultyMs),
    victim: drawVictim(dice, servers),
    how: dice.pick(["out", "in", "both"]),
    forMs: dice.scale(10, 3000),
  }));
  const isDiskCalm = dice.chance(0.4, "calmDisk");
  return {
    dice,
    servers,
    miners,
    clients,
    crashes,
    cuts,
    isDiskCalm,
    disk: isDiskCalm ? CALM_DISK : drawDiskFaults(dice, "disk"),
    fullMs: !isDiskCalm && dice.chance(0.3) ? dice.real(0, faultyMs, "fullMs") : Infinity,
    fullForMs: dice.scale(10, 3000),
    snapshotBytes: Math.round(dice.scale(300, 100_000, "snapshotBytes")),
    latencyMs: dice.scale(0.5, 50, "latencyMs"),
    faultyMs,
    peerCuts: Array.from({ length: dice.pick([0, 0, 1, 2, 3], "peerCuts") }, () => ({
      atMs: dice.real(0, faultyMs),
      peer: dice.integer(0, PEERS - 1),
      from: dice.chance(0.4) ? ("all" as const) : drawVictim(dice, servers),
      how: dice.pick(["out", "in", "both"] as const),
      forMs: dice.scale(10, 4000),
    })),
    classicMiners: miners.map(() => dice.chance(servers === 1 ? 0.15 : 0.35)),
  };
}

/** More than there are, so that any may be meant. */
const PEERS = 2 ** 16;

function drawVictim(dice: Dice, servers: number): Victim {
  return dice.chance(0.6) ? "leader" : dice.integer(1, servers);
}

function drawJob(dice: Dice, faultyMs: Millis, rate: number): JobPlan {
  const size = BigInt(Math.ceil(rate * dice.scale(1e-3, 5)));
  const lower = BigInt(dice.integer(0, 2 ** 31));
  return {
    atMs: dice.chance(0.6) ? 0 : dice.real(0, faultyMs),
    isClassic: dice.chance(0.1),
    lower,
    upper: lower + size,
    backAfterMs: dice.chance(0.4) ? dice.real(0, faultyMs) : undefined,
  };
}
