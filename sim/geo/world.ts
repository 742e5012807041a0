/**
 * A simulated geo store: servers with their actors, the network between them, and the truth. For
 * the campaign of seeds and for the tests by scenario alike.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import type { Replica, Shown } from "../../geo/replica.ts";
import {
  type Answer,
  decodeReply,
  encodeRequest,
  keyOf,
  type Operation,
} from "../../geo/requests.ts";
import { CALM_DISK, type DiskFaults, SimulatedDisk } from "../engine/disk.ts";
import { Loop } from "../engine/loop.ts";
import { Network } from "../engine/network.ts";
import { demand, runTill, tracer, type Transcript } from "../engine/trace.ts";
import { LSP_WIRE } from "../lsp/wire.ts";
import { type GeoMessage, GeoNetwork } from "./net.ts";
import { GeoNode } from "./node.ts";
import { GeoOracle } from "./oracle.ts";
import { type GeoParts, geoParts } from "./plants.ts";

/** What a world is made of. */
export interface GeoWorldOptions {
  readonly seed: number;
  readonly parts?: GeoParts;
  /** Whether servers are whole nodes, whose actors talk over LSP. */
  readonly isWhole?: boolean;
  readonly transcript?: Transcript | undefined;
}

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 5_000_000;

/** All that is asked comes over one connection. */
const CLIENT = 1;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** See the module. */
export class GeoWorld {
  readonly loop: Loop = new Loop();
  readonly network: GeoNetwork;
  readonly nodes: Map<string, GeoNode> = new Map();
  /** What new disks are like. */
  disks: DiskFaults = CALM_DISK;
  readonly oracle: GeoOracle = new GeoOracle();
  /** Changes that watches were told of, by the client that watches. */
  readonly events: Map<number, Shown[]> = new Map();
  readonly #options: GeoWorldOptions;
  readonly #random: Random;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #ids = 0;

  constructor(options: GeoWorldOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed, 5);
    const deliver = (message: GeoMessage): void => {
      const [server = "", index] = message.to.split("#");
      this.nodes.get(server)?.receive(Number(index), message);
    };
    const random = seededRandom(options.seed, 2);
    const lsp =
      options.isWhole === true
        ? new Network(this.loop, random, LSP_WIRE, tracer(this.loop, options.transcript))
        : undefined;
    this.network = new GeoNetwork(this.loop, random, deliver, lsp);
  }

  /** A server that is started, as the `number`-th, knowing those at `joins`. */
  server(number: number, actors: number, joins: readonly string[], isDurable = false): GeoNode {
    const { seed, parts = geoParts(undefined), transcript } = this.#options;
    const { loop } = this;
    const newDisk = (): SimulatedDisk => {
      return new SimulatedDisk(loop, seededRandom(seed, 50 + number), this.disks);
    };
    const node = new GeoNode({
      address: `10.0.0.${number}:6090`,
      actors,
      joins,
      loop,
      random: this.#random,
      network: this.network,
      seed: seed * 8 + number,
      newDisk: isDurable ? newDisk : undefined,
      parts,
      onReply: (address, _client, bytes) => this.#replied(address, bytes),
      trace: tracer(loop, transcript),
    });
    this.nodes.set(node.address, node);
    node.start();
    return node;
  }

  /** So many servers, each of which is told of the first. */
  servers(count: number, actors: number): GeoNode[] {
    const first = this.server(1, actors, []);
    const others = Array.from({ length: count - 1 }, (_, i) => {
      return this.server(i + 2, actors, [first.address]);
    });
    return [first, ...others];
  }

  /** Asks an actor; `onAnswer` may be called at once, later or never. */
  ask(
    node: GeoNode,
    actor: number,
    operation: Operation,
    onAnswer: (answer: Answer) => void = () => {},
  ): number {
    const id = ++this.#ids;
    this.#answers.set(id, onAnswer);
    node.request(actor, CLIENT, encodeRequest({ id, actor, operation }));
    return id;
  }

  put(node: GeoNode, actor: number, key: string, value: string | undefined): void {
    if (!node.isUp) return;
    const bytes = value === undefined ? undefined : new TextEncoder().encode(value);
    const at = keyOf(key);
    const operation: Operation =
      bytes === undefined ? { kind: "delete", key: at } : { kind: "put", key: at, value: bytes };
    const taken = { isAcknowledged: false };
    this.ask(node, actor, operation, ({ kind }) => (taken.isAcknowledged ||= kind === "done"));
    const register = node.cores[actor]?.replica.register(at);
    if (register !== undefined) this.oracle.tookPut(node, register, taken);
  }

  add(node: GeoNode, actor: number, key: string, delta: number): void {
    if (!node.isUp) return;
    const taken = { isAcknowledged: false };
    const operation: Operation = { kind: "add", key: keyOf(key), delta };
    this.ask(node, actor, operation, ({ kind }) => (taken.isAcknowledged ||= kind === "added"));
    this.oracle.tookAdd(node, actor, keyOf(key), delta, taken);
  }

  /** What an actor answers to a get, as text. */
  get(node: GeoNode, actor: number, key: string): string | undefined {
    let value: string | undefined;
    this.ask(node, actor, { kind: "get", key: keyOf(key) }, (answer) => {
      if (answer.kind !== "shown" || answer.shown.value === undefined) return;
      value = utf8.decode(answer.shown.value);
    });
    return value;
  }

  count(node: GeoNode, actor: number, key: string): number | undefined {
    return node.cores[actor]?.replica.count(keyOf(key));
  }

  /** All keys with this prefix and their values, as an actor lists them. */
  list(node: GeoNode, actor: number, prefix: string): string[] {
    const all: string[] = [];
    const operation = { kind: "list", prefix: keyOf(prefix), after: "", keysMax: 1000 } as const;
    this.ask(node, actor, operation, (answer) => {
      if (answer.kind !== "listed") return;
      for (const { key, value } of answer.all) all.push(`${key}=${value && utf8.decode(value)}`);
    });
    return all;
  }

  run(forMs: Millis): void {
    this.loop.runUntil(this.loop.nowMs + forMs, () => this.#checkRates(), STEPS_MAX);
  }

  /** Runs until `isDone`, and fails with `what` if that takes longer; how long it took. */
  runUntil(isDone: () => boolean, withinMs: Millis, what: string): Millis {
    const { nowMs } = this.loop;
    runTill(
      this.loop,
      isDone,
      withinMs,
      () => what,
      () => this.run(1),
    );
    return this.loop.nowMs - nowMs;
  }

  /** Every actor that runs, with its server. */
  *actors(): Iterable<{ readonly node: GeoNode; readonly actor: number }> {
    for (const node of this.nodes.values()) {
      for (const actor of node.cores.keys()) yield { node, actor };
    }
  }

  /** Whether all replicas are the same. */
  get areEqual(): boolean {
    let first: Replica["tree"] | undefined;
    for (const { cores } of this.nodes.values()) {
      for (const { replica } of cores) {
        const { tree } = replica;
        first ??= tree;
        const { high, low } = tree.root;
        if (high !== first.root.high || low !== first.root.low) return false;
        if (tree.count !== first.count) return false;
      }
    }
    return true;
  }

  #checkRates(): void {
    const { tooMany } = this.network;
    demand(tooMany === undefined, () => `more than 10 messages a second: ${tooMany}`);
  }

  #replied(_address: string, bytes: Uint8Array): void {
    const reply = decodeReply(bytes);
    demand(reply !== undefined, () => "a reply that is none");
    const { id, answer } = reply;
    if (answer.kind === "events") {
      this.events.set(id, [...(this.events.get(id) ?? []), ...answer.changes]);
      return;
    }
    this.#answers.get(id)?.(answer);
    this.#answers.delete(id);
  }
}
