/**
 * What it costs two replicas to find out what they differ in: for a test and for the benchmark.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Register } from "../../geo/entry.ts";
import { actorOf } from "../../geo/stamp.ts";
import { GeoWorld } from "./world.ts";

/** What a reconciliation cost. */
export interface ReconcileCost {
  /** Bytes of all messages in both directions, from the first that shows the difference on. */
  readonly bytes: number;
  /** Messages that depend on each other, two a round trip. */
  readonly roundTrips: number;
  /** Until both were the same, from the moment that they could talk to each other. */
  readonly tookMs: Millis;
}

/** The life of the server that is said to have taken the entries. */
const LIFE = 77;
const WITHIN_MS: Millis = 60_000;

/** Two servers with the same `keys` keys, but for `differences` which one or the other has newer. */
export function reconcile(keys: number, differences: number, latencyMs: Millis): ReconcileCost {
  const world = new GeoWorld({ seed: 1 });
  world.network.faults = { ...world.network.faults, latencyMs };
  const [mine, theirs] = states(keys, differences);
  const first = world.server(1, 1, [], false, mine);
  const second = world.server(2, 1, [first.address], false, theirs);
  const tookMs = world.runUntil(
    () => world.areEqual && second.cores[0]!.sync.joins.length === 0,
    WITHIN_MS,
    "the same state",
  );
  // Entries of the last message arrive half a round trip behind it; nothing else is said then.
  const roundTrips = world.network.longestChain / 2;
  return { bytes: world.network.bytes(), roundTrips, tookMs };
}

function states(keys: number, differences: number): [Register[], Register[]] {
  const [mine, theirs]: [Register[], Register[]] = [[], []];
  const step = Math.floor(keys / differences);
  for (let i = 0; i < keys; i++) {
    const value = new TextEncoder().encode(`value ${i}`);
    const key = `key ${i}`;
    const stamp = { wallMs: 1_749_000_000_000 + i, counter: 0, actor: actorOf(LIFE, 0) };
    const old: Register = { kind: "register", key, ...stamp, value };
    const isDifferent = i % step === 0 && i / step < differences;
    const newer = isDifferent ? { ...old, counter: 1 } : old;
    const isMine = i % (2 * step) === 0;
    mine.push(isMine ? newer : old);
    theirs.push(isMine ? old : newer);
  }
  return [mine, theirs];
}
