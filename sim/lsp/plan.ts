/**
 * What one seed of the LSP simulation draws: the endpoints, their parameters, the faults of every
 * path, and what the programs and the machines do when.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { FullParams, LspLimits } from "../../lsp/params.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Quirks } from "../engine/computer.ts";
import type { Faults } from "../../base/link.ts";
import { drawFaults } from "../engine/faults.ts";
import type { DialerKind, ListenerKind } from "./endpoints.ts";

/** Something that happens at a time during the faulty phase; `client` -1 is the listener. */
export interface Incident {
  readonly atMs: Millis;
  readonly client: number;
  readonly what:
    | "dial"
    | "write"
    | "crash"
    | "return"
    | "stall"
    | "cut"
    | "flap"
    | "rebind"
    | "narrow"
    | "slow"
    | "close"
    | "closeConn";
  /** Messages to write, milliseconds that it lasts, or bytes that still pass. */
  readonly amount: number;
}

/** One client machine. */
export interface ClientPlan {
  readonly kind: DialerKind;
  readonly params: FullParams;
  readonly limits: Partial<LspLimits>;
  readonly quirks: Quirks;
  /** The links to the listener and from it. */
  readonly up: Faults;
  readonly down: Faults;
}

/** The messages larger than a datagram that programs write on the cbor wire. */
export interface LargePlan {
  /** Share of the messages that are so large; 0 in many runs. */
  readonly share: number;
  readonly bytesMax: number;
}

/** What a forger does. */
export type Forgery = "replay" | "forge" | "flood" | "blind";

/** A stranger who wants to do harm. */
export interface ForgerPlan {
  readonly kinds: readonly Forgery[];
  /** Mean time between two deeds. */
  readonly paceMs: Millis;
}

/** A whole run. */
export interface LspPlan {
  readonly dice: Dice;
  readonly listenerKind: ListenerKind;
  readonly listenerParams: FullParams;
  readonly listenerLimits: Partial<LspLimits>;
  readonly listenerQuirks: Quirks;
  readonly clients: readonly ClientPlan[];
  readonly large: LargePlan;
  readonly incidents: readonly Incident[];
  /** In some runs only. */
  readonly forger: ForgerPlan | undefined;
  /** Length of the phase with faults. */
  readonly faultyMs: Millis;
  /** The longest epoch in use. */
  readonly epochMs: Millis;
}

/** Draws the plan of `seed`. */
export function drawLspPlan(seed: number): LspPlan {
  const dice = new Dice(seed, Stream.plan);
  const strangerListener = dice.chance(0.1, "strangerListener");
  const listenerParams = drawParams(dice, "listener");
  const listenerMs = listenerParams.epochMillis;
  const clientCount = dice.integer(1, 4, "clients");
  const clients: ClientPlan[] = [];
  for (let i = 0; i < clientCount; i++) {
    const kinds: DialerKind[] = strangerListener
      ? ["classic", "stranger"]
      : ["native", "native", "native", "classic", "classic", "stranger"];
    const name = `client${i}`;
    const kind = dice.pick(kinds, `${name}.kind`);
    clients.push({
      kind,
      params: { ...drawParams(dice, name), epochMillis: drawEpoch(dice, kind, listenerMs, name) },
      limits: drawLimits(dice, name),
      quirks: drawQuirks(dice, listenerMs, name),
      up: drawFaults(dice, listenerMs, `${name}.up`),
      down: drawFaults(dice, listenerMs, `${name}.down`),
    });
  }
  const epochMs = Math.max(listenerMs, ...clients.map(({ params }) => params.epochMillis));
  const faultyMs = epochMs * dice.integer(4, 24, "faultyEpochs");
  const plan = {
    dice,
    listenerKind: strangerListener ? ("stranger" as const) : ("ours" as const),
    listenerParams,
    listenerLimits: drawLimits(dice, "listener"),
    listenerQuirks: drawQuirks(dice, epochMs, "listener"),
    clients,
    incidents: drawIncidents(dice, clients, faultyMs, epochMs),
    faultyMs,
    epochMs,
  };
  return withNarrowPaths(withForger(withLarge(plan, dice), dice), dice);
}

/** Paths that swallow large datagrams from some time on; drawn last, so that seeds stay as good. */
function withNarrowPaths(plan: LspPlan, dice: Dice): LspPlan {
  const narrow = plan.clients.flatMap(({ kind }, client): Incident[] => {
    const isNarrow = dice.chance(0.25, `client${client}.narrow`);
    const atMs = dice.real(0, plan.faultyMs / 2);
    const amount = dice.pick([1168, 800, 560]);
    // The json wire has no answer to that.
    return isNarrow && kind === "native" ? [{ atMs, client, what: "narrow", amount }] : [];
  });
  const incidents = [...plan.incidents, ...narrow].toSorted((a, b) => a.atMs - b.atMs);
  return { ...plan, incidents };
}

/** The forger comes with limits on what strangers can make grow that are soon met. */
function withForger(plan: Omit<LspPlan, "forger">, dice: Dice): LspPlan {
  const isThere = dice.chance(0.35, "forger");
  const kinds = (["replay", "forge", "flood", "blind"] as const).filter((kind) => {
    return dice.chance(0.6, `forger.${kind}`);
  });
  const paceMs = plan.epochMs * dice.scale(0.02, 1, "forger.pace");
  const limits = {
    maxConnections: dice.pick([10_000, 12], "maxConnections"),
    maxClassicConnections: dice.pick([5000, 8], "maxClassicConnections"),
    maxUnproven: dice.pick([1024, 5], "maxUnproven"),
    maxEndedRemembered: dice.pick([10_000, 10_000, 2], "maxEndedRemembered"),
    maxStrayDatagrams: dice.pick([256, 256, 4], "maxStrayDatagrams"),
    maxRefusalsPerSecond: dice.pick([10, 2], "maxRefusalsPerSecond"),
  };
  if (!isThere || kinds.length === 0) return { ...plan, forger: undefined };
  const listenerLimits = { ...plan.listenerLimits, ...limits };
  return { ...plan, listenerLimits, forger: { kinds, paceMs } };
}

/** Narrow limits for large messages too, so that they get into each other's way. */
function withLarge(plan: Omit<LspPlan, "large" | "forger">, dice: Dice): Omit<LspPlan, "forger"> {
  const share = dice.pick([0, 0, 0, 0.1, 0.4], "largeShare");
  const bytesMax = dice.pick([3000, 12_000, 40_000], "maxMessageBytes");
  const messages = dice.pick([1, 1, 2, 8], "maxReassembly");
  const own = { maxMessageBytes: bytesMax, maxReassemblyBytes: messages * bytesMax };
  return {
    ...plan,
    listenerLimits: { ...plan.listenerLimits, ...own },
    clients: plan.clients.map((client) => ({ ...client, limits: { ...client.limits, ...own } })),
    large: { share, bytesMax },
  };
}

function drawParams(dice: Dice, name: string): FullParams {
  const windowSize = dice.pick([1, 1, 2, 3, 4, 8, 16, 64], `${name}.W`);
  return {
    epochMillis: dice.pick([20, 50, 100, 500, 2000], `${name}.epochMs`),
    epochLimit: dice.pick([2, 3, 4, 5, 5, 8], `${name}.K`),
    windowSize,
    maxUnackedMessages: dice.integer(1, windowSize, `${name}.M`),
    maxBackOffInterval: dice.pick([0, 0, 1, 2, 4, 8], `${name}.B`),
  };
}

/**
 * A client's epoch. On the cbor wire each end tells the other its own, and hears from it in time;
 * on the classic one ends with different epochs lose each other.
 */
function drawEpoch(dice: Dice, kind: DialerKind, listenerMs: Millis, name: string): Millis {
  const other = listenerMs * dice.pick([0.25, 0.5, 2, 4], `${name}.otherEpoch`);
  const isOther = dice.chance(0.3, `${name}.hasOtherEpoch`);
  const isHeard = Math.min(listenerMs, other) >= 100;
  return isOther && isHeard && kind === "native" ? other : listenerMs;
}

/** Limits so narrow that runs of this size meet them. */
function drawLimits(dice: Dice, name: string): Partial<LspLimits> {
  const maxUnreadBytes = dice.pick([1 << 20, 1 << 20, 16_384, 4096], `${name}.maxUnreadBytes`);
  return {
    maxQueuedBytes: dice.pick([4 << 20, 16_384, 2000], `${name}.maxQueuedBytes`),
    maxUnreadBytes,
    maxUnreadMessages: dice.pick([1000, 1000, 8, 1], `${name}.maxUnreadMessages`),
    maxUnreadBytesTotal: 2 * maxUnreadBytes,
    maxReorder: dice.pick([1024, 1024, 16, 2], `${name}.maxReorder`),
  };
}

function drawQuirks(dice: Dice, epochMs: Millis, name: string): Quirks {
  return {
    bufferDatagrams: Math.round(dice.scale(4, 256, `${name}.buffer`)),
    turnDelayMsMax: dice.sometimes(0.6, 0, epochMs / 10, `${name}.turnDelayMs`),
    clockOriginMs: dice.pick([0, 0, 1, 1e6, 2 ** 31 - 500, 1e12], `${name}.clockOrigin`),
    clockRate: dice.sometimes(0.3, 1, 1.01, `${name}.clockRate`),
  };
}

function drawIncidents(
  dice: Dice,
  clients: readonly ClientPlan[],
  faultyMs: Millis,
  epochMs: Millis,
): Incident[] {
  const incidents: Incident[] = [];
  const silenceMs = epochMs * 8;
  const add = (share: number, client: number, what: Incident["what"], amountMax: number) => {
    if (!dice.chance(share)) return;
    const amount = dice.integer(1, Math.max(1, Math.round(amountMax)));
    incidents.push({ atMs: dice.real(0, faultyMs), client, what, amount });
  };
  for (let client = 0; client < clients.length; client++) {
    const atMs = dice.chance(0.5) ? 0 : dice.real(0, faultyMs / 3);
    incidents.push({ atMs, client, what: "dial", amount: 0 });
    const bursts = dice.integer(1, 6);
    for (let i = 0; i < bursts; i++) add(1, client, "write", dice.pick([1, 4, 20]));
    for (let i = 0; i < 3; i++) add(0.25, client, "cut", silenceMs);
    add(0.1, client, "flap", silenceMs);
    add(0.25, client, "crash", 0);
    add(0.3, client, "return", 0);
    add(0.2, client, "stall", silenceMs);
    add(0.2, client, "rebind", 0);
    add(0.3, client, "slow", silenceMs);
    add(0.1, client, "close", 0);
    add(0.15, client, "closeConn", 0);
  }
  const bursts = dice.integer(0, 6);
  for (let i = 0; i < bursts; i++) add(1, -1, "write", dice.pick([1, 4, 20]));
  add(0.15, -1, "crash", silenceMs);
  add(0.25, -1, "stall", silenceMs);
  add(0.3, -1, "slow", silenceMs);
  add(0.04, -1, "close", 0);
  return incidents.toSorted((a, b) => a.atMs - b.atMs);
}
