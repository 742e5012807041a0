/**
 * What a run of actors does, drawn from its seed.
 *
 * @module
 */
import { DEFAULT_SYSTEM_LIMITS, type SystemLimits } from "../../actors/mod.ts";
import type { Millis } from "../../base/machine.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import { drawFaults } from "../engine/faults.ts";

/** Of every connection: one that hears nothing for 5 of these is lost. */
export const EPOCH_MS: Millis = 100;
export const EPOCH_LIMIT = 5;

/** What happens to systems, and between two. */
export type Deed =
  | {
      readonly kind: "crash" | "start" | "stopSink";
      readonly atMs: Millis;
      readonly system: number;
    }
  | {
      readonly kind: "sleep";
      readonly atMs: Millis;
      readonly system: number;
      readonly forMs: Millis;
    }
  | {
      readonly kind: "cut" | "cutOneWay" | "mend";
      readonly atMs: Millis;
      readonly system: number;
      readonly other: number;
    };

/** Everything that a run is told. */
export interface ActorsPlan {
  readonly dice: Dice;
  readonly seed: number;
  readonly systems: number;
  /**
   * "calm": nothing fails, and everything must arrive; "slow": only what concerns system 0 fails,
   * which must hold up nobody else; "rough": anything may fail.
   */
  readonly mood: "calm" | "slow" | "rough";
  readonly latencyMs: Millis;
  readonly healMs: Millis;
  readonly writers: number;
  /** Milliseconds from one burst of a writer to its next, and how much it tells then. */
  readonly paceMs: Millis;
  readonly burst: number;
  readonly padBytes: number;
  /** Share of messages for exactly that life of a system that the writer once knew. */
  readonly exactShare: number;
  readonly limits: SystemLimits;
  /** How often mailboxes are emptied. */
  readonly emptyMs: Millis;
  readonly faultsOf: (from: number, to: number) => Faults;
  readonly deeds: readonly Deed[];
}

const WEIGHTS = {
  crash: 4,
  start: 8,
  stopSink: 2,
  sleep: 2,
  cut: 4,
  cutOneWay: 2,
  mend: 6,
} as const;

function drawLimits(dice: Dice): SystemLimits {
  const isTight = dice.chance(0.6, "tight");
  if (!isTight) return DEFAULT_SYSTEM_LIMITS;
  return {
    ...DEFAULT_SYSTEM_LIMITS,
    queueBytesMax: Math.floor(dice.scale(500, 50_000, "queueBytesMax")),
    underWayBytesMax: Math.floor(dice.scale(500, 20_000, "underWayBytesMax")),
    mailboxBytesMax: Math.floor(dice.scale(500, 20_000, "mailboxBytesMax")),
    mailboxesBytesMax: Math.floor(dice.scale(2_000, 40_000, "mailboxesBytesMax")),
  };
}

function drawDeed(dice: Dice, systems: number, healMs: Millis, mood: ActorsPlan["mood"]): Deed {
  const all = Object.entries(WEIGHTS);
  let left = dice.real(
    0,
    all.reduce((sum, [, weight]) => sum + weight, 0),
  );
  const [kind] = all.find(([, weight]) => (left -= weight) < 0) ?? all[0]!;
  const atMs = dice.real(0, healMs);
  const system = mood === "slow" ? 0 : dice.integer(0, systems - 1);
  const other = (system + dice.integer(1, systems - 1)) % systems;
  switch (kind as keyof typeof WEIGHTS) {
    case "sleep":
      return { kind: "sleep", atMs, system, forMs: dice.scale(20, 1500) };
    case "cut":
    case "cutOneWay":
    case "mend":
      return { kind: kind as "cut", atMs, system, other };
    default:
      return { kind: kind as "crash", atMs, system };
  }
}

/** Draws a run. */
export function drawActorsPlan(seed: number): ActorsPlan {
  const dice = new Dice(seed, Stream.plan);
  const mood = dice.pick(["calm", "slow", "slow", "rough", "rough", "rough", "rough"], "mood");
  const systems = dice.integer(mood === "slow" ? 3 : 2, 4, "systems");
  const healMs = dice.scale(400, 2000, "heal");
  const latencyMs = dice.scale(0.2, 30, "latency");
  const faults = Array.from({ length: systems * systems }, (_, i) => {
    const isTouched = mood === "rough" || (mood === "slow" && (i < systems || i % systems === 0));
    const drawn = drawFaults(dice, EPOCH_MS, `${Math.floor(i / systems)}-${i % systems}`);
    return isTouched ? drawn : calmFaults(latencyMs);
  });
  const deeds = Array.from({ length: mood === "calm" ? 0 : dice.integer(0, 10, "deeds") }, () =>
    drawDeed(dice, systems, healMs, mood),
  );
  return {
    dice,
    seed,
    systems,
    mood: mood as ActorsPlan["mood"],
    latencyMs,
    healMs,
    writers: dice.integer(1, 2, "writers"),
    paceMs: dice.scale(15, 150, "pace"),
    burst: dice.integer(1, 6, "burst"),
    padBytes: Math.floor(dice.scale(1, 600, "pad")),
    exactShare: dice.sometimes(0.8, 0, 1, "exact"),
    limits: mood === "rough" ? drawLimits(dice) : DEFAULT_SYSTEM_LIMITS,
    emptyMs: dice.scale(5, 800, "empty"),
    faultsOf: (from, to) => faults[from * systems + to]!,
    deeds: deeds.toSorted((a, b) => a.atMs - b.atMs),
  };
}
