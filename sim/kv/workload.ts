/**
 * What simulated clients do: one call after the other, of every kind, on few keys.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, integerBetween, type Random, unitReal } from "../../base/random.ts";
import { bytesOf } from "../../base/byte_fields.ts";
import type { Call } from "../../kv/client_types.ts";
import type { Change } from "../../kv/commands.ts";
import type { SimClient } from "./client.ts";
import type { KvWorld } from "./world.ts";

/** What a workload is made of. */
export interface Mix {
  readonly keys: readonly string[];
  /** Bytes that values have more than they need to be told apart. */
  readonly padding: number;
  /** Whether there are operations on several keys: they make histories hard to check. */
  readonly isJoint: boolean;
  /** Whether writes are conditional puts without a session. */
  readonly isBare: boolean;
  /** Up to this long between two calls. */
  readonly pauseMs: Millis;
  /** Calls at a time. */
  readonly depth: number;
  /** Share of calls that are given up after a short while. */
  readonly hurriedShare: number;
}

export const PLAIN_MIX: Mix = {
  keys: ["a", "b", "c"],
  padding: 0,
  isJoint: false,
  isBare: false,
  pauseMs: 20,
  depth: 1,
  hurriedShare: 0,
};

/** Has a client work until `untilMs`. */
export function work(
  world: KvWorld,
  client: SimClient,
  random: Random,
  mix: Mix,
  untilMs: Millis,
): void {
  let made = 0;
  /** Versions that were seen, for conditions that are met. */
  const versions = new Map<string, number>();
  const next = (): void => {
    if (world.loop.nowMs >= untilMs) return;
    const call = drawnCall(random, mix, versions, `${client.id}.${++made}`);
    const isHurried = chance(random, mix.hurriedShare);
    const forMs = isHurried ? integerBetween(random, 5, 600) : undefined;
    const seen = (outcome: Parameters<NonNullable<Parameters<SimClient["call"]>[1]>>[0]): void => {
      const reply = "reply" in outcome ? outcome.reply : undefined;
      const key = keyOf(call);
      if (key !== undefined && reply?.kind === "value") versions.set(key, reply.version);
      if (key !== undefined && reply?.kind === "answer" && "version" in reply.answer) {
        versions.set(key, reply.answer.version);
      }
      world.loop.after(unitReal(random) * mix.pauseMs, next);
    };
    client.call(call, seen, forMs);
  };
  for (let i = 0; i < mix.depth; i++) world.loop.after(unitReal(random) * mix.pauseMs, next);
}

function keyOf(call: Call): string | undefined {
  if (call.kind === "get") return call.key;
  if (call.kind !== "write" || call.command.kind !== "put") return undefined;
  return call.command.change.key;
}

function drawnCall(
  random: Random,
  mix: Mix,
  versions: ReadonlyMap<string, number>,
  name: string,
): Call {
  const drawKey = (): string => mix.keys[integerBetween(random, 0, mix.keys.length - 1)]!;
  const key = drawKey();
  const value = bytesOf(`${name};${"-".repeat(mix.padding)}`);
  const drawAt = (one: string): number | undefined =>
    chance(random, 0.3) ? (versions.get(one) ?? 0) : undefined;
  const change = (one: string): Change => {
    const isDelete = chance(random, 0.2);
    return { key: one, at: drawAt(one), value: isDelete ? undefined : value, lease: 0 };
  };
  if (chance(random, 0.4)) return { kind: "get", key, isStale: false };
  if (mix.isBare) {
    const at = versions.get(key) ?? 0;
    const command = { kind: "put", change: { key, at, value, lease: 0 } } as const;
    return { kind: "write", isBare: true, command };
  }
  if (mix.isJoint && chance(random, 0.15)) {
    return { kind: "list", prefix: "", after: "", keysMax: 1000, isStale: false };
  }
  if (mix.isJoint && chance(random, 0.2)) {
    const changes = [...new Set([drawKey(), drawKey()])].map(change);
    return { kind: "write", isBare: false, command: { kind: "multi", changes } };
  }
  if (chance(random, 0.4)) {
    return {
      kind: "write",
      isBare: false,
      command: { kind: "append", key, at: drawAt(key), value },
    };
  }
  if (chance(random, 0.2)) {
    const gone = { key, at: drawAt(key), value: undefined, lease: 0 };
    return { kind: "write", isBare: false, command: { kind: "delete", change: gone } };
  }
  const put = { key, at: drawAt(key), value, lease: 0 };
  return { kind: "write", isBare: false, command: { kind: "put", change: put } };
}
