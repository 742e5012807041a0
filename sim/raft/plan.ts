/**
 * What one seed draws for a group of nodes: its size, its numbers, and everything that goes wrong.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { entryBytes, type NodeId, type RaftParams } from "../../raft/mod.ts";
import type { ClockQuirks } from "../engine/clock.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { DiskFaults } from "./disk.ts";
import type { StateFaults } from "./machine.ts";
import type { Faults } from "../../base/link.ts";

/** T of every drawn group. */
export const ELECTION_MS = 300;
/** How late a message may be. */
export const LATE_MS: Millis = 4 * ELECTION_MS;

/** Something that is done to the group while faults last. */
export type Deed =
  | "propose"
  | "burst"
  | "read"
  | "crash"
  | "crashLeader"
  | "crashAll"
  | "crashMidStep"
  | "rebootVoter"
  | "restart"
  | "pause"
  | "pauseLeader"
  | "jumpClock"
  | "cut"
  | "cutOneWay"
  | "isolate"
  | "isolateLeader"
  | "halve"
  | "mend"
  | "diskFull"
  | "diskFails"
  | "change"
  | "transfer";

/** One deed and its time. */
export interface Happening {
  readonly atMs: Millis;
  readonly deed: Deed;
}

/** Everything that a run is told. */
export interface RaftPlan {
  readonly seed: number;
  readonly dice: Dice;
  readonly nodes: number;
  readonly spares: number;
  readonly params: Partial<RaftParams>;
  readonly clocks: ReadonlyMap<NodeId, ClockQuirks>;
  readonly faults: Faults;
  /** Links with faults of their own. */
  readonly links: readonly { from: NodeId; to: NodeId; faults: Faults }[];
  readonly disks: ReadonlyMap<NodeId, DiskFaults>;
  readonly state: StateFaults;
  readonly happenings: readonly Happening[];
  /** When everything heals. */
  readonly healAtMs: Millis;
}

/** How often each deed is done, against the others; some are left out by seed. */
const WEIGHTS: Readonly<Record<Deed, number>> = {
  propose: 40,
  burst: 6,
  read: 12,
  crash: 5,
  crashLeader: 3,
  crashAll: 0.7,
  crashMidStep: 3,
  rebootVoter: 3,
  restart: 12,
  pause: 3,
  pauseLeader: 5,
  jumpClock: 2,
  cut: 3,
  cutOneWay: 3,
  isolate: 2,
  isolateLeader: 2,
  halve: 1.5,
  mend: 8,
  diskFull: 1,
  diskFails: 1,
  change: 3,
  transfer: 3,
};

function drawLink(dice: Dice, name: string | undefined): Faults {
  const called = (what: string): string | undefined => name && `${name}.${what}`;
  return {
    lossShare: dice.sometimes(0.5, 0, 0.4, called("loss")),
    duplicateShare: dice.sometimes(0.4, 0, 0.3, called("duplicate")),
    lateShare: dice.sometimes(0.4, 0, 0.3, called("late")),
    lateMs: dice.real(0, LATE_MS, called("lateMs")),
    latencyMs: dice.scale(0.1, 30, called("latencyMs")),
    jitterMs: dice.sometimes(0.5, 0, 60, called("jitterMs")),
  };
}

function drawParams(dice: Dice): { -readonly [Name in keyof RaftParams]?: RaftParams[Name] } {
  const entryBytesMax = dice.integer(40, 400, "entryBytesMax");
  return {
    electionMs: ELECTION_MS,
    heartbeatMs: dice.pick([50, 100], "heartbeatMs"),
    quorumMs: 2 * ELECTION_MS,
    patienceMs: 2 * ELECTION_MS,
    catchUpMs: 2000,
    leaseClockRatio: dice.chance(0.4, "lease") ? 1.6 : 0,
    entryBytesMax,
    appendBytesMax: entryBytesMax + 32 + dice.integer(0, 1000, "appendSpare"),
    inflightMax: dice.integer(1, 12, "inflightMax"),
    inflightBytesMax: dice.integer(100, 10_000, "inflightBytesMax"),
    uncommittedBytesMax: dice.integer(500, 50_000, "uncommittedBytesMax"),
    applyBytesMax: dice.integer(1, 2000, "applyBytesMax"),
    trailingEntries: dice.pick([0, 0, 3, 30], "trailingEntries"),
    chunkBytesMax: dice.integer(30, 400, "chunkBytesMax"),
    chunksInflightMax: dice.pick([1, 2, 8], "chunksInflightMax"),
    readsMax: dice.pick([4, 1000], "readsMax"),
    heldMax: dice.pick([8, 10_000], "heldMax"),
  };
}

function drawHappenings(dice: Dice, untilMs: Millis, hasLeases: boolean): Happening[] {
  const deeds = (Object.keys(WEIGHTS) as Deed[]).filter((deed) => {
    // Leases count on clocks that do not.
    if (deed === "jumpClock" && hasLeases) return false;
    return deed === "propose" || deed === "restart" || deed === "mend" || dice.chance(0.6);
  });
  const sum = deeds.reduce((total, deed) => total + WEIGHTS[deed], 0);
  const happenings: Happening[] = [];
  const paceMs = dice.scale(8, 120, "paceMs");
  for (let atMs = 0; atMs < untilMs; atMs += dice.real(0, 2 * paceMs)) {
    let rest = dice.real(0, sum);
    const deed = deeds.find((one) => (rest -= WEIGHTS[one]) < 0) ?? "propose";
    happenings.push({ atMs, deed });
  }
  return happenings;
}

/** Draws the plan of a seed. */
export function drawRaftPlan(seed: number): RaftPlan {
  const dice = new Dice(seed, Stream.plan);
  const nodes = dice.pick([1, 2, 3, 3, 3, 4, 5, 5, 7], "nodes");
  const spares = dice.pick([0, 1, 2], "spares");
  const faults = drawLink(dice, "net");
  const all = Array.from({ length: nodes + spares }, (_, i) => i + 1);
  const links: { from: NodeId; to: NodeId; faults: Faults }[] = [];
  const ownLinks = dice.chance(0.3, "ownLinks");
  for (const from of all) {
    for (const to of all) {
      if (!ownLinks || from === to || !dice.chance(0.3)) continue;
      links.push({ from, to, faults: drawLink(dice, undefined) });
    }
  }
  const skewed = dice.chance(0.6, "skewedClocks");
  const slow = dice.chance(0.5, "slowDisks");
  const clocks = new Map<NodeId, ClockQuirks>();
  const disks = new Map<NodeId, DiskFaults>();
  for (const id of all) {
    const clockRate = skewed ? dice.real(0.8, 1.25) : 1;
    clocks.set(id, { clockOriginMs: dice.real(0, 1e6), clockRate });
    const stepMs = slow && dice.chance(0.5) ? dice.scale(1, 200) : dice.scale(0.05, 5);
    disks.set(id, { stepMs, jitterMs: stepMs });
  }
  const snapshots = dice.chance(0.6, "snapshots");
  const state: StateFaults = {
    snapshotEvery: snapshots ? dice.integer(3, 60, "snapshotEvery") : 0,
    snapshotBytes: dice.integer(0, 2000, "snapshotBytes"),
    snapshotMs: dice.real(0, 200, "snapshotMs"),
    applyMs: dice.sometimes(0.4, 0, 50, "applyMs"),
  };
  const params = drawParams(dice);
  if (snapshots && dice.chance(0.5, "tightLog")) {
    // Room for the entries between two snapshots, twice.
    const entries = state.snapshotEvery + params.trailingEntries! + 1;
    params.logBytesMax = 2 * entries * entryBytes(params.entryBytesMax!);
  }
  const healAtMs = dice.real(2000, 7000, "healAtMs");
  const happenings = drawHappenings(dice, healAtMs, params.leaseClockRatio! > 0);
  return {
    seed,
    dice,
    nodes,
    spares,
    params,
    clocks,
    faults,
    links,
    disks,
    state,
    happenings,
    healAtMs,
  };
}
