/**
 * What is drawn for one run: jobs, workers, delays, and what befalls whom.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { calmLines, type LineFaults } from "../engine/lines.ts";

/** Something that happens to a worker. */
export interface WorkerMishap {
  readonly atMs: Millis;
  /** It is gone without a word; its process ends, another may start later; or it stands still. */
  readonly kind: "crash" | "freeze";
  /** Until it comes back, with an empty disk; or goes on. */
  readonly forMs: Millis;
}

export interface WorkerPlan {
  readonly name: string;
  readonly startMs: Millis;
  /** Tasks that it runs at a time. */
  readonly tasks: number;
  /** Bytes that it maps or reduces a millisecond. */
  readonly speed: number;
  /** How often a run takes much longer. */
  readonly slowShare: number;
  /** How often the process of a run ends, and how often a run throws. */
  readonly deathShare: number;
  readonly throwShare: number;
  /** How often a map's output is damaged on its disk. */
  readonly damageShare: number;
  readonly mishaps: readonly WorkerMishap[];
  /** Where others can ask it; 0: nowhere. */
  readonly port: number;
  /** Whether it can see the shared directory. */
  readonly isShared: boolean;
}

export interface ClientPlan {
  readonly name: string;
  readonly startMs: Millis;
  readonly application: "wc" | "indexer" | "sort";
  readonly reducers: number;
  /** The splits' texts. */
  readonly splits: readonly string[];
  /** When it crashes, or cancels. */
  readonly leavesMs: Millis | undefined;
  readonly cancels: boolean;
  /** When its connection breaks: it comes back. */
  readonly breaksMs: Millis | undefined;
  /** Where workers can ask it; 0: nowhere. */
  readonly port: number;
  /** Whether its splits lie in the shared directory. */
  readonly isShared: boolean;
}

export interface MapReducePlan {
  readonly dice: Dice;
  readonly seed: number;
  /** What connections to the server are like, and those from peer to peer, which end early. */
  readonly lines: LineFaults;
  readonly peerLines: LineFaults;
  readonly workers: readonly WorkerPlan[];
  readonly clients: readonly ClientPlan[];
  /** From here on nothing fails any more. */
  readonly healMs: Millis;
  /** Nothing fails at all: then each task runs once. */
  readonly isCalm: boolean;
  /** How often a peer cannot reach another. */
  readonly unreachableShare: number;
  /** When the server crashes, and how long it is away. */
  readonly outages: readonly { readonly atMs: Millis; readonly forMs: Millis }[];
  /** What is in its table outlives it. */
  readonly keepsTable: boolean;
  /** A worker without a server looks for one so often. */
  readonly rejoinMs: Millis;
  /** A job that nobody follows is kept for so long. */
  readonly awayMs: Millis;
}

/** All peers take connections on the same port, each on an address of its own. */
const PORT = 7000;
const WORDS = ["a", "b", "ab", "tag", "öl", "дом", "漢", "x'y", "re-do", "zz\\top", "𐐀"];

function drawText(dice: Dice): string {
  const words = dice.integer(0, 40);
  const parts: string[] = [];
  for (let i = 0; i < words; i++)
    parts.push(dice.pick(WORDS), dice.pick([" ", ", ", "\n", "\r\n"]));
  return parts.join("");
}

function drawWorker(dice: Dice, name: string, healMs: Millis, isCalm: boolean): WorkerPlan {
  const mishaps: WorkerMishap[] = [];
  for (let left = isCalm ? 0 : dice.integer(0, 3); left > 0; left--) {
    const kind = dice.pick(["crash", "crash", "freeze"] as const);
    const forMs = dice.scale(50, 20_000);
    mishaps.push({ atMs: dice.real(0, healMs), kind, forMs });
  }
  mishaps.sort((a, b) => a.atMs - b.atMs);
  const share = (most: number): number => (isCalm ? 0 : dice.sometimes(0.4, 0, most));
  return {
    name,
    startMs: dice.sometimes(0.5, 0, 3_000),
    tasks: dice.pick([1, 1, 2, 4]),
    // Nothing that is calm runs so long that it is done twice.
    speed: dice.scale(isCalm ? 0.5 : 0.02, 2),
    slowShare: share(0.2),
    deathShare: share(0.3),
    throwShare: share(0.03),
    damageShare: share(0.5),
    mishaps,
    port: dice.chance(0.7) ? PORT : 0,
    isShared: dice.chance(0.5),
  };
}

function drawOutages(
  dice: Dice,
  patienceMs: Millis,
  healMs: Millis,
  isCalm: boolean,
): Pick<MapReducePlan, "outages" | "keepsTable" | "rejoinMs" | "awayMs"> {
  const most = isCalm || dice.chance(0.4) ? 0 : 3;
  const outages = Array.from({ length: dice.integer(0, most, "outages") }, () => ({
    atMs: dice.real(0, healMs),
    forMs: dice.scale(20, 5_000),
  }));
  // Sooner than a server waits, and now and then too late.
  const rejoinMs = dice.pick([50, 300, 2_000, 40_000]);
  // No client comes back to a server that was away as soon as all that.
  const awayMs = outages.length > 0 ? 15_000 : patienceMs;
  return { outages, keepsTable: dice.chance(0.8), rejoinMs, awayMs };
}

/** Draws a run. */
export function drawMapReducePlan(seed: number): MapReducePlan {
  const dice = new Dice(seed, Stream.plan);
  const isCalm = dice.chance(0.15, "calm");
  const healMs = dice.scale(500, 30_000, "heal");
  const least = dice.scale(0.1, 20, "delay");
  const workers = Array.from({ length: dice.integer(1, 5, "workers") }, (_, i) =>
    drawWorker(dice, `worker${i}`, healMs, isCalm),
  );
  const clients = Array.from({ length: dice.integer(1, 3, "clients") }, (_, i): ClientPlan => {
    const leaves = !isCalm && dice.chance(0.15);
    return {
      name: `client${i}`,
      startMs: dice.sometimes(0.6, 0, 4_000),
      application: dice.pick(["wc", "wc", "indexer", "sort"] as const, `application${i}`),
      reducers: dice.integer(1, 5, `reducers${i}`),
      splits: Array.from({ length: dice.integer(0, 9, `splits${i}`) }, () => drawText(dice)),
      leavesMs: leaves ? dice.real(0, healMs) : undefined,
      cancels: dice.chance(0.5),
      breaksMs: !isCalm && dice.chance(0.3) ? dice.real(0, healMs) : undefined,
      port: dice.chance(0.7) ? PORT : 0,
      isShared: dice.chance(0.3),
    };
  });
  const jitterMs = least * dice.real(0, 3);
  const lines = { ...calmLines(least, dice.scale(100, 6_000)), jitterMs };
  return {
    dice,
    seed,
    lines,
    peerLines: { ...lines, breakShare: dice.sometimes(0.5, 0, 0.05) },
    workers,
    clients,
    healMs,
    isCalm,
    unreachableShare: dice.sometimes(0.5, 0, 0.6),
    // Shorter than a client takes to come back, or longer.
    ...drawOutages(dice, dice.pick([100, 15_000]), healMs, isCalm),
  };
}
