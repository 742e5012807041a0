/**
 * The network between nodes, message by message: every directed link has faults of its own.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import { entryBytes, type Message, type NodeId } from "../../raft/mod.ts";
import type { Loop } from "../engine/loop.ts";
import type { TraceLine } from "../engine/trace.ts";

/** What one direction of a link does to messages. */
export interface LinkFaults {
  readonly lossShare: number;
  readonly duplicateShare: number;
  /** Messages that are late by up to `lateMs`, and so overtaken by others. */
  readonly lateShare: number;
  readonly lateMs: Millis;
  readonly latencyMs: Millis;
  readonly jitterMs: Millis;
}

/** A link without faults. */
export function calmLink(latencyMs: Millis): LinkFaults {
  return { lossShare: 0, duplicateShare: 0, lateShare: 0, lateMs: 0, latencyMs, jitterMs: 0 };
}

/** Roughly what a message takes on a wire. */
export function messageBytes(message: Message): number {
  let bytes = 32;
  if (message.kind === "append") {
    for (const { data } of message.entries) bytes += entryBytes(data.length);
  } else if (message.kind === "snapshot") bytes += message.data.length;
  return bytes;
}

/** A message in a few words. */
export function describeMessage(message: Message): string {
  const { kind, term, ...rest } = message;
  const fields = Object.entries(rest).map(([name, value]) => {
    if (Array.isArray(value)) return `${name}=${value.length}`;
    if (value instanceof Uint8Array) return `${name}=${value.length}B`;
    return typeof value === "object" ? `${name}=${JSON.stringify(value)}` : `${name}=${value}`;
  });
  return `${kind} t${term} ${fields.join(" ")}`;
}

/** Messages that nobody sends unasked. */
const ANSWERS: ReadonlySet<Message["kind"]> = new Set<Message["kind"]>([
  "appended",
  "refused",
  "heard",
  "voted",
  "chunked",
  "readAt",
]);

/** Brings messages from node to node. */
export class RaftNetwork {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #deliver: (from: NodeId, to: NodeId, message: Message) => void;
  readonly #trace: TraceLine | undefined;
  readonly #links = new Map<number, LinkFaults>();
  readonly #cut = new Set<number>();
  /** The faults of a link that has none of its own. */
  faults: LinkFaults = calmLink(1);
  /** The faults of answers, where those have their own. */
  answerFaults: LinkFaults | undefined;
  sent = 0;
  sentBytes = 0;
  lost = 0;
  /** How many of each kind were sent. */
  readonly byKind: Record<string, number> = {};

  constructor(
    loop: Loop,
    random: Random,
    deliver: (from: NodeId, to: NodeId, message: Message) => void,
    trace: TraceLine | undefined,
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#deliver = deliver;
    this.#trace = trace;
  }

  /** Gives the direction from -> to faults of its own. */
  setLink(from: NodeId, to: NodeId, faults: LinkFaults): void {
    this.#links.set(linkKey(from, to), faults);
  }

  /** Nothing passes from -> to any more; what is on its way still comes. */
  cutOneWay(from: NodeId, to: NodeId): void {
    this.#cut.add(linkKey(from, to));
  }

  /** Nothing passes either way. */
  cut(a: NodeId, b: NodeId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  mend(a: NodeId, b: NodeId): void {
    this.#cut.delete(linkKey(a, b));
    this.#cut.delete(linkKey(b, a));
  }

  /** No link is cut any more. */
  mendAll(): void {
    this.#cut.clear();
  }

  /** Every link is as `faults` from now on. */
  calm(faults: LinkFaults): void {
    this.#links.clear();
    this.faults = faults;
    this.answerFaults = undefined;
  }

  send(from: NodeId, to: NodeId, message: Message): void {
    this.sent++;
    this.sentBytes += messageBytes(message);
    this.byKind[message.kind] = (this.byKind[message.kind] ?? 0) + 1;
    const key = linkKey(from, to);
    if (this.#cut.has(key)) {
      this.#lose(from, to, message);
      return;
    }
    const general = ANSWERS.has(message.kind) ? (this.answerFaults ?? this.faults) : this.faults;
    const faults = this.#links.get(key) ?? general;
    this.#dispatch(from, to, message, faults);
    if (faults.duplicateShare > 0 && chance(this.#random, faults.duplicateShare)) {
      this.#dispatch(from, to, message, faults);
    }
  }

  #dispatch(from: NodeId, to: NodeId, message: Message, faults: LinkFaults): void {
    const random = this.#random;
    if (faults.lossShare > 0 && chance(random, faults.lossShare)) {
      this.#lose(from, to, message);
      return;
    }
    let delayMs = faults.latencyMs;
    if (faults.jitterMs > 0) delayMs += unitReal(random) * faults.jitterMs;
    if (faults.lateShare > 0 && chance(random, faults.lateShare)) {
      delayMs += unitReal(random) * faults.lateMs;
    }
    this.#loop.after(delayMs, () => {
      this.#trace?.(() => `${from} -> ${to} ${describeMessage(message)}`);
      this.#deliver(from, to, message);
    });
  }

  #lose(from: NodeId, to: NodeId, message: Message): void {
    this.lost++;
    this.#trace?.(() => `${from} -> ${to} lost: ${describeMessage(message)}`);
  }
}

function linkKey(from: NodeId, to: NodeId): number {
  return from * 1000 + to;
}
