/**
 * A miner in virtual time that hashes and maps: one search and one map or reduce at the same time,
 * as a real one does, each with half of its time then.
 *
 * @module
 */
import { encodeMessage, decodeMessage } from "../../work/wire.ts";
import type { Message } from "../../work/messages.ts";
import type { VirtualFleet } from "../server/fleet.ts";
import type { Peer } from "../server/fleet_types.ts";

/** What it can do. */
export interface BusyMinerOptions {
  /** Nonces a second, and bytes a second that it maps. */
  readonly hashRate: number;
  readonly mapRate: number;
}

interface Order {
  readonly number: number;
  readonly units: number;
  done: number;
  /** Of a search: what, and from where. */
  readonly message?: string;
  readonly lower?: bigint;
  /** Of a map: how many partitions it makes. */
  readonly parts?: number;
}

type Kind = "hash" | "map";
/** It works, and reports, so often. */
const STEP_MS = 50;
const PART = { bytes: 1, hash: "00".repeat(32) };

/** See the module. */
export class BusyMiner implements Peer {
  readonly connId: number;
  /** Milliseconds that it gave to each kind. */
  readonly spentMs: Record<Kind, number> = { hash: 0, map: 0 };
  readonly #fleet: VirtualFleet;
  readonly #rates: Record<Kind, number>;
  readonly #orders: Record<Kind, Order[]> = { hash: [], map: [] };
  #steps = 0;

  constructor(fleet: VirtualFleet, connId: number, { hashRate, mapRate }: BusyMinerOptions) {
    this.#fleet = fleet;
    this.connId = connId;
    this.#rates = { hash: hashRate, map: mapRate };
  }

  join(): void {
    this.#say({ kind: "join", threads: 1, rate: this.#rates.hash, label: "busy", name: "" });
    this.#say({ kind: "mr-offer", code: false, tasks: 1, port: 0 });
    this.#step();
  }

  closed(): void {}

  receive(payload: Uint8Array): void {
    const message = decodeMessage(payload) as Message;
    const { hash, map } = this.#orders;
    if (message.kind === "assign") {
      const { subject, lower, upper } = message.work;
      const units = Number(upper - lower + 1n);
      hash.push({ number: message.chunk, units, done: 0, message: String(subject), lower });
    } else if (message.kind === "mr-map") {
      const { task: number, bytes, terms } = message;
      map.push({ number, units: Math.max(1, bytes), done: 0, parts: terms.reducers });
    } else if (message.kind === "mr-reduce") map.push({ number: message.task, units: 1, done: 0 });
    else if (message.kind === "shrink") this.#shrink(message.chunk, message.upper);
    else if (message.kind === "stop") this.#stop(message.chunk);
  }

  #say(message: Message): void {
    this.#fleet.send(this.connId, "cbor", encodeMessage(message));
  }

  #shrink(chunk: number, upper: bigint): void {
    const orders = this.#orders.hash;
    const at = orders.findIndex(({ number }) => number === chunk);
    const order = orders[at];
    if (order === undefined) return;
    const units = Math.max(Math.ceil(order.done), Number(upper - order.lower! + 1n), 1);
    if (units < order.units) orders[at] = { ...order, units };
    const last = order.lower! + BigInt(orders[at]!.units) - 1n;
    this.#say({ kind: "shrunk", chunk, upper: last });
  }

  #stop(number: number): void {
    const { hash, map } = this.#orders;
    const isIt = (order: Order): boolean => order.number === number;
    const search = hash.find(isIt);
    if (search !== undefined) {
      hash.splice(hash.indexOf(search), 1);
      const done = Math.floor(search.done);
      const next = search.lower! + BigInt(done);
      if (done === 0) return this.#say({ kind: "stopped", chunk: number, next });
      const best = this.#best(search, done);
      return this.#say({ kind: "stopped", chunk: number, next, best });
    }
    const at = map.findIndex(isIt);
    if (at < 0) return;
    map.splice(at, 1);
    this.#say({ kind: "mr-ended", task: number, why: "stopped", text: "", map: 0, holder: 0 });
  }

  #best({ message, lower }: Order, done: number): ReturnType<VirtualFleet["puzzle"]["search"]> {
    return this.#fleet.puzzle.search(message!, lower!, lower! + BigInt(done));
  }

  #step(): void {
    this.#fleet.at(this.#fleet.nowMs + STEP_MS, () => {
      this.#steps++;
      const kinds = (["hash", "map"] as const).filter((kind) => this.#orders[kind].length > 0);
      for (const kind of kinds) this.#work(kind, STEP_MS / kinds.length);
      this.#step();
    });
  }

  #work(kind: Kind, forMs: number): void {
    const orders = this.#orders[kind];
    let left = (forMs * this.#rates[kind]) / 1000;
    this.spentMs[kind] += forMs;
    while (left > 0) {
      const order = orders[0];
      if (order === undefined) return;
      const does = Math.min(left, order.units - order.done);
      order.done += does;
      left -= does;
      if (order.done >= order.units) this.#finish(kind, orders.shift()!);
      else if (this.#steps % 5 === 0) this.#report(kind, order);
    }
  }

  #report(kind: Kind, order: Order): void {
    const done = Math.floor(order.done);
    if (kind === "map") {
      return this.#say({ kind: "mr-progress", task: order.number, bytes: done, runs: true });
    }
    if (done === 0) return;
    const next = order.lower! + BigInt(done);
    this.#say({ kind: "progress", chunk: order.number, next, best: this.#best(order, done) });
  }

  #finish(kind: Kind, order: Order): void {
    const { number, units, parts } = order;
    if (kind === "hash") {
      return this.#say({ kind: "result", chunk: number, best: this.#best(order, units) });
    }
    if (parts === undefined) {
      return this.#say({ kind: "mr-reduced", task: number, output: PART, note: "" });
    }
    const all = Array.from({ length: parts }, () => PART);
    this.#say({ kind: "mr-mapped", task: number, parts: all, note: "" });
  }
}
