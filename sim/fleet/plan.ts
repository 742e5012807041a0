/**
 * What one seed of the fleet simulation draws: miners and their rates, clients and their jobs, the
 * faults of every path, and who crashes, stands, sleeps and comes back when.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { FullParams } from "../../lsp/params.ts";
import { UINT64_MAX } from "../../work/hash.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Quirks } from "../engine/computer.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import { drawFaults } from "../engine/faults.ts";
import type { DialerKind } from "../lsp/endpoints.ts";
import type { Forgery, ForgerPlan } from "../lsp/plan.ts";
import { cheapModulus, type MessageJob } from "./cheap_hash.ts";
import type { MeddlerPlan } from "./meddler.ts";
import { drawRogue, type Rogue } from "./rogues.ts";

/** A machine that crashes (until it returns), hashes nothing, or sleeps altogether. */
export interface Mishap {
  readonly atMs: Millis;
  readonly what:
    | "crash"
    | "stand"
    | "sleep"
    | "cut"
    | "cutUp"
    | "cutDown"
    | "flap"
    | "rebind"
    /** A client gives its connection up and comes back. */
    | "redial";
  readonly forMs: Millis;
}

interface MachinePlan {
  readonly name: string;
  readonly kind: DialerKind;
  /** The links to the server and from it. */
  readonly up: Faults;
  readonly down: Faults;
  readonly quirks: Quirks;
  readonly mishaps: readonly Mishap[];
}

export interface MinerPlan extends MachinePlan, Rogue {
  /** When it is first started. */
  readonly startMs: Millis;
  /** Whether it tells its rate when it joins. */
  readonly knowsRate: boolean;
}

/** A job, to be given a message of its own each time that it is submitted. */
export interface JobPlan {
  readonly atMs: Millis;
  /** After this long the client thinks better of it; Infinity for never. */
  readonly cancelAfterMs: Millis;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Hits expected over the whole range; undefined for a least-hash job. */
  readonly hits: number | undefined;
}

export interface FleetClientPlan extends MachinePlan {
  readonly jobs: readonly JobPlan[];
}

export interface FleetPlan {
  readonly dice: Dice;
  readonly params: FullParams;
  /** A server of the classic course, and everybody speaks its wire. */
  readonly hasClassicServer: boolean;
  readonly serverQuirks: Quirks;
  /** When the server crashes, and for how long; Infinity for never. */
  readonly serverCrashMs: Millis;
  readonly serverDownMs: Millis;
  readonly miners: readonly MinerPlan[];
  readonly clients: readonly FleetClientPlan[];
  /** In some runs only. */
  readonly meddler: MeddlerPlan | undefined;
  readonly forger: ForgerPlan | undefined;
  /** No faults at all in this run: then efficiency is demanded too. */
  readonly calm: boolean;
  readonly faultyMs: Millis;
}

/** Latency of the calm network, each way and each hop. */
export const CALM_LATENCY_MS = 2;

/** Draws the plan of `seed`. */
export function drawFleetPlan(seed: number): FleetPlan {
  const dice = new Dice(seed, Stream.plan);
  const calm = dice.chance(0.15, "calm");
  const faultyMs = dice.real(3000, 12_000, "faultyMs");
  const windowSize = dice.pick([1, 4, 64, 1024], "W");
  const params: FullParams = {
    epochMillis: dice.pick([100, 200, 500], "epochMs"),
    epochLimit: dice.pick([3, 5, 10], "K"),
    windowSize,
    maxUnackedMessages: windowSize,
    maxBackOffInterval: dice.pick([0, 2, 4], "B"),
  };
  const hasClassicServer = dice.chance(0.12, "classicServer");
  // A classic server believes all that it is told.
  const hasRogues = !hasClassicServer && dice.chance(0.4, "rogues");
  const miners = Array.from({ length: dice.integer(1, 6, "miners") }, (_, i): MinerPlan => {
    const drawn = drawMiner(dice, calm, faultyMs, params, `miner${i}`);
    const miner = hasClassicServer ? classicMiner(drawn) : drawn;
    // One honest miner at least: nobody else does the work.
    if (i === 0 || !hasRogues || dice.chance(0.4)) return miner;
    const { name, noncesPerSecond } = miner;
    const kind = miner.kind === "native" ? "native" : "stranger";
    return { ...miner, kind, ...drawRogue(dice, kind !== "native", noncesPerSecond, name) };
  });
  const fleetRate = honestRate(miners);
  const clients = Array.from({ length: dice.integer(1, 3, "clients") }, (_, i) =>
    drawClient(dice, calm, faultyMs, params, fleetRate, `client${i}`, hasClassicServer),
  );
  const crashes = !calm && dice.chance(0.12, "serverCrashes");
  return {
    dice,
    params,
    hasClassicServer,
    serverQuirks: drawQuirks(dice, calm, "server"),
    serverCrashMs: crashes ? dice.real(0, faultyMs, "serverCrashMs") : Infinity,
    serverDownMs: dice.scale(1, 8000),
    miners,
    clients,
    ...(hasClassicServer ? { meddler: undefined, forger: undefined } : drawStrangers(dice)),
    calm,
    faultyMs,
  };
}

/** Those who want to do harm, in some runs. */
function drawStrangers(dice: Dice): Pick<FleetPlan, "meddler" | "forger"> {
  const hasMeddler = dice.chance(0.25, "meddler");
  const wire = dice.pick(["native", "classic"] as const, "meddler.wire");
  const joins = dice.chance(0.5, "meddler.joins");
  const meddler = { wire, joins, paceMs: dice.scale(20, 500, "meddler.paceMs") };
  const hasForger = dice.chance(0.2, "forger");
  const kinds: Forgery[] = ["replay", "forge", "flood"];
  const forger = { kinds, paceMs: dice.scale(5, 200, "forger.paceMs") };
  return { meddler: hasMeddler ? meddler : undefined, forger: hasForger ? forger : undefined };
}

/** What those miners do together that work. */
export function honestRate(miners: readonly MinerPlan[]): number {
  const honest = miners.filter(({ conduct }) => conduct === "honest" || conduct === "overdeclares");
  return honest.reduce((sum, miner) => sum + miner.noncesPerSecond, 0);
}

/** On the json wire, and slow: a classic server has pieces of one size. */
function classicMiner(miner: MinerPlan): MinerPlan {
  const noncesPerSecond = 2e4 + (miner.noncesPerSecond % 2e5);
  return {
    ...miner,
    kind: miner.kind === "stranger" ? "stranger" : "classic",
    noncesPerSecond,
    declaredRate: noncesPerSecond,
  };
}

function drawMiner(
  dice: Dice,
  calm: boolean,
  faultyMs: Millis,
  params: FullParams,
  name: string,
): MinerPlan {
  const kind = dice.pick<DialerKind>(["native", "native", "native", "classic", "stranger"], name);
  const machine = drawMachine(dice, calm, faultyMs, params, name);
  const startMs = dice.chance(0.7) ? 0 : dice.real(0, faultyMs);
  const noncesPerSecond = dice.scale(2e4, kind === "stranger" ? 1e7 : 1e8, `${name}.rate`);
  const knowsRate = dice.chance(0.5, `${name}.knowsRate`);
  const rates = { noncesPerSecond, declaredRate: noncesPerSecond, frozenAfterMs: Infinity };
  return { ...machine, kind, startMs, knowsRate, ...rates, conduct: "honest" };
}

function drawMachine(
  dice: Dice,
  calm: boolean,
  faultyMs: Millis,
  params: FullParams,
  name: string,
): Omit<MachinePlan, "kind"> {
  const mishaps: Mishap[] = [];
  const add = (share: number, what: Mishap["what"], forMsMax: Millis) => {
    if (calm || !dice.chance(share)) return;
    mishaps.push({ atMs: dice.real(0, faultyMs), what, forMs: dice.scale(10, forMsMax) });
  };
  add(0.3, "crash", 10_000);
  add(0.15, "crash", 10_000);
  add(0.25, "stand", 15_000);
  add(0.2, "sleep", 12_000);
  const silenceMs = params.epochMillis * params.epochLimit * 2;
  add(0.3, "cut", silenceMs);
  add(0.1, "cutUp", silenceMs);
  add(0.1, "cutDown", silenceMs);
  add(0.1, "flap", silenceMs);
  add(0.1, "rebind", 10);
  const scaleMs = 100;
  const linkFaults = (direction: string): Faults =>
    calm ? calmFaults(CALM_LATENCY_MS) : drawFaults(dice, scaleMs, `${name}.${direction}`);
  const up = linkFaults("up");
  const down = linkFaults("down");
  return { name, up, down, quirks: drawQuirks(dice, calm, name), mishaps };
}

function drawQuirks(dice: Dice, calm: boolean, name: string): Quirks {
  const clockOriginMs = dice.pick([0, 1e6, 2 ** 31 - 500, 1e12], `${name}.clockOrigin`);
  if (calm) return { bufferDatagrams: 1e6, turnDelayMsMax: 0, clockOriginMs, clockRate: 1 };
  return {
    bufferDatagrams: Math.round(dice.scale(8, 256, `${name}.buffer`)),
    turnDelayMsMax: dice.sometimes(0.4, 0, 10, `${name}.turnDelayMs`),
    clockOriginMs,
    clockRate: dice.sometimes(0.3, 1, 1.01, `${name}.clockRate`),
  };
}

function drawClient(
  dice: Dice,
  calm: boolean,
  faultyMs: Millis,
  params: FullParams,
  fleetRate: number,
  name: string,
  hasClassicServer: boolean,
): FleetClientPlan {
  const kinds: DialerKind[] = ["native", "native", "native", "classic", "stranger"];
  const drawn = dice.pick(kinds, name);
  const kind = hasClassicServer && drawn === "native" ? "classic" : drawn;
  const machine = drawMachine(dice, calm, faultyMs, params, name);
  const count = dice.integer(1, 4);
  const jobs = Array.from({ length: count }, () => drawJob(dice, kind, faultyMs, fleetRate));
  const silenceMs = params.epochMillis * params.epochLimit;
  const redials = jobs.flatMap(({ atMs }): Mishap[] => {
    if (calm || !dice.chance(0.25)) return [];
    const forMs = dice.scale(1, silenceMs / 2);
    return [{ atMs: atMs + dice.scale(10, 3000), what: "redial", forMs }];
  });
  return { ...machine, kind, jobs, mishaps: [...machine.mishaps, ...redials] };
}

function drawJob(dice: Dice, kind: DialerKind, faultyMs: Millis, fleetRate: number): JobPlan {
  const drawnSize = BigInt(Math.ceil(fleetRate * dice.scale(1e-3, 6)));
  const size = dice.pick([0, 0, 0, 1, 2, 100_000, 200_000]);
  const count = size === 0 ? drawnSize : BigInt(size);
  const edges = [0n, 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, UINT64_MAX];
  const edge = edges[dice.integer(0, edges.length - 1)]!;
  const before = BigInt(dice.integer(0, 1)) * (count / 2n);
  let lower = edge > before ? edge - before : 0n;
  if (lower + count - 1n > UINT64_MAX) lower = UINT64_MAX - count + 1n;
  const targeted = kind === "native" && dice.chance(0.4);
  return {
    atMs: dice.chance(0.5) ? 0 : dice.real(0, faultyMs),
    cancelAfterMs: kind !== "stranger" && dice.chance(0.1) ? dice.real(0, 3000) : Infinity,
    lower,
    upper: lower + count - 1n,
    hits: targeted ? dice.pick([0, 0.3, 1, 5, 50]) : undefined,
  };
}

/** The job itself, under a message that is its own. */
export function workOf(plan: JobPlan, message: string): MessageJob {
  const { lower, upper, hits } = plan;
  if (hits === undefined) return { message, lower, upper };
  const share = (cheapModulus(message) * BigInt(Math.round(hits * 1000))) / 1000n;
  const target = share / (upper - lower + 1n);
  return { message, lower, upper, target: target > UINT64_MAX ? UINT64_MAX : target };
}
