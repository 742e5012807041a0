/**
 * Systems of actors on virtual time, with connections that are what LSP promises: messages arrive
 * in order and once, or the connection ends. Faults are for tests to make: cut, crash, stall.
 */
import { seededRandom } from "../../base/random.ts";
import {
  type ActorRef,
  type GoneReason,
  type MakeActor,
  type Message,
  SystemCore,
  type SystemEffect,
  type SystemInput,
  type SystemLimits,
} from "../../actors/mod.ts";
import { Loop } from "../../sim/engine/loop.ts";

const LATENCY_MS = 5;
/** When the end of a machine, or a failure to connect, is noticed. */
export const NOTICE_MS = 1000;
const STEPS_MAX = 2_000_000;

/** A connection between two systems of one world. */
interface Connection {
  readonly from: Node;
  readonly to: Node;
  readonly dialled: number;
  readonly incoming: number;
  isOpen: boolean;
  /** Payloads of the dialer that were not delivered; with `isStalled` they stay. */
  readonly underWay: Uint8Array[];
}

/** One life of a system. */
export class Node {
  readonly world: World;
  readonly core: SystemCore;
  readonly address: string;
  readonly effects: SystemEffect[] = [];
  readonly failures: { readonly ref: ActorRef; readonly error: unknown }[] = [];
  readonly gone: { readonly counter: number; readonly ref: ActorRef; readonly why: GoneReason }[] =
    [];
  readonly replies: Map<number, Message> = new Map();
  /** Messages of mailboxes that somebody reads, in order. */
  readonly mail: Map<number, Message[]> = new Map();
  isAlive = true;
  isClosed = false;
  #wakeMs = Infinity;

  constructor(world: World, address: string, core: SystemCore) {
    this.world = world;
    this.address = address;
    this.core = core;
  }

  get nowMs(): number {
    return this.world.loop.nowMs;
  }

  /** Hands in an input, or a wake, and does what follows. */
  turn(input: SystemInput | { readonly kind: "wake" } = { kind: "wake" }): void {
    if (!this.isAlive) return;
    this.core.handle(input, this.nowMs);
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      this.#carryOut(effect);
    }
    const atMs = this.core.wakeAtMs();
    if (atMs === undefined || atMs >= this.#wakeMs) return;
    this.#wakeMs = atMs;
    this.world.loop.at(atMs, () => {
      if (this.#wakeMs === atMs) this.#wakeMs = Infinity;
      this.turn();
    });
  }

  startActor(make: MakeActor): ActorRef {
    return this.core.startActor(make, this.nowMs);
  }

  tell(to: ActorRef, message: Message): void {
    this.core.tell(to, message, this.nowMs);
    this.turn();
  }

  /** A mailbox, and what has come into it. */
  mailbox(): { readonly ref: ActorRef; readonly got: Message[] } {
    const ref = this.core.openMailbox();
    const got: Message[] = [];
    this.mail.set(ref.counter, got);
    return { ref, got };
  }

  #carryOut(effect: SystemEffect): void {
    this.effects.push(effect);
    const { world } = this;
    switch (effect.kind) {
      case "dial":
        return world.dial(this, effect.conn, effect.address);
      case "write":
        return world.write(this, effect.conn, effect.payload);
      case "drop":
        return world.drop(this, effect.conn);
      case "awaitRoom":
        return world.awaitRoom(this, effect.conn, effect.bytes);
      case "mail": {
        const { counter } = effect;
        const box = this.mail.get(counter);
        if (box === undefined) return;
        for (let next = this.core.take(counter); next; next = this.core.take(counter)) {
          box.push(next.message);
        }
        return;
      }
      case "reply":
        return void this.replies.set(effect.counter, effect.message);
      case "goneMail":
        return void this.gone.push(effect);
      case "failed":
        return void this.failures.push(effect);
      case "closed":
        this.isClosed = true;
    }
  }
}

/** See the module. */
export class World {
  readonly loop: Loop = new Loop();
  /** Addresses whose systems take nothing: what is written stays under way. */
  readonly stalled: Set<string> = new Set();
  /** How often each address was dialled, and when. */
  readonly dials: { readonly address: string; readonly atMs: number }[] = [];
  readonly #nodes = new Map<string, Node>();
  readonly #connections: Connection[] = [];
  #lives = 0;
  #conns = 0;

  /** Starts a system; one that ran there before is gone without a word. */
  start(address: string, limits?: Partial<SystemLimits>, isShuffled = false): Node {
    this.crash(address);
    const random = seededRandom(++this.#lives, 7);
    const node = new Node(this, address, new SystemCore({ address, random, limits, isShuffled }));
    this.#nodes.set(address, node);
    return node;
  }

  /** Ends a system without a word; others notice later. */
  crash(address: string): void {
    const node = this.#nodes.get(address);
    if (node === undefined) return;
    node.isAlive = false;
    this.#nodes.delete(address);
    for (const one of this.#connections) {
      if (one.from === node || one.to === node) this.#end(one, NOTICE_MS);
    }
  }

  /** Ends the connections between two systems. */
  cut(a: Node, b: Node): void {
    for (const one of this.#connections) {
      if ([a, b].includes(one.from) && [a, b].includes(one.to)) this.#end(one, 0);
    }
  }

  /** Connections of which neither end is gone. */
  get open(): number {
    return this.#connections.filter(({ isOpen }) => isOpen).length;
  }

  run(ms: number): void {
    this.loop.runUntil(this.loop.nowMs + ms, () => {}, STEPS_MAX);
  }

  dial(from: Node, dialled: number, address: string): void {
    this.dials.push({ address, atMs: this.loop.nowMs });
    this.loop.after(2 * LATENCY_MS, () => {
      const to = this.#nodes.get(address);
      if (to === undefined) {
        return this.loop.after(NOTICE_MS, () => from.turn({ kind: "gone", conn: dialled }));
      }
      const incoming = 2 * ++this.#conns;
      this.#connections.push({ from, to, dialled, incoming, isOpen: true, underWay: [] });
      from.turn({ kind: "opened", conn: dialled });
    });
  }

  write(by: Node, conn: number, payload: Uint8Array): void {
    const one = this.#find(by, conn);
    if (one === undefined) return;
    if (one.from === by) one.underWay.push(payload);
    this.loop.after(LATENCY_MS, () => {
      if (one.from === by) this.#deliver(one);
      else if (one.isOpen) one.from.turn({ kind: "payload", conn: one.dialled, payload });
    });
  }

  /** What is written to a system goes on, after a stall. */
  unstall(address: string): void {
    this.stalled.delete(address);
    for (const one of this.#connections) {
      const waiting = one.underWay.length;
      if (one.to.address === address) for (let i = 0; i < waiting; i++) this.#deliver(one);
    }
  }

  drop(by: Node, conn: number): void {
    const one = this.#find(by, conn);
    if (one === undefined) return;
    this.loop.after(LATENCY_MS, () => {
      if (!one.isOpen) return;
      one.isOpen = false;
      const [other, number] = one.from === by ? [one.to, one.incoming] : [one.from, one.dialled];
      other.turn({ kind: "gone", conn: number });
    });
  }

  awaitRoom(by: Node, conn: number, bytes: number): void {
    const one = this.#find(by, conn);
    if (one === undefined) return;
    const queuedBytes = one.underWay.reduce((sum, { length }) => sum + length, 0);
    if (queuedBytes <= bytes) by.turn({ kind: "room", conn, queuedBytes });
    else this.loop.after(1, () => this.awaitRoom(by, conn, bytes));
  }

  #deliver(one: Connection): void {
    if (!one.isOpen || this.stalled.has(one.to.address)) return;
    const payload = one.underWay.shift();
    if (payload !== undefined) one.to.turn({ kind: "payload", conn: one.incoming, payload });
  }

  #end(one: Connection, afterMs: number): void {
    if (!one.isOpen) return;
    one.isOpen = false;
    const isFlushed = one.underWay.length === 0;
    this.loop.after(afterMs, () => {
      one.from.turn({ kind: "gone", conn: one.dialled, isFlushed });
      one.to.turn({ kind: "gone", conn: one.incoming });
    });
  }

  #find(by: Node, conn: number): Connection | undefined {
    return this.#connections.find((one) => {
      return (
        one.isOpen &&
        (one.from === by ? one.dialled : one.incoming) === conn &&
        (one.from === by || one.to === by)
      );
    });
  }
}

/** Addresses for three systems. */
export const A = "a:1";
export const B = "b:1";
export const C = "c:1";

/** Two systems, and what a mailbox of the second gets. */
export function pair(limits?: Partial<SystemLimits>): {
  readonly world: World;
  readonly a: Node;
  readonly b: Node;
  readonly ref: ActorRef;
  readonly got: Message[];
} {
  const world = new World();
  const [a, b] = [world.start(A, limits), world.start(B, limits)];
  return { world, a, b, ...b.mailbox() };
}

/** An actor that gives on all that it is told. */
export function forwarder(to: ActorRef): MakeActor {
  return () => ({ onMessage: (message, context) => context.tell(to, message) });
}

/** An actor that watches whom it is told, and says what it hears. */
export function watcher(to: ActorRef): MakeActor {
  return () => ({
    onMessage: (message, context) => context.watch(message as ActorRef),
    onGone: (ref, why, context) => context.tell(to, { ref, why }),
  });
}

/** The reasons in what a {@link watcher} said. */
export function whysOf(got: readonly Message[]): GoneReason[] {
  return got.map((one) => (one as { why: GoneReason }).why);
}
