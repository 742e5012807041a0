/**
 * What happens to messages between simulated actors of different servers. They are worse off than
 * on connections of LSP: they are lost, doubled and overtake each other.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import { calmFaults } from "../engine/link.ts";
import type { Loop } from "../engine/loop.ts";
import type { Network } from "../engine/network.ts";

/** How messages between servers fare. */
export interface GeoFaults {
  readonly latencyMs: Millis;
  readonly jitterMs: Millis;
  readonly lossShare: number;
  readonly duplicateShare: number;
}

/** A message on its way. */
export interface GeoMessage {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** What went from one actor to another in one direction. */
interface Direction {
  messages: number;
  bytes: number;
  /** Of the last ten messages. */
  readonly lastMs: Millis[];
}

/** Messages of one direction in any second. */
const MESSAGES_A_SECOND = 10;
/** Times are added up on several clocks. */
const ROUNDING_MS = 1e-6;

/**
 * Brings messages from actor to actor; a name is `HOST:PORT#INDEX`. Or it only counts them, where
 * they go over LSP, and does to the network below what is asked of it.
 */
export class GeoNetwork {
  /** The network of datagrams below LSP, if there is one. */
  readonly lsp: Network | undefined;
  #faults: GeoFaults = { latencyMs: 250, jitterMs: 0, lossShare: 0, duplicateShare: 0 };
  readonly directions: Map<string, Direction> = new Map();
  /** The first direction in which more was sent than may be. */
  tooMany: string | undefined;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #deliver: (message: GeoMessage) => void;
  readonly #cut = new Set<string>();

  constructor(
    loop: Loop,
    random: Random,
    deliver: (message: GeoMessage) => void,
    lsp: Network | undefined,
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#deliver = deliver;
    this.lsp = lsp;
    this.faults = this.#faults;
  }

  get faults(): GeoFaults {
    return this.#faults;
  }

  set faults(faults: GeoFaults) {
    this.#faults = faults;
    this.lsp?.heal({ ...calmFaults(faults.latencyMs), ...faults });
    for (const pair of this.#cut) this.#cutBelow(pair);
  }

  /** Nothing passes from server `a` to `b` any more. */
  cutOneWay(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`);
    this.#cutBelow(`${a} ${b}`);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  mendAll(): void {
    this.#cut.clear();
    this.faults = this.#faults;
  }

  send(message: GeoMessage): void {
    this.count(message);
    const [a, b] = [serverOf(message.from), serverOf(message.to)];
    if (a === b) return this.#loop.after(0, () => this.#deliver(message));
    const { latencyMs, jitterMs, lossShare, duplicateShare } = this.faults;
    const copies = chance(this.#random, duplicateShare) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const isLost = chance(this.#random, lossShare);
      const delayMs = latencyMs + unitReal(this.#random) * jitterMs;
      if (isLost || this.#cut.has(`${a} ${b}`)) continue;
      this.#loop.after(delayMs, () => this.#deliver(message));
    }
  }

  /** Bytes from server `a` to `b`, or from all to all. */
  bytes(a?: string, b?: string): number {
    let bytes = 0;
    for (const [name, direction] of this.directions) {
      const [from = "", to = ""] = name.split(" ").map(serverOf);
      if (from === to || (a !== undefined && from !== a) || (b !== undefined && to !== b)) continue;
      bytes += direction.bytes;
    }
    return bytes;
  }

  #cutBelow(pair: string): void {
    const [a, b] = pair.split(" ");
    if (this.lsp !== undefined && a !== b) this.lsp.link(a!, b!).isCut = true;
  }

  /** A message leaves. */
  count({ from, to, bytes }: GeoMessage): void {
    const name = `${from} ${to}`;
    const direction = this.directions.get(name) ?? { messages: 0, bytes: 0, lastMs: [] };
    this.directions.set(name, direction);
    direction.messages++;
    direction.bytes += bytes.length;
    const { lastMs } = direction;
    const { nowMs } = this.#loop;
    lastMs.push(nowMs);
    if (lastMs.length <= MESSAGES_A_SECOND) return;
    if (nowMs - lastMs.shift()! < 1000 - ROUNDING_MS) this.tooMany ??= name;
  }
}

/** The server of an actor's name. */
export function serverOf(name: string): string {
  return name.split("#")[0]!;
}
