/**
 * What happens to messages between simulated actors of different servers. They are worse off than
 * on connections of LSP: they are lost, doubled and overtake each other.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import type { Links } from "../engine/links.ts";
import type { Loop } from "../engine/loop.ts";
import { MessageNetwork } from "../engine/message_network.ts";
import type { Network } from "../engine/network.ts";

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
  readonly directions: Map<string, Direction> = new Map();
  /** The first direction in which more was sent than may be. */
  tooMany: string | undefined;
  readonly #loop: Loop;
  readonly #deliver: (message: GeoMessage) => void;
  readonly #messages: MessageNetwork<string, GeoMessage>;

  constructor(
    loop: Loop,
    random: Random,
    deliver: (message: GeoMessage) => void,
    lsp: Network | undefined,
  ) {
    this.#loop = loop;
    this.#deliver = deliver;
    this.#messages = new MessageNetwork({
      loop,
      random,
      deliver: (_from, _to, message) => deliver(message),
      describe: ({ from, to, bytes }) => `${from} -> ${to} ${bytes.length} B`,
      bytesOf: ({ bytes }) => bytes.length,
    });
    this.lsp = lsp;
    this.faults = calmFaults(250);
  }

  get #links(): Links<string> {
    return this.lsp ?? this.#messages;
  }

  get faults(): Faults {
    return this.#links.faults;
  }

  set faults(faults: Faults) {
    this.#links.faults = faults;
  }

  /** Nothing passes from server `a` to `b` any more. */
  cutOneWay(a: string, b: string): void {
    if (a !== b) this.#links.cutOneWay(a, b);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  mendAll(): void {
    this.#links.mendAll();
  }

  send(message: GeoMessage): void {
    this.count(message);
    const [a, b] = [serverOf(message.from), serverOf(message.to)];
    if (a === b) this.#loop.after(0, () => this.#deliver(message));
    else this.#messages.send(a, b, message);
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
