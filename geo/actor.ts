/**
 * A query actor on the actor system: its core, woken by messages that it sends itself.
 *
 * @module
 */
import {
  type Actor,
  actorAt,
  type ActorContext,
  type ActorRef,
  type MakeActor,
  type Message,
} from "../actors/mod.ts";
import { ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { Millis } from "../base/machine.ts";
import { QueryCore } from "./core.ts";
import { type Entry, readEntry, writeEntry } from "./entry.ts";
import type { QueryEffect, QueryInput, QueryOptions } from "./types.ts";

/** The mailbox of a server is its first reference, and the actors come behind it. */
export const MAILBOX_COUNTER = 1;

/** The query actor `index` of the server at `address`, whichever life runs there. */
export function queryActorAt(address: string, index: number): ActorRef {
  return actorAt(address, MAILBOX_COUNTER + 1 + index);
}

/** What only the server itself tells its actors: it knows their secret. */
export type Order =
  | { readonly kind: "request"; readonly client: number; readonly bytes: Uint8Array }
  | { readonly kind: "gone"; readonly client: number }
  | { readonly kind: "kept"; readonly ticket: number };

/** An order as a message. */
export function orderMessage(secret: number, order: Order): Message {
  switch (order.kind) {
    case "request":
      return [secret, 0, order.client, order.bytes];
    case "gone":
      return [secret, 1, order.client];
    case "kept":
      return [secret, 2, order.ticket];
  }
}

function orderOf(secret: number, message: Message): Order | undefined {
  if (!Array.isArray(message) || message[0] !== secret) return undefined;
  const [, kind, number, bytes] = message as readonly Message[];
  if (typeof number !== "number") return undefined;
  if (kind === 1) return { kind: "gone", client: number };
  if (kind === 2) return { kind: "kept", ticket: number };
  return bytes instanceof Uint8Array ? { kind: "request", client: number, bytes } : undefined;
}

/** What an actor tells its server's mailbox. */
export type Report =
  | { readonly kind: "reply"; readonly client: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "keep";
      readonly actor: number;
      readonly ticket: number;
      readonly entry: Entry;
    }
  | { readonly kind: "warn"; readonly text: string };

/** The report that a message of an actor is. */
export function reportOf(message: Message): Report | undefined {
  if (!Array.isArray(message)) return undefined;
  const [kind, a, b, c] = message as readonly Message[];
  if (kind === 0 && typeof a === "number" && b instanceof Uint8Array) {
    return { kind: "reply", client: a, bytes: b };
  }
  if (kind === 2 && typeof a === "string") return { kind: "warn", text: a };
  if (kind !== 1 || typeof a !== "number" || typeof b !== "number") return undefined;
  if (!(c instanceof Uint8Array)) return undefined;
  const reader = new ByteReader(c);
  const entry = readEntry(reader);
  return reader.isGood ? { kind: "keep", actor: a, ticket: b, entry } : undefined;
}

/** What an actor is made with. */
export interface QueryActorOptions extends QueryOptions {
  readonly mailbox: ActorRef;
  readonly secret: number;
  /** Shown its core, for status and tests. */
  readonly onCore?: (core: QueryCore) => void;
}

/** Makes a query actor. */
export function queryActor(options: QueryActorOptions): MakeActor {
  return (context) => new QueryActor(options, context);
}

class QueryActor implements Actor {
  readonly #options: QueryActorOptions;
  readonly #core: QueryCore;
  /** When the next message to itself comes. */
  #wakeMs: Millis = Infinity;

  constructor(options: QueryActorOptions, context: ActorContext) {
    this.#options = options;
    this.#core = new QueryCore(options, context.nowMs);
    options.onCore?.(this.#core);
    this.#handle({ kind: "wake" }, context);
  }

  onMessage(message: Message, context: ActorContext): void {
    if (message instanceof Uint8Array) this.#handle({ kind: "envelope", bytes: message }, context);
    else if (message === null) {
      this.#wakeMs = Infinity;
      this.#handle({ kind: "wake" }, context);
    } else {
      const order = orderOf(this.#options.secret, message);
      if (order !== undefined) this.#handle(order, context);
    }
  }

  #handle(input: QueryInput | { readonly kind: "wake" }, context: ActorContext): void {
    this.#core.handle(input, context.nowMs);
    for (let effect = this.#core.poll(); effect !== undefined; effect = this.#core.poll()) {
      this.#carryOut(effect, context);
    }
    const atMs = this.#core.wakeAtMs() ?? Infinity;
    if (atMs >= this.#wakeMs) return;
    this.#wakeMs = atMs;
    context.tellAfter(context.self, null, Math.max(0, atMs - context.nowMs));
  }

  #carryOut(effect: QueryEffect, context: ActorContext): void {
    const { mailbox, index } = this.#options;
    switch (effect.kind) {
      case "tell":
        return context.tell(queryActorAt(effect.server, effect.index), effect.bytes);
      case "reply":
        return context.tell(mailbox, [0, effect.client, effect.bytes]);
      case "keep": {
        const writer = new ByteWriter();
        writeEntry(writer, effect.entry);
        return context.tell(mailbox, [1, index, effect.ticket, writer.taken()]);
      }
      case "warn":
        return context.tell(mailbox, [2, effect.text]);
    }
  }
}
