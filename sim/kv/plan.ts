/**
 * What one seed draws for a simulated store: its size, its clients, and everything that goes wrong.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { NodeId } from "../../raft/mod.ts";
import type { ClockQuirks } from "../engine/clock.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { LineFaults } from "../engine/lines.ts";
import type { DiskFaults } from "../raft/disk.ts";
import type { Faults } from "../../base/link.ts";
import { CALM_PATHS } from "./paths.ts";
import type { Mix } from "./workload.ts";

/** Something that is done to the store while faults last. */
export type KvDeed =
  | "crash"
  | "crashLeader"
  | "crashAll"
  | "restart"
  | "pause"
  | "isolate"
  | "isolateLeader"
  | "cutOneWay"
  | "halve"
  | "mend"
  | "diskFull"
  | "diskFails"
  | "transfer"
  | "change";

/** Everything that a run is told. */
export interface KvPlan {
  readonly seed: number;
  readonly dice: Dice;
  readonly servers: number;
  readonly clients: number;
  readonly mix: Mix;
  readonly logBytesMax: number;
  readonly trailingEntries: number;
  readonly partBytes: number;
  readonly clocks: ReadonlyMap<NodeId, ClockQuirks>;
  readonly disks: ReadonlyMap<NodeId, DiskFaults>;
  readonly links: Faults;
  readonly paths: LineFaults;
  readonly ttlMs: Millis;
  readonly deeds: readonly { readonly atMs: Millis; readonly deed: KvDeed }[];
  readonly healAtMs: Millis;
}

/** How often each is done, against the others; some are left out by seed. */
const WEIGHTS: Readonly<Record<KvDeed, number>> = {
  crash: 4,
  crashLeader: 4,
  crashAll: 1,
  restart: 8,
  pause: 2,
  isolate: 4,
  isolateLeader: 4,
  cutOneWay: 3,
  halve: 2,
  mend: 7,
  diskFull: 1,
  diskFails: 1,
  transfer: 2,
  change: 2,
};

/** Draws the plan of a seed. */
export function drawKvPlan(seed: number): KvPlan {
  const dice = new Dice(seed, Stream.plan);
  const servers = dice.pick([1, 3, 3, 3, 5, 5, 7], "servers");
  const clients = dice.integer(1, 6, "clients");
  const isJoint = dice.chance(0.25, "isJoint");
  const keys = Array.from({ length: dice.integer(1, 4, "keys") }, (_, i) => "abcd"[i]!);
  const mix: Mix = {
    keys,
    padding: dice.pick([0, 0, 50], "padding"),
    isJoint,
    isBare: !isJoint && dice.chance(0.15, "isBare"),
    pauseMs: dice.scale(4, 80, "pauseMs"),
    depth: isJoint ? 1 : dice.pick([1, 1, 3], "depth"),
    hurriedShare: dice.sometimes(0.3, 0, 0.2, "hurriedShare"),
  };
  const isLossy = dice.chance(0.5, "isLossy");
  const latencyMs = dice.scale(0.2, 20, "latencyMs");
  const jitterMs = dice.sometimes(0.5, 0, 30, "jitterMs");
  const links: Faults = {
    lossShare: isLossy ? dice.real(0, 0.3, "loss") : 0,
    duplicateShare: isLossy ? dice.real(0, 0.2) : 0,
    lateShare: isLossy ? dice.real(0, 0.2) : 0,
    lateMs: 600,
    latencyMs,
    jitterMs,
  };
  const paths: LineFaults = {
    ...CALM_PATHS,
    latencyMs,
    jitterMs,
    lossShare: links.lossShare,
    breakShare: isLossy ? dice.real(0, 0.03, "breaks") : 0,
  };
  const isSkewed = dice.chance(0.5, "isSkewed");
  const clocks = new Map<NodeId, ClockQuirks>();
  const disks = new Map<NodeId, DiskFaults>();
  for (let id = 1; id <= servers; id++) {
    const clockRate = isSkewed ? dice.real(0.8, 1.25) : 1;
    clocks.set(id, { clockOriginMs: dice.real(0, 1e6), clockRate });
    const stepMs = dice.scale(0.1, 20);
    disks.set(id, { stepMs, jitterMs: stepMs });
  }
  const healAtMs = dice.real(1500, 3500, "healAtMs");
  return {
    seed,
    dice,
    servers,
    clients,
    mix,
    logBytesMax: dice.pick([600, 1000, 3000, Infinity], "logBytesMax"),
    trailingEntries: dice.pick([0, 0, 10], "trailingEntries"),
    partBytes: dice.pick([1000, 1000, 40, 20], "partBytes"),
    clocks,
    disks,
    links,
    paths,
    ttlMs: dice.integer(300, 1500, "ttlMs"),
    deeds: drawDeeds(dice, healAtMs),
    healAtMs,
  };
}

function drawDeeds(dice: Dice, untilMs: Millis): { atMs: Millis; deed: KvDeed }[] {
  const kinds = (Object.keys(WEIGHTS) as KvDeed[]).filter((deed) => {
    return deed === "restart" || deed === "mend" || dice.chance(0.6);
  });
  const sum = kinds.reduce((total, deed) => total + WEIGHTS[deed], 0);
  const deeds: { atMs: Millis; deed: KvDeed }[] = [];
  const paceMs = dice.scale(60, 600, "paceMs");
  for (let atMs = 500; atMs < untilMs; atMs += dice.real(0, 2 * paceMs)) {
    let rest = dice.real(0, sum);
    deeds.push({ atMs, deed: kinds.find((one) => (rest -= WEIGHTS[one]) < 0) ?? "mend" });
  }
  return deeds;
}
