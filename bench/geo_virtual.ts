/**
 * Gateways of the geo store in virtual time, on a network that only delays: what it costs exactly
 * to bring replicas together, and how soon a put is everywhere. For bench/geo.ts and its test.
 *
 * @module
 */
import { Heap } from "../base/heap.ts";
import type { Millis } from "../base/machine.ts";
import { integerBetween, seededRandom } from "../base/random.ts";
import { QueryCore } from "../geo/core.ts";
import type { Register } from "../geo/entry.ts";
import { encodeRequest } from "../geo/requests.ts";
import { actorOf } from "../geo/stamp.ts";
import type { QueryInput } from "../geo/types.ts";

/** The wall clock when virtual time begins. */
const WALL_MS = 1_750_000_000_000;
/** The life of the server that is said to have taken what is there. */
const LIFE = 77;
const WITHIN_MS: Millis = 60_000;

interface Happening {
  readonly atMs: Millis;
  readonly order: number;
  readonly run: () => void;
}

/** Servers of one actor each. */
class VirtualServers {
  readonly cores: QueryCore[] = [];
  nowMs: Millis = 0;
  bytes = 0;
  /** Messages, each sent when the one before had come. */
  longestChain = 0;
  readonly #latencyMs: Millis;
  readonly #queue = new Heap<Happening>((a, b) => {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  });
  readonly #chains: number[] = [];
  readonly #wakeMs: Millis[] = [];
  #order = 0;

  constructor(states: readonly (readonly Register[])[], latencyMs: Millis) {
    this.#latencyMs = latencyMs;
    for (const [i, entries] of states.entries()) {
      const own = { address: addressOf(i), life: i + 1, index: 0, actors: 1, isDurable: false };
      const joins = i === 0 ? [] : [addressOf(0)];
      const wallMs = (): Millis => WALL_MS + this.nowMs;
      this.cores.push(new QueryCore({ ...own, joins, entries, wallMs }, 0));
      this.#chains.push(0);
      this.#wakeMs.push(Infinity);
    }
    for (const i of this.cores.keys()) this.tell(i, { kind: "wake" });
  }

  get areEqual(): boolean {
    const [first, ...others] = this.cores.map(({ replica }) => replica.tree.root);
    return others.every(({ high, low }) => high === first!.high && low === first!.low);
  }

  tell(to: number, input: QueryInput | { readonly kind: "wake" }): void {
    const core = this.cores[to]!;
    core.handle(input, this.nowMs);
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
      if (effect.kind === "tell") this.#send(to, numberOf(effect.server), effect.bytes);
    }
    const wakeMs = core.wakeAtMs() ?? Infinity;
    if (wakeMs >= this.#wakeMs[to]!) return;
    this.#wakeMs[to] = wakeMs;
    this.#at(wakeMs, () => {
      if (this.#wakeMs[to] !== wakeMs) return;
      this.#wakeMs[to] = Infinity;
      this.tell(to, { kind: "wake" });
    });
  }

  /** Runs until `isDone`; how long it took. Throws if that is more than {@link WITHIN_MS}. */
  runUntil(isDone: () => boolean): Millis {
    const sinceMs = this.nowMs;
    while (!isDone()) {
      const next = this.#queue.shift();
      if (next === undefined || next.atMs > sinceMs + WITHIN_MS) throw new Error("it never ends");
      this.nowMs = next.atMs;
      next.run();
    }
    return this.nowMs - sinceMs;
  }

  run(forMs: Millis): void {
    const untilMs = this.nowMs + forMs;
    let isOver = false;
    this.#at(untilMs, () => (isOver = true));
    this.runUntil(() => isOver);
  }

  #at(atMs: Millis, run: () => void): void {
    this.#queue.push({ atMs: Math.max(atMs, this.nowMs), order: this.#order++, run });
  }

  #send(from: number, to: number, bytes: Uint8Array): void {
    const chain = this.#chains[from]! + 1;
    this.longestChain = Math.max(this.longestChain, chain);
    this.bytes += bytes.length;
    this.#at(this.nowMs + this.#latencyMs, () => {
      this.#chains[to] = Math.max(this.#chains[to]!, chain);
      this.tell(to, { kind: "envelope", bytes });
    });
  }
}

function addressOf(server: number): string {
  return `10.0.0.${server + 1}:6090`;
}

function numberOf(address: string): number {
  return Number(/\.(\d+):/.exec(address)![1]) - 1;
}

/** What a reconciliation cost. */
export interface ReconcileCost {
  /** Bytes of all messages in both directions, the first hello included. */
  readonly bytes: number;
  /** Messages that depend on each other, two a round trip, the first hello included. */
  readonly roundTrips: number;
  /** Until both were the same, from the moment that one was told of the other. */
  readonly tookMs: Millis;
}

/** Brings two servers together that have `keys` keys and differ in `differences` of them. */
export function reconcile(keys: number, differences: number, latencyMs: Millis): ReconcileCost {
  const servers = new VirtualServers(states(keys, differences), latencyMs);
  const isKnown = (): boolean => servers.cores[1]!.sync.joins.length === 0;
  const tookMs = servers.runUntil(() => isKnown() && servers.areEqual);
  return { bytes: servers.bytes, roundTrips: servers.longestChain / 2, tookMs };
}

/** The same keys at both, but for those that one or the other has newer. */
function states(keys: number, differences: number): [Register[], Register[]] {
  const [mine, theirs]: [Register[], Register[]] = [[], []];
  const step = Math.floor(keys / differences);
  for (let i = 0; i < keys; i++) {
    const value = new TextEncoder().encode(`value ${i}`);
    const stamp = { wallMs: WALL_MS - keys + i, counter: 0, actor: actorOf(LIFE, 0) };
    const old: Register = { kind: "register", key: `key ${i}`, ...stamp, value };
    const isDifferent = i % step === 0 && i / step < differences;
    const newer = isDifferent ? { ...old, counter: 1 } : old;
    const isMine = i % (2 * step) === 0;
    mine.push(isMine ? newer : old);
    theirs.push(isMine ? old : newer);
  }
  return [mine, theirs];
}

/** How long each of `puts` puts took until all of three servers had it, in order. */
export function convergence(puts: number, latencyMs: Millis): Millis[] {
  const servers = new VirtualServers([[], [], []], latencyMs);
  servers.run(10_000);
  const random = seededRandom(7);
  const tookMs: Millis[] = [];
  for (let i = 0; i < puts; i++) {
    const value = new TextEncoder().encode(String(i));
    const operation = { kind: "put", key: "key", value } as const;
    const bytes = encodeRequest({ id: i + 1, actor: 0, operation });
    servers.tell(integerBetween(random, 0, 2), { kind: "request", client: 1, bytes });
    tookMs.push(servers.runUntil(() => servers.areEqual));
    servers.run(integerBetween(random, 0, 150));
  }
  return tookMs.toSorted((a, b) => a - b);
}
